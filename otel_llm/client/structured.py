"""Structured output: what is asked for, checked by pydantic."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from otel_llm.client.reply import Reply
from otel_llm.client.request import ChatMessage
from otel_llm.errors import OutputError

_FENCED: Final = re.compile(r"```(?:json)?\s*\n(?P<inner>.*?)\n?\s*```", re.DOTALL)


class Form:
    """The type that an answer is to have: a pydantic model, or anything else that pydantic knows."""

    def __init__(self, kind: Any) -> None:
        self._adapter: TypeAdapter[Any] = TypeAdapter(kind)
        self.schema: Mapping[str, Any] = self._adapter.json_schema()

    def told(self, messages: tuple[ChatMessage, ...]) -> tuple[ChatMessage, ...]:
        """The conversation with the schema told in words, for services that enforce none."""
        words = f"Answer with one JSON value and nothing else. It must fit this JSON schema:\n{json.dumps(self.schema)}"
        first = messages[0] if messages else {}
        if first.get("role") == "system" and isinstance(first.get("content"), str):
            return ({**first, "content": f"{first['content']}\n\n{words}"}, *messages[1:])
        return ({"role": "system", "content": words}, *messages)

    def filled(self, reply: Reply) -> Reply:
        """The reply with its value, also from inside a fenced block. Raises OutputError."""
        text = reply.text.strip()
        fenced = None if text.startswith(("{", "[")) else _FENCED.search(text)
        try:
            value = self._adapter.validate_json(fenced["inner"] if fenced else text)
        except ValidationError as error:
            model = "the model" if reply.choice is None else reply.choice.text
            raise OutputError(_faults(error), model=model, text=reply.text) from None
        return replace(reply, parsed=value)


def _faults(error: ValidationError) -> str:
    """What is wrong, place by place, without the values."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, fault['loc'])) or 'the answer'}: {fault['msg']}" for fault in found[:10])


def asking_again(messages: tuple[ChatMessage, ...], reply: Reply, faults: str) -> tuple[ChatMessage, ...]:
    """The conversation that goes on with what was wrong."""
    again = f"That does not fit: {faults}. Answer again, with the whole corrected JSON and nothing else."
    return (*messages, {"role": "assistant", "content": reply.text or "(nothing)"}, {"role": "user", "content": again})
