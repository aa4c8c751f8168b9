"""Metadata of observations and traces: keys of the user, and everything that nobody else has read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from otel_llm.testing.langfuse import javascript
from otel_llm.testing.langfuse.input_output import is_content
from otel_llm.testing.langfuse.spans import Attributes, Span

_OBSERVATION: Final = "langfuse.observation.metadata"
_TRACE: Final = "langfuse.trace.metadata"
_EITHER: Final = "langfuse.metadata"
_READ: Final = (_OBSERVATION, _TRACE, _EITHER)


def direct_metadata(span: Span, moved: Collection[str]) -> dict[str, str]:
    """The flat map of the direct path. ``moved`` names attributes that have become part of the input.

    Metadata of trace and observation share the row; a key of the user's overwrites a block of the same name.
    """
    own = {**_own(span.resource, _TRACE), **_own(span.attributes, _TRACE), **_own(span.attributes, _OBSERVATION)}
    return dict(_flat({**_blocks(span, moved), **own}))


def dual_observation_metadata(span: Span, moved: Collection[str]) -> dict[str, str]:
    """The map of a legacy observation: blocks are JSON texts."""
    return _texts({**_own(span.resource, _TRACE), **_own(span.attributes, _OBSERVATION), **_blocks(span, moved)})


def dual_trace_metadata(span: Span, *, is_root: bool) -> dict[str, str]:
    """What a span adds to the metadata of its legacy trace."""
    own = {**_own(span.resource, _TRACE), **_own(span.attributes, _TRACE)}
    if is_root:
        return _texts({**own, **_own(span.attributes, _OBSERVATION), **_blocks(span, ())})
    blocks = _blocks(span, ())
    return _texts({**own, **{name: blocks[name] for name in blocks if name != "attributes"}})


def has_trace_metadata(span: Span) -> bool:
    """Whether the span carries metadata for its trace."""
    return any(name.startswith(_TRACE) for name in span.attributes)


def _own(attributes: Attributes, prefix: str) -> dict[str, Any]:
    """Keys of the user's: one attribute with a JSON object, and one attribute a key, which wins."""
    whole = attributes.get(prefix) or attributes.get(_EITHER)
    keys = {
        name.removeprefix(f"{start}."): value
        for name, value in attributes.items()
        for start in (prefix, _EITHER)
        if name.startswith(f"{start}.")
    }
    return {**(javascript.parsed_object(whole) or {}), **keys}


def _blocks(span: Span, moved: Collection[str]) -> dict[str, dict[str, Any]]:
    blocks: dict[str, dict[str, Any]] = {}
    if not str(span.scope.get("name", "")).startswith("langfuse-sdk"):
        blocks["attributes"] = {
            name: javascript.text(value) for name, value in span.attributes.items() if name not in moved and _is_left(name)
        }
    return {**blocks, "resourceAttributes": span.resource, "scope": {**span.scope, "attributes": span.scope_attributes}}


def _is_left(name: str) -> bool:
    return not is_content(name) and not any(name == read or name.startswith(f"{read}.") for read in _READ)


def _flat(value: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, child in value.items():
        name = f"{path}{key}"
        if isinstance(child, dict):
            yield from _flat(child, f"{name}.")
        elif child is not None:
            yield name, javascript.text(child)


def _texts(value: dict[str, Any]) -> dict[str, str]:
    return {key: javascript.text(child) for key, child in value.items() if child is not None}
