"""Figures and texts as people read them, safe to print."""

from __future__ import annotations

import unicodedata
from datetime import datetime


def duration(milliseconds: float) -> str:
    """As ``312 ms``, ``1.24 s``, ``2 min 3 s`` or ``1 h 2 min``."""
    if milliseconds < 1_000:
        return f"{milliseconds:.3g} ms" if milliseconds < 100 else f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1_000
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def cost(usd: float) -> str:
    """As ``$1.25`` or ``$0.00042``: two decimals, or three digits where that would hide the amount."""
    if usd == 0 or abs(usd) >= 1:
        return f"${usd:,.2f}"
    return f"${float(f'{usd:.3g}'):.10f}".rstrip("0")


def tokens(input_tokens: int | None, output_tokens: int | None) -> str:
    """As ``1,204 in / 56 out``; ``?`` for what is not known, nothing if neither is."""
    if input_tokens is None and output_tokens is None:
        return ""
    given, answered = (f"{count:,}" if count is not None else "?" for count in (input_tokens, output_tokens))
    return f"{given} in / {answered} out"


def moment(nanoseconds: int) -> str:
    """Local date and time to the second."""
    try:
        return datetime.fromtimestamp(nanoseconds / 1e9).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "?"


def line(text: str, longest: int = 500) -> str:
    """One printable line: no control characters, which a terminal would obey, and no more than ``longest`` characters."""
    cut = text[: 2 * longest]
    printable = "".join(" " if unicodedata.category(character).startswith("C") else character for character in cut)
    words = " ".join(printable.split())
    return words if len(words) <= longest and len(cut) == len(text) else words[: longest - 3] + "..."
