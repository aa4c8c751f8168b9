"""Attribute values in the protobuf encoding of OTLP (opentelemetry/proto/common/v1/common.proto).

A field is a tag, ``number << 3 | wire type``, then its value; texts, bytes and messages are preceded by their length in bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

_DOUBLE: Final = struct.Struct("<d").pack
_ONE_BYTE: Final = tuple(bytes((value,)) for value in range(0x80))
_INT64_END: Final = 2**63
_UINT64: Final = 2**64 - 1
#: Characters of a text that is worth remembering encoded.
_SHORT: Final = 64


def varint(value: int) -> bytes:
    """A number from 0 to 2**64 - 1, seven bits a byte, the lowest first."""
    if value < 0x80:
        return _ONE_BYTE[value]
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def message(tag: bytes, body: bytes) -> bytes:
    """A field with a length: a text, bytes or a message."""
    return tag + varint(len(body)) + body


def attributes(tag: bytes, given: Mapping[str, Any] | None, *, strict: bool = False) -> list[bytes]:
    """One ``KeyValue`` field for each attribute, in pieces to be joined, so that a long text is copied only once.

    An attribute that OTLP cannot carry (an integer of more than 64 bits, text that UTF-8 cannot tell) is left out, or, with
    ``strict``, raises an AttributeError, TypeError, ValueError or RecursionError.
    """
    pieces: list[bytes] = []
    for name, value in (given or {}).items():
        try:
            if type(value) is str and len(value) <= _SHORT:
                pieces.append(tag + _short_text(name, value))
            else:
                head, content = _any_value(value)
                pieces += (tag, _key_value_head(name, len(head) + len(content)), head, content)
        except (AttributeError, TypeError, ValueError, RecursionError):
            if strict:
                raise
    return pieces


@lru_cache(maxsize=4096)
def _short_text(name: str, value: str) -> bytes:
    """A ``KeyValue`` with its length. Most are the same on span after span: models, providers, agents, users, environments."""
    head, content = _any_value(value)
    return _key_value_head(name, len(head) + len(content)) + head + content


def _key_value_head(name: str, value_size: int) -> bytes:
    """Length of a ``KeyValue``, its key, and the length of its value."""
    key_and_size = _key(name) + b"\x12" + varint(value_size)
    return varint(len(key_and_size) + value_size) + key_and_size


@lru_cache(maxsize=1024)
def _key(name: str) -> bytes:
    return message(b"\x0a", name.encode()) if name else b""


def _any_value(value: Any) -> tuple[bytes, bytes]:
    """An ``AnyValue`` in two pieces, the second of which may be long."""
    if isinstance(value, str):
        text = value.encode()
        return b"\x0a" + varint(len(text)), text
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00", b""
    if isinstance(value, int):
        return _integer(value), b""
    if isinstance(value, float):
        return b"\x21" + _DOUBLE(value), b""
    return _other_value(value)


def _integer(value: int) -> bytes:
    if not -_INT64_END <= value < _INT64_END:
        raise ValueError("the integer has more than 64 bits")
    return b"\x18" + varint(value & _UINT64)


def _other_value(value: Any) -> tuple[bytes, bytes]:
    if value is None:
        return b"", b""
    if isinstance(value, bytes):
        return b"\x3a" + varint(len(value)), value
    if isinstance(value, Sequence):
        body = b"".join(message(b"\x0a", b"".join(_any_value(item))) for item in value)
        return b"\x2a" + varint(len(body)), body
    if isinstance(value, Mapping):
        body = b"".join(_entry(str(key), item) for key, item in value.items())
        return b"\x32" + varint(len(body)), body
    raise TypeError(f"OTLP has no value for {type(value).__name__}")


def _entry(name: str, value: Any) -> bytes:
    """A ``KeyValue`` within a ``KeyValueList``."""
    head, content = _any_value(value)
    return b"".join((b"\x0a", _key_value_head(name, len(head) + len(content)), head, content))
