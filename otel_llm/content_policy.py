"""What of the captured content a destination gets: all, bounded, hashed or nothing; masked in any case.

Content are the messages, instructions, tools, arguments, results, queries and documents of the conventions, of Langfuse's own
attributes and of other emitters. What an error says is no content: it stays in each mode, masked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from otel_llm.content import json_text
from otel_llm.content_forms import SHORTEST
from otel_llm.content_json import NOTHING, bounded, parsed
from otel_llm.content_names import Role, role_of
from otel_llm.content_tree import Hashed, Masked, Truncated
from otel_llm.masking import Mask, MaskFunction, failures
from otel_llm.recent import LONG, RecentLists

#: Characters of a text in mode ``truncated``.
MAX_CHARS: Final = 8_000
#: Texts of that length that fit into one attribute.
_PARTS: Final = 16
_NO_TEXTS: Final = (int, float, bytes, type(None))


class ContentMode(Enum):
    """How much of each text a destination gets."""

    FULL = "full"
    TRUNCATED = "truncated"
    HASH = "hash"
    NONE = "none"


class _Memory:
    """What was made of recent lists, by attribute, as long as the application's function is the same."""

    def __init__(self) -> None:
        self._function: MaskFunction | None = None
        self._lists: dict[str, RecentLists] = {}

    def prepare(self, function: MaskFunction | None) -> None:
        if function is not self._function:
            self._function = function
            self.forget()

    def lists(self, name: str, make: Callable[[list[Any]], str | None]) -> RecentLists:
        if name not in self._lists:
            self._lists[name] = RecentLists(parsed, make)
        return self._lists[name]

    def forget(self) -> None:
        self._lists = {}


@dataclass(frozen=True, slots=True)
class ContentPolicy:
    """A destination's policy. Applied to a span's attributes on the worker thread, before they are mapped and stored.

    ``max_chars`` is for mode TRUNCATED: characters of each text in a message, tool or document; an attribute as a whole gets
    16 times as many. Raises ValueError if it is below 200.
    """

    mode: ContentMode = ContentMode.FULL
    max_chars: int = MAX_CHARS
    mask: Mask = field(default_factory=Mask)
    _memory: _Memory = field(default_factory=_Memory, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.max_chars < SHORTEST:
            raise ValueError(f"max_chars is {self.max_chars}; it must be at least {SHORTEST}")

    @property
    def changes_nothing(self) -> bool:
        """Whether all content passes as it is."""
        return self.mode is ContentMode.FULL and not self.mask.active

    def applied(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """``given`` (attributes of the conventions) with its content as the policy has it. Applied again it changes nothing more."""
        if self.changes_nothing:
            return given
        failed = failures()
        self._memory.prepare(self.mask.active_function)
        bare = self.mode is ContentMode.NONE
        told = {
            name: value if isinstance(value, _NO_TEXTS) else self._attribute(role_of(name), name, value)
            for name, value in given.items()
            if not (bare and self.withholds(name))
        }
        if failures() != failed:  # what was made of a text then is not to stay
            self._memory.forget()
        return told

    def withholds(self, name: str) -> bool:
        """Whether the attribute ``name`` is content and no content is wanted."""
        return self.mode is ContentMode.NONE and role_of(name) in (Role.MESSAGES, Role.DATA)

    def text(self, text: str) -> str:
        """A text that is no content, such as what an error says: masked."""
        return self.mask(text) if self.mask.active else text

    def _attribute(self, role: Role, name: str, value: Any) -> Any:
        if role is Role.NAME:
            return value
        if role is Role.OTHER:
            return self._masked(role).told(value)
        return self._content(name, value, role) if isinstance(value, str) else self._told(value, role)

    def _content(self, name: str, text: str, role: Role) -> str:
        if len(text) <= LONG and self._stays(text):
            return text
        made = self._memory.lists(name, lambda elements: self._elements(elements, role)).made_of(text)
        told = f"[{made}]" if made is not None else self._single(text, role)
        return bounded(told, self.max_chars * _PARTS) if self.mode is ContentMode.TRUNCATED else told

    def _stays(self, text: str) -> bool:
        """Whether nothing in a text needs a change, told without reading it as JSON."""
        if self.mode is ContentMode.HASH or (self.mode is ContentMode.TRUNCATED and len(text) > self.max_chars):
            return False
        return not self.mask.may_change(text)

    def _elements(self, elements: list[Any], role: Role) -> str | None:
        try:
            return json_text(self._told(elements, role))[1:-1]
        except RecursionError:
            return None

    def _single(self, text: str, role: Role) -> str:
        """What is no list, is nested too deeply, or is no JSON."""
        read = parsed(text)
        if read is not NOTHING:
            try:
                return json_text(self._told(read, role))
            except RecursionError:
                pass
        return str(self._told(text, role))

    def _masked(self, role: Role) -> Masked:
        return Masked(self.text, self.mask.patterns, data=role is not Role.MESSAGES)

    def _told(self, value: Any, role: Role) -> Any:
        told = self._masked(role).told(value)
        if self.mode is ContentMode.TRUNCATED:
            return Truncated(self.max_chars).told(told)
        return Hashed(data=role is Role.DATA).told(told) if self.mode is ContentMode.HASH else told


#: Everything but secrets.
FULL: Final = ContentPolicy()
#: No content.
NONE: Final = ContentPolicy(ContentMode.NONE)
