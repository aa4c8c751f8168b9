"""Decoded JSON of messages, tools and documents, with each text in it as a policy has it. The structure stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from otel_llm.content_forms import cut, hashed, is_file, reference

#: Members that tell what something is, not what it says.
_NAMES: Final = frozenset({"role", "type", "name", "id", "finish_reason", "mime_type", "modality", "tool_call_id", "file_id"})
_LONGEST_NAME: Final = 128
#: Members below which nothing is known of the structure: there, any value is content.
_DATA: Final = frozenset({"arguments", "response", "result"})
#: From here on, a number can be that of a card.
_LONG_NUMBER: Final = 10**14


@dataclass(frozen=True, slots=True)
class Masked:
    """Each text masked, also long numbers; files are left as they are, since a match in them is chance.

    Keys and names (unless all is ``data``) are masked by ``mask_name``, which leaves what has no secret in it.
    """

    mask: Callable[[str], str]
    mask_name: Callable[[str], str]
    data: bool = False

    def told(self, value: Any) -> Any:
        """``value`` so."""
        if isinstance(value, str):
            return value if is_file(value) else self.mask(value)
        if isinstance(value, list | tuple):
            return [self.told(item) for item in value]
        if isinstance(value, Mapping):
            return {self.mask_name(str(key)): self._member(key, item) for key, item in value.items()}
        if isinstance(value, int) and value > _LONG_NUMBER:
            masked = self.mask(str(value))
            return value if masked == str(value) else masked
        return value

    def _member(self, key: Any, item: Any) -> Any:
        if not self.data and _is_name(key, item):
            return self.mask_name(item)
        return (replace(self, data=True) if key in _DATA else self).told(item)


@dataclass(frozen=True, slots=True)
class Truncated:
    """Each text cut to ``max_chars``; longer files become references."""

    max_chars: int

    def told(self, value: Any) -> Any:
        """``value`` so."""
        if isinstance(value, str):
            return reference(value) if len(value) > self.max_chars and is_file(value) else cut(value, self.max_chars)
        if isinstance(value, Mapping):
            content = _blob(value)
            if content is not None and len(content) > self.max_chars:
                return _referred(value, content)
            if content is not None:
                return value
            return {key: self.told(item) for key, item in value.items()}
        return [self.told(item) for item in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True, slots=True)
class Hashed:
    """Each text as length and hash. Roles, types, ids and names stay, unless all is ``data``, such as a tool's arguments."""

    data: bool = False

    def told(self, value: Any) -> Any:
        """``value`` so."""
        if isinstance(value, str):
            return reference(value) if is_file(value) else hashed(value)
        if isinstance(value, Mapping):
            content = None if self.data else _blob(value)
            return (
                {key: self._member(key, item) for key, item in value.items()} if content is None else _referred(value, content)
            )
        if isinstance(value, list | tuple):
            return [self.told(item) for item in value]
        return hashed(str(value)) if self.data and isinstance(value, int | float) and not isinstance(value, bool) else value

    def _member(self, key: Any, item: Any) -> Any:
        if not self.data and _is_name(key, item):
            return item
        return _DATA_HASHED.told(item) if key in _DATA else self.told(item)


_DATA_HASHED: Final = Hashed(data=True)


def _is_name(key: Any, item: Any) -> bool:
    return key in _NAMES and isinstance(item, str) and len(item) <= _LONGEST_NAME


def _blob(part: Mapping[Any, Any]) -> str | None:
    """The base64 text of a part that is a file."""
    content = part.get("content")
    return content if part.get("type") == "blob" and isinstance(content, str) and _is_base64(content) else None


def _is_base64(content: str) -> bool:
    return is_file(content) or is_file(f"data:;base64,{content}")


def _referred(part: Mapping[Any, Any], content: str) -> dict[str, Any]:
    """A text part in place of a file."""
    mime_type = part.get("mime_type")
    return {"type": "text", "content": reference(content, mime_type if isinstance(mime_type, str) else None)}
