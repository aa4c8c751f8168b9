"""What rows are charged with: the bounds are those of the file, so it is what they take there."""

from __future__ import annotations

from typing import Final

from otel_llm.delivery.spool.file import PAGE_BYTES

#: A page is shared by two bodies of at most so many bytes, beside what else is in a row.
_SHARED: Final = PAGE_BYTES // 2 - 512


def charged(size: int) -> int:
    """Bytes that a body of ``size`` bytes takes: what is left of whole pages takes one more, if that has no room for another body."""
    pages, rest = divmod(size, PAGE_BYTES)
    return size if rest <= _SHARED else (pages + 1) * PAGE_BYTES
