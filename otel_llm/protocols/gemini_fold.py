"""Chunks of a stream of generated content, folded into the answer that would have come without streaming."""

from __future__ import annotations

from typing import Any, Final

from otel_llm.protocols.framing import DONE
from otel_llm.protocols.gemini_partial_args import Arguments
from otel_llm.protocols.values import count, elements, mapping, mappings, text

#: Of these the first value that is not empty counts; of anything else the last.
_FIRST_COUNTS: Final = frozenset({"responseId", "modelVersion", "error"})


def places(candidates: list[dict[str, Any]]) -> list[int]:
    """The index of each candidate. Protobuf's JSON leaves out 0, and Vertex AI leaves out the index of a single one."""
    given = [count(candidate.get("index")) or 0 for candidate in candidates]
    return given if any(given) else list(range(len(given)))


class Fold:
    """The answer so far; ``done`` only where a gateway sends ``[DONE]``, since Google's streams have no last event."""

    __slots__ = ("_candidates", "_top", "done")

    def __init__(self) -> None:
        self.done = False
        self._top: dict[str, Any] = {}
        self._candidates: dict[int, _Candidate] = {}

    def feed(self, event: Any) -> None:
        """Take a chunk. Nulls and empty values never replace what is known; anything that is no chunk is ignored."""
        if not isinstance(event, dict):
            self.done = self.done or event == DONE
            return
        for key, value in event.items():
            if key == "candidates":
                self._feed_candidates(mappings(value))
            elif key == "usageMetadata":
                self._feed_usage(mapping(value))
            elif value and not (key in _FIRST_COUNTS and key in self._top):
                self._top[key] = value

    def body(self) -> dict[str, Any]:
        body = dict(self._top)
        if self._candidates:
            body["candidates"] = [self._candidates[index].body(index) for index in sorted(self._candidates)]
        return body

    def _feed_candidates(self, candidates: list[dict[str, Any]]) -> None:
        for index, candidate in zip(places(candidates), candidates, strict=True):
            known = self._candidates.get(index)
            if known is None:
                known = self._candidates[index] = _Candidate()
            known.feed(candidate)

    def _feed_usage(self, usage: dict[str, Any]) -> None:
        """Each usage is the whole one up to its chunk, so keys are never merged; one without counts says nothing of tokens."""
        if any(key.endswith("TokenCount") for key in usage) or "usageMetadata" not in self._top:
            self._top["usageMetadata"] = usage


class _Candidate:
    """One candidate: its parts in a row, and what stands beside its content."""

    __slots__ = ("_arguments", "_content", "_parts", "_rest")

    def __init__(self) -> None:
        self._rest: dict[str, Any] = {}
        self._content: dict[str, Any] = {}
        self._parts: list[Any] = []
        #: Arguments of calls that arrive in pieces, by the place of their part.
        self._arguments: dict[int, Arguments] = {}

    def feed(self, candidate: dict[str, Any]) -> None:
        for key, value in candidate.items():
            if key == "content":
                content = mapping(value)
                self._content.update((name, inner) for name, inner in content.items() if name != "parts" and inner)
                for part in elements(content.get("parts")):
                    self._feed_part(part)
            elif value:
                self._rest[key] = value

    def _feed_part(self, part: Any) -> None:
        """A call without a name goes on with the call before it, whose arguments are being streamed."""
        call = mapping(mapping(part).get("functionCall"))
        begins = "functionCall" not in mapping(part) or text(call.get("name")) is not None or not self._arguments
        if begins:
            self._parts.append(part)
        if call.get("willContinue") is True or call.get("partialArgs"):
            place = len(self._parts) - 1 if begins else max(self._arguments)
            self._arguments.setdefault(place, Arguments(call.get("args"))).feed(call.get("partialArgs"))

    def body(self, index: int) -> dict[str, Any]:
        parts = list(self._parts)
        for place, arguments in self._arguments.items():
            parts[place] = {**parts[place], "functionCall": {**parts[place]["functionCall"], "args": arguments.value()}}
        return {**self._rest, "index": index, "content": {**self._content, "parts": parts}}
