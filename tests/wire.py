"""How bodies come over the wire, for tests: in pieces, and streamed as the vendors stream them, with their liberties."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

from otel_llm.protocols import Protocol, RequestFacts, ResponseFacts
from otel_llm.protocols.framing import Framing


def cut(data: bytes, rng: random.Random) -> list[bytes]:
    """The data in pieces of random sizes."""
    pieces = []
    while data:
        size = rng.choice((1, 2, 3, 7, 19, 64, 500, 4000))
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def answer(protocol: Protocol, body: bytes, content_type: str | None, rng: random.Random) -> ResponseFacts:
    """Facts of a response that arrives in pieces."""
    framing, fold, events = Framing(content_type), protocol.fold(), list[Any]()
    for piece in cut(body, rng):
        events += framing.feed(piece)
    events += framing.end()
    assert framing.skipped == 0
    if not framing.streamed:
        return protocol.response(events[0])
    for event in events:
        fold.feed(event)
    return protocol.response(fold.body())


# --- streams of a body -------------------------------------------------------------------------------------------------


def torn(text: str, rng: random.Random) -> list[str]:
    """A text in one or more pieces."""
    edges = sorted({0, len(text), *(rng.randint(0, len(text)) for _ in range(rng.randint(0, 3)))})
    return [text[start:end] for start, end in pairwise(edges)] or [text]


def interleaved(sequences: list[list[Any]], rng: random.Random) -> Iterator[Any]:
    """All elements, those of each sequence in their order."""
    waiting = [list(sequence) for sequence in sequences if sequence]
    while waiting:
        sequence = rng.choice(waiting)
        yield sequence.pop(0)
        waiting = [sequence for sequence in waiting if sequence]


def call_deltas(index: int, call: dict[str, Any], rng: random.Random) -> list[dict[str, Any]]:
    kind, key = ("function", "arguments") if "function" in call else ("custom", "input")
    name, arguments = call[kind]["name"], call[kind][key]
    first = {"index": index, "id": call["id"], "type": call["type"], kind: {"name": name, key: rng.choice(("", None))}}
    rest = [{"index": index, "id": rng.choice(("", None, call["id"])), kind: {key: piece}} for piece in torn(arguments, rng)]
    return [{"tool_calls": [piece]} for piece in (first, *rest)]


def message_deltas(message: dict[str, Any], rng: random.Random) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": rng.choice(("", None))}]
    for key in ("reasoning_content", "reasoning", "refusal", "content"):
        if isinstance(message.get(key), str):
            deltas += [{key: piece} for piece in torn(message[key], rng)]
    for part in message["content"] if isinstance(message.get("content"), list) else ():
        if part["type"] == "text":
            deltas += [{"content": piece} for piece in torn(part["text"], rng)]
        else:
            pieces = torn(part["thinking"][0]["text"], rng)
            deltas += [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": piece}]}]} for piece in pieces]
    for detail in message.get("reasoning_details", ()):
        grown = [{"type": detail["type"], "index": detail["index"], "text": piece} for piece in torn(detail["text"], rng)]
        deltas += [{"reasoning_details": [piece]} for piece in (*grown, {**detail, "text": None})]
    if "function_call" in message:
        name, arguments = message["function_call"]["name"], message["function_call"]["arguments"]
        deltas += [{"function_call": {"name": name, "arguments": ""}}]
        deltas += [{"function_call": {"arguments": piece}} for piece in torn(arguments, rng)]
    calls = [call_deltas(index, call, rng) for index, call in enumerate(message.get("tool_calls") or ())]
    return [*deltas, *begun_in_order(calls, rng)]


def begun_in_order(calls: list[list[Any]], rng: random.Random) -> list[Any]:
    """Calls begin one after the other; their arguments may then interleave."""
    return [call[0] for call in calls] + list(interleaved([call[1:] for call in calls], rng))


def completion_chunks(body: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    top: dict[str, Any] = {
        key: body[key] for key in ("id", "model", "service_tier", "system_fingerprint", "provider") if key in body
    }
    usage = {"usage": body["usage"]} if "usage" in body else {}
    if rng.random() < 0.3:
        yield {"choices": [], "id": "", "model": "", "created": 0, "prompt_filter_results": []}
    choices = [
        [{"index": choice["index"], "delta": delta, "finish_reason": None} for delta in message_deltas(choice["message"], rng)]
        + [{"index": choice["index"], "delta": {}, "finish_reason": choice["finish_reason"]}]
        for choice in body["choices"]
    ]
    for choice in interleaved(choices, rng):
        so_far = {"usage": {"prompt_tokens": 1}} if body.get("usage") and rng.random() < 0.2 else {"usage": None}
        yield {**top, "choices": [choice], **so_far, "obfuscation": "x" * rng.randint(0, 9)}
    error = {"error": body["error"]} if "error" in body else {}
    repeated = {"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    yield {**top, **error, **usage, "choices": rng.choice(([], [repeated]))}


def message_events(body: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    usage = body["usage"]
    late = {key for key in usage if key != "service_tier" and rng.random() < 0.5} | {"output_tokens"}
    early = {key: 1 if key in late and isinstance(value, int) else value for key, value in usage.items()}
    yield {"type": "message_start", "message": {**body, "content": [], "stop_reason": None, "usage": early}}
    for index, block in enumerate(body["content"]):
        yield from block_events(index, block, rng)
    delta = {"stop_reason": body["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {key: usage[key] for key in late}}
    yield {"type": "message_stop"}


def block_events(index: int, block: dict[str, Any], rng: random.Random) -> Iterator[dict[str, Any]]:
    start, deltas = dict(block), list[dict[str, Any]]()
    for key, kind in (("text", "text_delta"), ("thinking", "thinking_delta"), ("signature", "signature_delta")):
        if key in block:
            start[key] = ""
            deltas += [{"type": kind, key: piece} for piece in torn(block[key], rng)]
    if block["type"] == "compaction":
        start["content"] = None
        deltas += [{"type": "compaction_delta", "content": block["content"]}]
    for citation in start.pop("citations", ()):
        deltas.insert(rng.randint(0, len(deltas)), {"type": "citations_delta", "citation": citation})
    if "input" in block:
        start["input"] = {}
        pieces = torn(json.dumps(block["input"], ensure_ascii=False), rng) if block["input"] else []
        deltas += [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces)]
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in deltas:
        if rng.random() < 0.1:
            yield {"type": "ping"}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def as_event_stream(events: Iterator[dict[str, Any]], named: bool, rng: random.Random) -> bytes:
    """Server-sent events with the liberties that vendors take."""
    line_end, wire = rng.choice(("\n", "\r\n", "\r")), []
    for event in events:
        lines = [f"data:{rng.choice(('', ' '))}{json.dumps(event, ensure_ascii=rng.random() < 0.5)}{' ' * rng.randint(0, 2)}"]
        if named:
            lines.insert(rng.choice((0, 1)), f"event: {event['type']}")
        if rng.random() < 0.1:
            wire += [": keep-alive", ""]
        wire += [*lines, ""]
    if not named:
        wire += ["data: [DONE]", ""]
    return (line_end.join(wire) + line_end).encode()


# --- anything ---------------------------------------------------------------------------------------------------------


def spoilt(value: Any, rng: random.Random, something: Callable[[], Any]) -> Any:
    """The value with some of its insides replaced by anything."""
    if rng.random() < 0.15:
        return something()
    if isinstance(value, dict):
        return {key: spoilt(inner, rng, something) for key, inner in value.items()}
    return [spoilt(inner, rng, something) for inner in value] if isinstance(value, list) else value


def check(facts: RequestFacts | ResponseFacts) -> None:
    """Facts that can be attributes of a span."""
    for value in (*facts.attributes.values(), facts.model):
        assert value is None or isinstance(value, str | bool | int | float | tuple)
    for message in facts.messages:
        assert all(isinstance(part["type"], str) for part in message["parts"])
    json.dumps(facts.messages)
