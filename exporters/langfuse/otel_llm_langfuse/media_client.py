"""Langfuse's media API and the storage behind it: one file, three requests (server 4.16, ``/api/public/media``)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from otel_llm_langfuse.media import Medium
from otel_llm_langfuse.media_record import Upload

_PATH: Final = "/api/public/media"
_PIECE: Final = 1 << 18
#: Google's storage refuses headers of the others.
_WITHOUT_CHECKSUM: Final = "storage.googleapis.com"


class RefusedError(Exception):
    """A request was answered with something else than success. ``at_storage``: by the storage rather than by Langfuse."""

    def __init__(self, response: httpx.Response, *, at_storage: bool = False) -> None:
        super().__init__(f"{'the storage of its media' if at_storage else 'Langfuse'} answered {response.status_code}")
        self.response = response
        self.at_storage = at_storage


class UnusableError(Exception):
    """Langfuse's answer is not one of its media API."""


@dataclass(frozen=True, slots=True)
class MediaClient:
    """Speaks to one Langfuse server. All methods raise httpx.RequestError, RefusedError or UnusableError."""

    http: httpx.Client
    base_url: str
    auth: httpx.Auth
    timeout_s: float

    def announce(self, upload: Upload) -> httpx.URL | None:
        """Link a file to its observation. Where its bytes are to go; None if Langfuse has them."""
        medium = upload.medium
        response = self._json(
            "POST",
            "",
            {
                "traceId": upload.trace_id,
                "observationId": upload.observation_id,
                "contentType": medium.content_type,
                "contentLength": len(medium.data),
                "sha256Hash": medium.sha256,
                "field": upload.field,
            },
        )
        try:
            answer = response.json()
            if answer["mediaId"] != medium.id:
                raise UnusableError("Langfuse gave a file another id than its tokens have")
            return None if answer["uploadUrl"] is None else httpx.URL(answer["uploadUrl"])
        except (ValueError, KeyError, TypeError, httpx.InvalidURL) as error:
            raise UnusableError("Langfuse's answer is not one of its media API") from error

    def store(self, medium: Medium, url: httpx.URL) -> None:
        """Upload the bytes, and report it. The storage is another party: it gets no credentials of Langfuse's."""
        started = time.monotonic()
        headers = {"content-type": medium.content_type, "content-length": str(len(medium.data))}
        if _WITHOUT_CHECKSUM not in url.host:
            headers |= {"x-amz-checksum-sha256": medium.sha256, "x-ms-blob-type": "BlockBlob"}
        response = self.http.put(
            url,
            content=_pieces(medium.data),
            headers=headers,
            auth=httpx.Auth(),
            timeout=self.timeout_s,
            follow_redirects=False,
        )
        took_ms = round((time.monotonic() - started) * 1000)
        self.report(medium, response.status_code, took_ms)
        if not response.is_success:
            raise RefusedError(response, at_storage=True)

    def report(self, medium: Medium, status: int, took_ms: int) -> None:
        """Say what came of an upload; without it Langfuse gives the file out to nobody."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {"uploadedAt": at, "uploadHttpStatus": status, "uploadTimeMs": took_ms}
        self._json("PATCH", f"/{medium.id}", told if 200 <= status < 300 else {**told, "uploadHttpError": f"status {status}"})

    def _json(self, method: str, path: str, body: dict[str, Any]) -> httpx.Response:
        response = self.http.request(
            method, self.base_url + _PATH + path, json=body, auth=self.auth, timeout=self.timeout_s, follow_redirects=False
        )
        if not response.is_success:
            raise RefusedError(response)
        return response


def _pieces(data: bytes | memoryview) -> Iterator[bytes]:
    """A large body in pieces, for a socket that takes a part of a body copies the rest."""
    view = memoryview(data)
    for start in range(0, len(view), _PIECE):
        yield bytes(view[start : start + _PIECE])
