"""Long prompts come with call after call: what was made of the last few of them need not be made again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from otel_llm.content import json_text

K = TypeVar("K")
V = TypeVar("V")

#: Characters from which a text is worth comparing with those before.
LONG: Final = 16_384
_KEPT: Final = 4


class Recent(Generic[K, V]):
    """The last few long texts, or what they are part of, and what was made of each.

    Comparing two texts takes less time than hashing one.
    """

    def __init__(self) -> None:
        #: Replaced rather than changed, so that several threads may use it.
        self._known: tuple[tuple[K, V], ...] = ()

    def remember(self, given: K, made: V) -> None:
        """Keep ``made`` for ``given``."""
        self._known = ((given, made), *self._known[: _KEPT - 1])

    def made_of(self, given: K) -> V | None:
        """What was made of an equal one."""
        return next((made for known, made in self._known if known == given), None)

    def all_made(self) -> list[V]:
        """What was made of each, the latest first."""
        return [made for _, made in self._known]

    def beginning_of(self: Recent[str, V], text: str) -> tuple[str, V] | None:
        """A text that ``text`` begins with, and what was made of it."""
        return next(((known, made) for known, made in self._known if text.startswith(known)), None)


class RecentLists:
    """Makes texts of JSON lists, element by element; a long first element (a system prompt) is read and made once.

    ``parse`` gives the value of a JSON text, None if it is none; ``make`` gives for some elements their texts with commas between
    them, None for elements that it cannot read.
    """

    def __init__(self, parse: Callable[[str], Any], make: Callable[[list[Any]], str | None]) -> None:
        self._parse = parse
        self._make = make
        #: The beginning of a list up to the end of its first element -> what was made of that.
        self.beginnings: Recent[str, str] = Recent()

    def made_of(self, text: str) -> str | None:
        """What is made of all elements of a list; None for what is not a list, or not of elements that can be read."""
        is_long = len(text) > LONG
        known = self._after_known_element(text) if is_long else None
        if known is not None:
            return known
        read = self._parse(text)
        if not isinstance(read, list):
            return None
        return self._of_long(text, read) if is_long and read else self._make(read)

    def _of_long(self, text: str, read: list[Any]) -> str | None:
        first, rest = self._make(read[:1]), self._make(read[1:]) if read[1:] else ""
        if first is None or rest is None:
            return None
        end = f",{json_text(read[1:])[1:]}" if read[1:] else "]"
        if len(text) - len(end) > LONG and text.endswith(end):
            self.beginnings.remember(text[: -len(end)], first)
        return f"{first},{rest}" if rest else first

    def _after_known_element(self, text: str) -> str | None:
        """The same where the first element is a recent one: only those after it are read."""
        known = self.beginnings.beginning_of(text)
        if known is None:
            return None
        beginning, first = known
        end = text[len(beginning) :]
        if end == "]":
            return first
        rest = self._parse(f"[{end[1:]}") if end.startswith(",") else None
        made = self._make(rest) if isinstance(rest, list) and rest else None
        return None if made is None else f"{first},{made}"
