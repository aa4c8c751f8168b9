"""What all dialects share: what one has read, and trees of values that were flattened into attribute names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic_core import from_json

from otel_llm.content import json_text
from otel_llm.protocols.values import mapping

#: Digits of an index; names are given by anybody.
_LONGEST_INDEX: Final = 9
#: Levels of a flattened tree. The deepest that an emitter makes has seven; a name of thousands of dots must not exhaust the stack.
_MOST_LEVELS: Final = 32


@dataclass(slots=True)
class Reading:
    """Attributes of the conventions, and the names of those that they were read from."""

    told: dict[str, Any] = field(default_factory=dict)
    spent: set[str] = field(default_factory=set)


def known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Those that have a value."""
    return {name: value for name, value in attributes.items() if value is not None and value != ""}


def decoded(value: Any) -> Any:
    """What a JSON text says; None for what is no JSON text. Arrays become lists, what is decoded already stays."""
    if isinstance(value, str | bytes):
        try:
            return from_json(value, allow_inf_nan=False)
        except (ValueError, TypeError):  # TypeError: half surrogate pairs
            return None
    return list(value) if isinstance(value, tuple) else value


def decoded_object(value: Any) -> dict[str, Any]:
    """The JSON object that a text is, or an empty one."""
    return mapping(decoded(value))


def listed(elements: list[Any]) -> str | None:
    """JSON text of a list; None for an empty one."""
    return json_text(elements) if elements else None


def under(names: Iterable[str], *prefixes: str) -> set[str]:
    """The names that begin with one of the prefixes."""
    return {name for name in names if name.startswith(prefixes)}


def elements_of(given: Mapping[str, Any], prefix: str) -> list[Any]:
    """The list that was flattened into ``<prefix>.<index>.<...>``, in the order of its indices."""
    tree: dict[str, Any] = {}
    start = len(prefix) + 1
    for name, value in given.items():
        if name.startswith(prefix) and name[start - 1 : start] == "." and _is_index(name[start:].partition(".")[0]):
            _plant(tree, name[start:].split(".", _MOST_LEVELS), value)
    grown = _grown(tree)
    return grown if isinstance(grown, list) else []


def _plant(tree: dict[str, Any], path: list[str], value: Any) -> None:
    """Put a value at the end of a path. A branch wins over a leaf in its place."""
    *branches, leaf = path
    for branch in branches:
        below = tree.get(branch)
        if not isinstance(below, dict):
            below = tree[branch] = {}
        tree = below
    if not isinstance(tree.get(leaf), dict):
        tree[leaf] = value


def _grown(node: Any) -> Any:
    """Branches by index as lists."""
    if not isinstance(node, dict):
        return node
    if node and all(map(_is_index, node)):
        return [_grown(node[index]) for index in sorted(node, key=int)]
    return {name: _grown(below) for name, below in node.items()}


def _is_index(segment: str) -> bool:
    return segment.isascii() and segment.isdecimal() and len(segment) <= _LONGEST_INDEX
