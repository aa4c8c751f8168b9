"""Content codings of response bodies, incremental. The tee sits below the HTTP library's own decoding, so it must decode itself."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable
from typing import Any, TypeAlias

#: One piece of coded bytes in, the bytes that it completes out.
Decode: TypeAlias = Callable[[bytes], bytes]


def decoder(coding: str) -> Decode | None:
    """The decoder for a ``content-encoding``, or None for one that cannot be read here (then the body stays unknown)."""
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return _identity
    if coding in ("gzip", "x-gzip"):
        return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress
    if coding == "deflate":
        return _Deflate()
    if coding == "br":
        return _optional("brotli", "Decompressor", "process") or _optional("brotlicffi", "Decompressor", "decompress")
    if coding == "zstd":
        return _zstd()
    return None


def _identity(data: bytes) -> bytes:
    return data


class _Deflate:
    """``deflate`` is zlib by the standard and raw deflate by some servers."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj()
        self._first = True

    def __call__(self, data: bytes) -> bytes:
        try:
            return self._inner.decompress(data)
        except zlib.error:
            if not self._first:
                raise
            self._inner = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._inner.decompress(data)
        finally:
            self._first = False


def _optional(module: str, factory: str, method: str) -> Decode | None:
    """A decoder of an optional library: only if it is installed did the HTTP client ask for that coding."""
    try:
        decode: Any = getattr(getattr(importlib.import_module(module), factory)(), method)
    except (ImportError, AttributeError):
        return None
    return lambda data: bytes(decode(data))


def _zstd() -> Decode | None:
    try:
        library: Any = importlib.import_module("zstandard")
    except ImportError:
        return None
    decode = library.ZstdDecompressor().decompressobj().decompress
    return lambda data: bytes(decode(data))
