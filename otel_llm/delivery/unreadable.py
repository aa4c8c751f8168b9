"""First forms of spans that no record can be made of, kept among the records until the sender makes dead letters of them."""

from __future__ import annotations

from typing import Final

#: No record begins so: neither OTLP, which has no field 0, nor JSON.
_MARK: Final = b"\0otel-llm: not encodable\0"
_END: Final = b"\0"


def unreadable(first_form: bytes, error: BaseException) -> bytes:
    """What stands for the record that could not be made because of ``error``."""
    return b"".join((_MARK, type(error).__name__.encode(), _END, first_form))


def why_unreadable(record: bytes) -> str | None:
    """The reason, if that is what ``record`` is; without what the exception says, which may quote the span."""
    if not record.startswith(_MARK):
        return None
    return f"a span could not be encoded ({record[len(_MARK) : record.index(_END, len(_MARK))].decode()})"
