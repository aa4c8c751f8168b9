"""Messages as events of a span: one each (``gen_ai.user.message``, ``gen_ai.choice``), or all in one, as the conventions had it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import Event, ReadableSpan

from otel_llm import semconv as sc
from otel_llm.dialects.chat import message_of, messages_of
from otel_llm.dialects.reading import Reading, decoded_object, listed
from otel_llm.dialects.words import finish_reason
from otel_llm.protocols.facts import Message
from otel_llm.protocols.values import mapping

_DETAILS: Final = "gen_ai.client.inference.operation.details"
_ASKED: Final = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_CHOICE: Final = "gen_ai.choice"
#: An event of the first version of the conventions -> the attribute in it that holds all messages, as JSON.
_WHOLE: Final = {
    "gen_ai.content.prompt": ("gen_ai.prompt", sc.INPUT_MESSAGES, "user"),
    "gen_ai.content.completion": ("gen_ai.completion", sc.OUTPUT_MESSAGES, "assistant"),
}


def read(given: Mapping[str, Any], span: ReadableSpan) -> Reading | None:
    """What the events tell; most spans have none."""
    if not span.events:
        return None
    reading = Reading()
    for event in span.events:
        if event.name == _DETAILS:
            reading.told |= event.attributes or {}
        elif whole := _WHOLE.get(event.name):
            attribute, name, role = whole
            if told := listed(messages_of((event.attributes or {}).get(attribute), role)):
                reading.told[name] = told
    asked = [_asked(event) for event in span.events if event.name in _ASKED]
    answered = [_choice(event) for event in span.events if event.name == _CHOICE]
    for name, found in ((sc.INPUT_MESSAGES, asked), (sc.OUTPUT_MESSAGES, answered)):
        if told := listed(found):
            reading.told.setdefault(name, told)
    _add_finish_reasons(answered, reading)
    return reading


def _body(event: Event) -> dict[str, Any]:
    """Attributes of an event, with what some emitters put into one of them as JSON."""
    attributes = dict(event.attributes or {})
    return {**attributes, **decoded_object(attributes.pop("gen_ai.event.content", None))}


def _asked(event: Event) -> Message:
    body = _body(event)
    role = _ASKED[event.name]
    call_id = body.get("tool_call_id") or body.get("id")
    return message_of({"role": role, **body, **({"tool_call_id": call_id} if role == "tool" else {})})


def _choice(event: Event) -> Message:
    """An answer, with its message nested, as JSON, or spread over the attributes."""
    body = _body(event)
    message = decoded_object(body.get("message"))
    if not message and isinstance(body.get("message"), str):
        message = {"content": body["message"]}
    made = message_of({"role": "assistant", **body, **mapping(message)}, "assistant")
    reason = finish_reason(body.get("finish_reason"))
    return {**made, "finish_reason": reason} if reason else made


def _add_finish_reasons(answers: Iterable[Message], reading: Reading) -> None:
    reasons = tuple(answer["finish_reason"] for answer in answers if answer.get("finish_reason"))
    if reasons:
        reading.told.setdefault(sc.RESPONSE_FINISH_REASONS, reasons)
