"""OpenAI's Responses API: a completion as a body, or as the events of a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from otel_llm.testing.provider import sse
from otel_llm.testing.provider.chat import CREATED
from otel_llm.testing.provider.completion import Completion, split
from otel_llm.testing.provider.usage import responses as usage_of

_Event = dict[str, Any]
_Item = dict[str, Any]


def body(completion: Completion) -> dict[str, Any]:
    """The body of a call without streaming. A stop reason other than ``completed`` is one for being incomplete."""
    reason = completion.stop_reason
    whole = reason == "completed"
    return _response(completion, "completed" if whole else "incomplete") | {
        "incomplete_details": None if whole else {"reason": reason},
        "output": list(_items(completion)),
        "usage": usage_of(completion.usage),
    }


def failed_body(completion: Completion, error: dict[str, Any]) -> dict[str, Any]:
    """The body of a call that failed after HTTP had said 200."""
    fault = error["error"]
    said = {"code": fault.get("code") or fault.get("type"), "message": fault.get("message")}
    return _response(completion, "failed") | {"error": said}


def stream(completion: Completion) -> list[bytes]:
    """The pieces of a regular stream, an event each; the last has the whole body."""
    last = body(completion)
    return _framed(completion, [*_start(completion), {"type": f"response.{last['status']}", "response": last}])


def failed_stream(completion: Completion, error: dict[str, Any]) -> list[bytes]:
    """The pieces of a stream that fails after its text."""
    return _framed(completion, [*_start(completion), {"type": "response.failed", "response": failed_body(completion, error)}])


def _response(completion: Completion, status: str) -> dict[str, Any]:
    """What all states of a response have; settings are repeated from the request, with their defaults filled in."""
    asked = completion.exchange.get
    return {
        "id": f"resp_{completion.number:06d}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": asked("instructions"),
        "max_output_tokens": asked("max_output_tokens"),
        "model": completion.model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": asked("previous_response_id"),
        "service_tier": "auto" if status == "in_progress" else "default",
        "store": True,
        "temperature": 1.0 if asked("temperature") is None else asked("temperature"),
        "text": {"format": {"type": "text"}},
        "tool_choice": asked("tool_choice") or "auto",
        "tools": asked("tools") or [],
        "top_p": 1.0 if asked("top_p") is None else asked("top_p"),
        "truncation": "disabled",
        "usage": None,
        "metadata": {},
    }


def _items(completion: Completion) -> Iterator[_Item]:
    number = f"{completion.number:06d}"
    if completion.reasoning:
        yield {"id": f"rs_{number}", "type": "reasoning", "summary": [{"type": "summary_text", "text": completion.reasoning}]}
    if completion.text:
        message = {"id": f"msg_{number}", "type": "message", "status": "completed", "role": "assistant"}
        yield message | {"content": [_text_part(completion.text)]}
    for index, call in enumerate(completion.calls):
        item = {"id": f"fc_{number}{index}", "type": "function_call", "status": "completed", "arguments": call.arguments}
        yield item | {"call_id": call.id, "name": call.name}


def _text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def _start(completion: Completion) -> Iterator[_Event]:
    """All up to the last item's end."""
    begun = _response(completion, "in_progress")
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(_items(completion)):
        blank = _blank(item)
        yield {"type": "response.output_item.added", "output_index": index, "item": blank}
        for event in _parts_of(item, completion.pieces):
            yield event | {"item_id": item["id"], "output_index": index}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _blank(item: _Item) -> _Item:
    """An item as it is when it begins."""
    match item["type"]:
        case "reasoning":
            return item | {"summary": []}
        case "message":
            return item | {"status": "in_progress", "content": []}
        case _:
            return item | {"status": "in_progress", "arguments": ""}


def _parts_of(item: _Item, pieces: int) -> Iterator[_Event]:
    """An item's events between its beginning and its end, without saying whose they are."""
    match item["type"]:
        case "reasoning":
            [part] = item["summary"]
            yield from _text_events("reasoning_summary_part", "reasoning_summary_text", {"summary_index": 0}, part, pieces)
        case "message":
            [part] = item["content"]
            yield from _text_events("content_part", "output_text", {"content_index": 0, "logprobs": []}, part, pieces)
        case _:
            for piece in split(item["arguments"], pieces):
                yield {"type": "response.function_call_arguments.delta", "delta": piece}
            yield {"type": "response.function_call_arguments.done", "arguments": item["arguments"], "name": item["name"]}


def _text_events(part_name: str, text_name: str, where: dict[str, Any], part: dict[str, Any], pieces: int) -> Iterator[_Event]:
    at = {key: value for key, value in where.items() if key.endswith("_index")}
    yield {"type": f"response.{part_name}.added", **at, "part": part | {"text": ""}}
    for piece in split(part["text"], pieces):
        yield {"type": f"response.{text_name}.delta", **where, "delta": piece}
    yield {"type": f"response.{text_name}.done", **where, "text": part["text"]}
    yield {"type": f"response.{part_name}.done", **at, "part": part}


def _framed(completion: Completion, events: list[_Event]) -> list[bytes]:
    """With numbers. OpenRouter sends no lines with the events' names, but an end."""
    numbered = [event | {"sequence_number": number} for number, event in enumerate(events)]
    if completion.dialect.routes:
        return [*(sse.frame(event) for event in numbered), sse.DONE]
    return [sse.frame(event, event=event["type"]) for event in numbered]
