"""One HTTP request to a server that may be anything: what came back, or why nothing did."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, Final

import httpx
from opentelemetry.instrumentation.utils import suppress_instrumentation

#: Most bytes of an answer that are read; the answers that are asked for have a few hundred.
_MOST_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered."""

    status: int
    headers: httpx.Headers
    body: bytes
    #: Seconds by which the server's clock is ahead of this machine's, to within a second or two; None if it did not say.
    ahead_s: float | None = None

    def json(self) -> Any:
        """The decoded body; None if it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def redirected_to(self) -> str | None:
        """The host that a redirect leads to; None if it is no redirect."""
        if not 300 <= self.status < 400:
            return None
        try:
            return httpx.URL(self.headers.get("location", "")).host or "another path"
        except (httpx.InvalidURL, ValueError):
            return "an address that cannot be read"


class UnreachableError(Exception):
    """There was no answer; the message says why, in a few words that tell nothing of the request."""


def ask(
    method: str,
    url: str,
    *,
    timeout_s: float,
    headers: dict[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    params: dict[str, str] | None = None,
    content: bytes | None = None,
) -> Answer:
    """Send one request, follow no redirect, record no span. Raises UnreachableError."""
    sent_at = time.time()
    try:
        with (
            suppress_instrumentation(),
            httpx.Client(timeout=timeout_s, follow_redirects=False, verify=_tls()) as client,
            client.stream(method, url, headers=headers, auth=auth, params=params, content=content) as response,
        ):
            ahead_s = _ahead_s(response.headers.get("date"), (sent_at + time.time()) / 2)
            return Answer(response.status_code, response.headers, _beginning(response), ahead_s)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise UnreachableError(_why(error)) from None


@cache
def _tls() -> ssl.SSLContext:
    """Read once: the certificates take longer to load than a request."""
    return httpx.create_ssl_context()


def _beginning(response: httpx.Response) -> bytes:
    body = b""
    for piece in response.iter_bytes():
        body += piece
        if len(body) >= _MOST_BYTES:
            break
    return body


def _ahead_s(date: str | None, now_s: float) -> float | None:
    """A Date field has whole seconds, so the middle of that second is taken."""
    try:
        return parsedate_to_datetime(date).timestamp() + 0.5 - now_s if date else None
    except (ValueError, OverflowError):
        return None


def _why(error: BaseException) -> str:
    causes = list(_causes(error))
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "its host name cannot be resolved"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "the connection is refused: nothing listens there"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "TLS fails: its certificate is not trusted here, or it does not speak TLS"
    if isinstance(error, httpx.TimeoutException):
        return "it does not answer in time"
    return f"the connection fails ({type(error).__name__})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
