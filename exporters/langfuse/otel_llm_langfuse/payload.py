"""Input and output of an observation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from otel_llm import semconv as sc
from otel_llm_langfuse import names
from otel_llm_langfuse.chatml import chat_input, chat_output
from otel_llm_langfuse.readers import Given, text

_CHAT: Final = (sc.SYSTEM_INSTRUCTIONS, sc.INPUT_MESSAGES, sc.TOOL_DEFINITIONS, sc.OUTPUT_MESSAGES)

#: Other content, as pairs of input and output; the first pair that is there is taken.
_PLAIN: Final = (
    (sc.TOOL_CALL_ARGUMENTS, sc.TOOL_CALL_RESULT),
    (sc.RETRIEVAL_QUERY, sc.RETRIEVAL_DOCUMENTS),
    (sc.MEMORY_QUERY, sc.MEMORY_RECORDS),
    (sc.INPUT_VALUE, sc.OUTPUT_VALUE),
)

_CONTENT: Final = frozenset((*_CHAT, *(name for pair in _PLAIN for name in pair)))


@dataclass(frozen=True, slots=True)
class Payload:
    """Input and output as JSON or plain text; ``carried`` names the attributes that need not be sent beside them."""

    attributes: dict[str, str] = field(default_factory=dict)
    carried: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.attributes)


def payload(given: Given) -> Payload:
    """The content that was captured.

    Langfuse takes either both input and output from its own attributes or neither, so both are given where any is.
    """
    if text(given, names.INPUT) and text(given, names.OUTPUT):
        return Payload()
    if any(name in given for name in _CHAT):
        read = _chat(given)
    else:
        pair = next((pair for pair in _PLAIN if pair[0] in given or pair[1] in given), None)
        read = {} if pair is None else _texts(text(given, pair[0]), text(given, pair[1]))
    return Payload(read, _CONTENT if read else frozenset())


def _chat(given: Given) -> dict[str, str]:
    asked = chat_input(given.get(sc.SYSTEM_INSTRUCTIONS), given.get(sc.INPUT_MESSAGES), given.get(sc.TOOL_DEFINITIONS))
    return _texts(asked, chat_output(given.get(sc.OUTPUT_MESSAGES)))


def _texts(asked: str | None, answered: str | None) -> dict[str, str]:
    return {name: value for name, value in ((names.INPUT, asked), (names.OUTPUT, answered)) if value}
