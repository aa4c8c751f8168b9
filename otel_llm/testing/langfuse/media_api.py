"""The media API: upload addresses, a bucket behind them, and what was reported of each upload."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from otel_llm.testing.server import Request, Response

PATH: Final = "/api/public/media"
BUCKET_PATH: Final = "/fake-bucket"
#: ``LANGFUSE_S3_MEDIA_MAX_CONTENT_LENGTH`` of a server that sets none.
MAX_BYTES: Final = 1_000_000_000

_SHA256: Final = re.compile(r"[A-Za-z0-9+/]{43}=")
_FIELDS: Final = ("input", "output", "metadata")
#: The types that the server takes, by their first halves.
_TYPES: Final = {
    "image": "png jpeg jpg webp gif svg+xml tiff bmp avif heic",
    "audio": "mpeg mp3 wav ogg oga aac mp4 flac opus webm",
    "video": "mp4 webm ogg mpeg quicktime x-msvideo x-matroska",
    "text": "plain html css csv markdown x-python x-typescript",
    "application": "javascript x-yaml pdf msword vnd.ms-excel vnd.openxmlformats-officedocument.spreadsheetml.sheet zip json xml "
    "octet-stream vnd.openxmlformats-officedocument.wordprocessingml.document "
    "vnd.openxmlformats-officedocument.presentationml.presentation rtf x-ndjson vnd.apache.parquet gzip x-tar x-7z-compressed",
}
CONTENT_TYPES: Final = frozenset(f"{kind}/{name}" for kind, names in _TYPES.items() for name in names.split())


@dataclasses.dataclass(frozen=True, slots=True)
class MediaLink:
    """Where a file belongs: ``field`` is input, output or metadata."""

    trace_id: str
    observation_id: str | None
    field: str


@dataclasses.dataclass(slots=True)
class StoredMedia:
    """A file of the project: one for each content and type."""

    id: str
    content_type: str
    #: As announced, before anything was uploaded.
    size: int
    sha256: str
    data: bytes = b""
    #: Status that the client reported of its upload; the file is given out with 200 and 201 only.
    status: int | None = None
    uploaded_at: str = ""
    #: Number of times that the bytes were uploaded.
    uploads: int = 0
    #: Each observation that refers to it, in the order of their announcements.
    links: list[MediaLink] = dataclasses.field(default_factory=list)

    @property
    def trace_id(self) -> str | None:
        """The first trace that it was announced for."""
        return self.links[0].trace_id if self.links else None

    @property
    def observation_id(self) -> str | None:
        """The first observation that it was announced for."""
        return self.links[0].observation_id if self.links else None

    @property
    def field(self) -> str | None:
        """Where the first observation has it."""
        return self.links[0].field if self.links else None

    @property
    def is_there(self) -> bool:
        """Whether the server gives it out."""
        return self.status in (200, 201)


class MediaApi:
    """The files of one project. ``bucket`` False is a server without storage for media, which answers 500."""

    def __init__(self, *, bucket: bool, max_bytes: int) -> None:
        self._bucket = bucket
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._files: dict[tuple[str, str], StoredMedia] = {}

    def clear(self) -> None:
        """Forget all files."""
        with self._lock:
            self._files.clear()

    def stored(self) -> list[StoredMedia]:
        """Files that are given out."""
        with self._lock:
            return [file for file in self._files.values() if file.is_there]

    def serve(self, request: Request, base_url: str) -> Response | None:
        """The answer of the API, to a caller who may; None for other paths."""
        path, _, media_id = request.path.removeprefix(PATH).partition("/")
        if not request.path.startswith(PATH) or path:
            return None
        routes: dict[tuple[str, bool], Callable[[], Response]] = {
            ("POST", False): lambda: self._announce(request, base_url),
            ("PATCH", True): lambda: self._report(request, media_id),
            ("GET", True): lambda: self._look_up(media_id, base_url),
        }
        route = routes.get((request.method, bool(media_id)))
        with self._lock:
            return route() if route else _error(405, "Method not allowed", "MethodNotAllowed")

    def store(self, request: Request) -> Response | None:
        """The bucket's answer to whoever has an address in it; None for other paths."""
        if not request.path.startswith(f"{BUCKET_PATH}/"):
            return None
        with self._lock:
            media_id, content_type = request.path.removeprefix(f"{BUCKET_PATH}/"), dict(request.query).get("type", "")
            file = self._files.get((media_id, content_type))
            if file is None or "X-Signature=" not in request.target:
                return Response(403, {"Content-Type": "application/xml"}, b"<Error><Code>AccessDenied</Code></Error>")
            if request.method == "GET":
                return Response(200, {"Content-Type": file.content_type}, file.data)
            if why := _refused_upload(request, file):
                return Response(400, {"Content-Type": "application/xml"}, f"<Error><Code>{why}</Code></Error>".encode())
            file.data, file.uploads = request.body, file.uploads + 1
            return Response(200)

    def _announce(self, request: Request, base_url: str) -> Response:
        body = _document(request)
        if faults := self._faults(body):
            return _error(400, "Invalid request data", [{"message": fault} for fault in faults])
        if not self._bucket:
            return _error(500, "Internal Server Error", "An unknown error occurred")
        media_id = body["sha256Hash"][:22].replace("+", "-").replace("/", "_")
        key = media_id, body["contentType"]
        file = self._files.setdefault(key, StoredMedia(*key, body["contentLength"], body["sha256Hash"]))
        if "traceId" in body:
            link = MediaLink(body["traceId"], body.get("observationId"), body["field"])
            if link not in file.links:
                file.links.append(link)
        address = None if file.status == 200 else _address(base_url, file)
        return Response.json({"mediaId": media_id, "uploadUrl": address}, 201)

    def _faults(self, body: dict[str, Any]) -> list[str]:
        size, sha256 = body.get("contentLength"), body.get("sha256Hash")
        checks = {
            "contentType: Invalid enum value": body.get("contentType") in CONTENT_TYPES,
            "contentLength: Expected a positive integer": isinstance(size, int) and size > 0,
            f"File size must be less than {self._max_bytes} bytes": not isinstance(size, int) or size <= self._max_bytes,
            "sha256Hash: Must be a 44 character base64 encoded SHA-256 hash": isinstance(sha256, str)
            and _SHA256.fullmatch(sha256) is not None,
            "traceId: Required": isinstance(body.get("traceId"), str)
            or (isinstance(body.get("datasetId"), str) and isinstance(body.get("datasetItemId"), str)),
            "field: Invalid enum value": body.get("field") in (_FIELDS if "traceId" in body else (*_FIELDS, "expectedOutput")),
            "observationId: Expected string": isinstance(body.get("observationId") or "", str),
        }
        return [fault for fault, is_fine in checks.items() if not is_fine]

    def _report(self, request: Request, media_id: str) -> Response:
        body = _document(request)
        if not isinstance(body.get("uploadHttpStatus"), int) or not _is_time(body.get("uploadedAt")):
            return _error(400, "Invalid request data", [{"message": "uploadedAt and uploadHttpStatus: Required"}])
        files = [file for (known, _), file in self._files.items() if known == media_id]
        if not files:
            return _error(404, f"Media asset {media_id} not found", "LangfuseNotFoundError")
        for file in files:
            if file.status != 200 and (file.data or not 200 <= body["uploadHttpStatus"] < 300):
                file.status, file.uploaded_at = body["uploadHttpStatus"], body["uploadedAt"]
        return Response.json({})

    def _look_up(self, media_id: str, base_url: str) -> Response:
        known = [file for (name, _), file in self._files.items() if name == media_id]
        file = next((file for file in known if file.is_there), None)
        if file is None:
            return _error(404, "Media not yet uploaded" if known else "Media asset not found", "LangfuseNotFoundError")
        return Response.json(
            {
                "mediaId": file.id,
                "contentType": file.content_type,
                "contentLength": file.size,
                "uploadedAt": file.uploaded_at,
                "url": _address(base_url, file),
                "urlExpiry": (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
            }
        )


def _address(base_url: str, file: StoredMedia) -> str:
    return f"{base_url}{BUCKET_PATH}/{file.id}?type={quote(file.content_type, safe='')}&X-Signature=1"


def _refused_upload(request: Request, file: StoredMedia) -> str | None:
    """Why storage would not take an upload: an address that is signed for one file, and bears its own credentials."""
    if request.method != "PUT":
        return "MethodNotAllowed"
    if "Authorization" in request.headers:
        return "InvalidArgument: only one auth mechanism allowed"
    if request.headers.get("Content-Type") != file.content_type or "Content-Encoding" in request.headers:
        return "SignatureDoesNotMatch"
    if "Transfer-Encoding" in request.headers:
        return "MissingContentLength"
    actual = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
    if not request.headers.get("x-amz-checksum-sha256") == actual == file.sha256:
        return "BadDigest"
    return None if len(request.body) == file.size else "IncompleteBody"


def _document(request: Request) -> dict[str, Any]:
    try:
        decoded = request.json()
    except ValueError:
        return {}
    return decoded if isinstance(decoded, dict) else {}


def _is_time(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _error(status: int, message: str, error: Any) -> Response:
    return Response.json({"message": message, "error": error}, status)
