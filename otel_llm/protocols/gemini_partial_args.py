"""Arguments of a function call that Vertex AI streams in pieces, each a JSON path (RFC 9535) and a value."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Any, Final

from otel_llm.protocols.values import mapping, mappings

#: The names and indexes of a path such as ``$.harbour.berths[0]['depth in m']``.
_STEPS: Final = re.compile(r"""\.([^.\[\]]+)|\[([0-9]{1,9})\]|\[(?:'([^']*)'|"([^"]*)")\]""")
_VALUES: Final = ("stringValue", "numberValue", "boolValue")


class Arguments:
    """The arguments so far, kept by path; texts grow, of anything else the last value counts."""

    __slots__ = ("_begun", "_values")

    def __init__(self, begun: Any) -> None:
        self._begun = mapping(begun)
        self._values: dict[str, Any] = {}

    def feed(self, pieces: Any) -> None:
        for piece in mappings(pieces):
            path = piece.get("jsonPath")
            if not isinstance(path, str):
                continue
            value = next((piece[key] for key in _VALUES if key in piece), None)
            before = self._values.get(path)
            if isinstance(before, list) and isinstance(value, str):
                before.append(value)
            else:
                self._values[path] = [value] if isinstance(value, str) else value

    def value(self) -> dict[str, Any]:
        """The arguments as one object. A path that does not fit the others is kept as a name of its own."""
        whole = dict(self._begun)
        for path, given in self._values.items():
            value = "".join(given) if isinstance(given, list) else given
            if not _put(whole, _steps(path), value):
                whole[path] = value
        return whole


def _steps(path: str) -> list[str | int]:
    found = _STEPS.findall(path)
    return [int(index) if index else name or quoted or double for name, index, quoted, double in found]


def _put(target: Any, steps: list[str | int], value: Any) -> bool:
    """Set the value at the end of the steps, making the objects and arrays on the way; arrays grow by one at a time."""
    for here, after in zip_longest(steps, steps[1:]):
        last = after is None
        fresh = value if last else ([] if isinstance(after, int) else {})
        if isinstance(target, dict) and isinstance(here, str):
            if last or here not in target:
                target[here] = fresh
        elif isinstance(target, list) and isinstance(here, int) and here <= len(target):
            if here == len(target):
                target.append(fresh)
            elif last:
                target[here] = value
        else:
            return False
        target = target[here]
    return bool(steps)
