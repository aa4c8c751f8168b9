"""Objects that arrive in pieces: texts are collected and joined once at the end, however many thousand pieces there are."""

from __future__ import annotations

from typing import Any


class Pieces(list[str]):
    """A text of which more may come."""


def grow(known: dict[str, Any], piece: dict[str, Any], texts: tuple[str, ...] = ()) -> dict[str, Any]:
    """Take a piece into what is known: of ``texts`` every piece counts, of anything else the first value that is not empty."""
    for key, value in piece.items():
        before = known.get(key)
        if key in texts and isinstance(value, str):
            if isinstance(before, Pieces):
                before.append(value)
            elif not before:
                known[key] = Pieces([value])
        elif value is not None and not before:
            known[key] = value
    return known


def settle(known: dict[str, Any]) -> dict[str, Any]:
    """A copy with its texts joined; what is known may go on growing."""
    return {key: "".join(value) if isinstance(value, Pieces) else value for key, value in known.items()}
