"""HTTP for destinations: what a server answers can neither hold up a sender for ever nor fill its memory."""

from __future__ import annotations

import email.utils
import math
import time
import zlib
from datetime import UTC, datetime
from typing import Any, Final

import httpx

#: Enough to tell what an answer means.
MOST_BYTES: Final = 1 << 16
#: A server that asks for more than an hour means milliseconds, or is better asked again.
LONGEST_WAIT_S: Final = 3_600.0
#: For an answer after a slow upload, which has taken all the time.
_LEAST_S: Final = 1.0
#: For zlib: a stream of either form, gzip or zlib, told by its first bytes.
_EITHER_FORM: Final = 32 + zlib.MAX_WBITS
_ENCODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})
#: Fields that are no longer true of a body that is decoded and perhaps cut.
_OF_THE_TRANSFER: Final = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class BoundedClient(httpx.Client):
    """Reads at most ``most_bytes`` of an answer, decoded ones, and until the request's timeout has passed since its start.

    httpx has its timeout start afresh with each piece that arrives. An answer that is longer is cut; one that takes longer is an
    ``httpx.ReadTimeout``. Streamed requests have neither bound: their callers read by themselves.
    """

    def __init__(self, *, most_bytes: int = MOST_BYTES, **options: Any) -> None:
        super().__init__(**options)
        self._most_bytes = most_bytes

    def send(self, request: httpx.Request, *, stream: bool = False, **options: Any) -> httpx.Response:
        """As ``httpx.Client.send``, within the bounds."""
        if stream:
            return super().send(request, stream=True, **options)
        started = time.monotonic()
        request.headers["accept-encoding"] = "identity"
        answer = super().send(request, stream=True, **options)
        try:
            body = self._beginning(answer, started + _timeout_s(request))
        finally:
            answer.close()
        fields = [(name, value) for name, value in answer.headers.multi_items() if name.lower() not in _OF_THE_TRANSFER]
        return httpx.Response(answer.status_code, headers=fields, content=body, request=request)

    def _beginning(self, answer: httpx.Response, deadline: float) -> bytes:
        deadline = max(deadline, time.monotonic() + _LEAST_S)
        body = bytearray()
        for piece in answer.iter_raw():
            body += piece
            if len(body) >= self._most_bytes:
                break
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout("the answer does not end", request=answer.request)
        return _decoded(bytes(body[: self._most_bytes]), answer.headers.get("content-encoding", ""), self._most_bytes)


def _timeout_s(request: httpx.Request) -> float:
    """Seconds that one read may take."""
    read_s = request.extensions.get("timeout", {}).get("read")
    return math.inf if read_s is None else float(read_s)


def _decoded(body: bytes, encoding: str, most_bytes: int) -> bytes:
    """A body that is compressed though that was not asked for; as it is where it cannot be decompressed."""
    if encoding.strip().lower() not in _ENCODINGS:
        return body
    try:
        return zlib.decompressobj(_EITHER_FORM).decompress(body, most_bytes)
    except zlib.error:
        return body


def retry_after(value: str | None) -> float | None:
    """Seconds to wait by a Retry-After field (RFC 9110 10.2.3), which holds seconds or a date; at most an hour.

    None if it is absent, negative or unreadable. A date in the past is 0.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        return _until(value)
    return min(seconds, LONGEST_WAIT_S) if math.isfinite(seconds) and seconds >= 0 else None


def _until(date: str) -> float | None:
    try:
        moment = email.utils.parsedate_to_datetime(date)
    except (ValueError, OverflowError):  # OverflowError: numbers of dozens of digits
        return None
    seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT_S)
