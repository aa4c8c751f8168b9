"""Takes secrets out of texts, before anything of them is cut, hashed or stored."""

from __future__ import annotations

import functools
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from otel_llm.mask_patterns import ROWS, Kind, Row, has_luhn
from otel_llm.recent import LONG, Recent

_logger = logging.getLogger(__name__)

#: Of an application: text in, text out.
MaskFunction: TypeAlias = Callable[[str], str]

#: What takes the place of a text that an application's function failed on.
FAILED: Final = "[masked: the mask failed]"
_SILENCE_S: Final = 60.0
#: Characters that end many literals, and are seldom in prose.
_SEPARATORS: Final = ("-", "_")
#: Others that are seldom in prose, the rarest first.
_RARE: Final = "JK9zx/-@A"
#: Looking at what is before a mark takes as long as looking for a literal among so many characters.
_SPARSE: Final = 320


class _Process:
    """What holds for all masks of this process: the application's function, and how often such functions failed."""

    def __init__(self) -> None:
        self.function: MaskFunction | None = None
        self.failures = 0
        self.logged_at = float("-inf")

    def note(self, why: str) -> None:
        self.failures += 1
        now = time.monotonic()
        if now - self.logged_at >= _SILENCE_S:
            self.logged_at = now
            message = "the application's mask failed (%s); such texts are replaced as a whole (%d so far)"
            _logger.warning(message, why, self.failures)


_process = _Process()


def use(function: MaskFunction | None) -> None:
    """Have the masks of this process that have no function of their own apply this one, after their patterns."""
    _process.function = function


def failures() -> int:
    """How many texts were replaced because an application's function raised, or returned no text."""
    return _process.failures


@dataclass(frozen=True, slots=True)
class Mask:
    """Masks texts: ``kinds`` picks patterns, ``function`` is the application's own and is applied last.

    Applied again it changes nothing more, as far as ``function`` holds to that.
    """

    kinds: frozenset[Kind] = frozenset({"secrets"})
    function: MaskFunction | None = None
    _recent: Recent[str, str] = field(default_factory=Recent, init=False, repr=False, compare=False)

    @property
    def active_function(self) -> MaskFunction | None:
        """The application's function, if there is one."""
        return self.function or _process.function

    @property
    def active(self) -> bool:
        """Whether any text may be changed."""
        return bool(self.kinds) or self.active_function is not None

    def __call__(self, text: str) -> str:
        """``text`` without what is to be masked. Never raises."""
        masked = self.patterns(text)
        function = self.active_function
        return masked if function is None else _applied(function, masked)

    def may_change(self, json_text: str) -> bool:
        """Whether a text within this JSON text may be changed, told without reading the JSON."""
        return (
            self.active_function is not None
            or any(row.pattern.search(json_text) for row in _candidates(json_text, self.kinds))
            # An escape can hide part of a secret.
            or ("\\" in json_text and ("\\u00" in json_text or "\\/" in json_text))
        )

    def patterns(self, text: str) -> str:
        """``text`` masked by the patterns alone, as is right for a key or a name: the application's function may take away any."""
        if len(text) <= LONG:
            return _masked(text, self.kinds)
        known = self._recent.made_of(text)
        if known is None:
            known = _masked(text, self.kinds)
            self._recent.remember(text, known)
        return known


def _applied(function: MaskFunction, text: str) -> str:
    try:
        masked = function(text)
    except Exception as error:  # noqa: BLE001  (whatever it is, the text must not pass)
        _process.note(type(error).__name__)
        return FAILED
    if isinstance(masked, str):
        return masked
    _process.note("it returned no text")
    return FAILED


#: A private key begins with hyphens, which a bearer token before it must not take for its own.
_ORDER: Final = tuple(sorted(ROWS, key=lambda row: 0 if "-" in row.literal else 1 if "_" in row.literal else 2))


class _Group(NamedTuple):
    """Rows whose literals all have ``mark`` in them; a text without it has none of them."""

    mark: str
    rows: tuple[Row, ...]
    #: What comes before the mark in each, where that is known.
    ends: tuple[str, ...]


def _mark(literal: str) -> str:
    """To look for one character is many times faster than to look for several: the one that fewest texts have, if there is one."""
    if literal.endswith(_SEPARATORS):
        return literal[-1]
    return next((mark for mark in _RARE if mark in literal), literal)


def _end(literal: str) -> str:
    """The most that a literal has before one of its marks, back to the mark before."""
    mark = _mark(literal)
    return max(literal.split(mark)[:-1], key=len) if mark else ""


@functools.cache
def _groups(kinds: frozenset[Kind]) -> tuple[_Group, ...]:
    found: dict[tuple[str, bool], list[Row]] = {}
    for row in (row for row in ROWS if row.kind in kinds):
        found.setdefault((_mark(row.literal), bool(_end(row.literal))), []).append(row)
    return tuple(
        _Group(mark, tuple(rows), tuple(_end(row.literal) for row in rows) if has_ends else ())
        for (mark, has_ends), rows in found.items()
    )


def _candidates(text: str, kinds: frozenset[Kind]) -> list[Row]:
    """The rows whose literals are in ``text``, in the order in which they are applied."""
    found: list[Row] = []
    for group in _groups(kinds):
        if group.mark in text:
            found += [row for row in _possible(group, text) if row.literal in text]
    return sorted(found, key=_ORDER.index) if len(found) > 1 else found


def _possible(group: _Group, text: str) -> Sequence[Row]:
    """Those of a group whose ends come before a mark in ``text``. Where marks are many, looking at each takes longer than it saves."""
    if not group.ends or text.count(group.mark) * _SPARSE > len(text) * len(group.rows):
        return group.rows
    before = [piece for piece in text.split(group.mark) if piece.endswith(group.ends)]
    if not before:
        return ()
    return [row for row, end in zip(group.rows, group.ends, strict=True) if any(piece.endswith(end) for piece in before)]


def _masked(text: str, kinds: frozenset[Kind]) -> str:
    """Until nothing changes: what is masked can be what kept its neighbour from being one."""
    while True:
        before = text
        for row in _candidates(text, kinds):
            text = row.pattern.sub(functools.partial(_replacement, row), text)
        if text == before:
            return text


def _replacement(row: Row, match: re.Match[str]) -> str:
    found = match.group()
    return found if row.luhn and not has_luhn(found) else row.replacement
