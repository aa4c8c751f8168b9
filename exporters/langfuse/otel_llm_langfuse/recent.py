"""Long prompts come with call after call: what was made of the last few of them need not be made again."""

from __future__ import annotations

from typing import Final

#: Characters from which a text is worth comparing with those before.
LONG: Final = 16_384
_KEPT: Final = 4


class Recent:
    """The last few long texts, and what was made of each. Comparing two texts takes less time than hashing one."""

    def __init__(self) -> None:
        #: Replaced rather than changed, so that several threads may use it.
        self._known: tuple[tuple[str, str], ...] = ()

    def remember(self, text: str, made: str) -> None:
        """Keep ``made`` for ``text``."""
        self._known = ((text, made), *self._known[: _KEPT - 1])

    def made_of(self, text: str) -> str | None:
        """What was made of the same text."""
        return next((made for known, made in self._known if known == text), None)

    def all_made(self) -> list[str]:
        """What was made of each text, the latest first."""
        return [made for _, made in self._known]

    def beginning_of(self, text: str) -> tuple[str, str] | None:
        """A text that ``text`` begins with, and what was made of it."""
        return next(((known, made) for known, made in self._known if text.startswith(known)), None)
