"""The fake Langfuse server: its HTTP side."""

from __future__ import annotations

import base64
import gzip
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from otel_llm.testing.langfuse import media_api, otlp
from otel_llm.testing.langfuse.legacy_endpoints import gone
from otel_llm.testing.langfuse.prompts import Prompt, PromptStore
from otel_llm.testing.langfuse.read import PROJECT_ID, QueryError, observations_page
from otel_llm.testing.langfuse.rows import Row
from otel_llm.testing.langfuse.scores import SCORES_PATH, ScoreStore
from otel_llm.testing.langfuse.spans import Span
from otel_llm.testing.langfuse.store import Store, WritePath
from otel_llm.testing.server import LoopbackServer, Request, Response

Behaviour = Callable[[Request], Response | None]

TRACES_PATH: Final = "/api/public/otel/v1/traces"
_METRICS_PATH: Final = "/api/public/otel/v1/metrics"
_OBSERVATIONS_PATH: Final = "/api/public/v2/observations"
_PROJECTS_PATH: Final = "/api/public/projects"
_HEALTH_PATH: Final = "/api/public/health"
_VERSION_HEADER: Final = "x-langfuse-ingestion-version"
_KEPT_HEADERS: Final = ("content-type", "content-encoding", "user-agent")
_REASONS: Final = {429: "Rate limit exceeded", 500: "Internal Server Error", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """One request to the traces endpoint, answered in whatever way."""

    status: int
    #: Content type and encoding, user agent and all ``x-langfuse-*``; names in lower case.
    headers: dict[str, str]
    #: Size of the body as it came over the wire.
    bytes: int
    #: Number of spans stored; 0 if it was refused.
    spans: int


class FakeLangfuse(LoopbackServer):
    """A Langfuse server for tests, on the loopback interface: takes OTLP, stores rows as Langfuse 4.16 does, and gives them back.

    ::

        with FakeLangfuse() as langfuse:
            ...  # an application with the settings in ``langfuse.environment``
            langfuse.wait_for(1)
            assert langfuse.generations[0]["usage_details"] == {"input": 10, "output": 5, "total": 15}

    Prices are not emulated: where the server would work a cost out from its own list, a row has ``server_would_price``; where it
    would count tokens itself, ``tokenised_by_server``.

    ``path`` is the way in which the server writes: ``direct`` as a v4 deployment does by default, or ``dual``, to the legacy
    tables behind their strict schema, whatever version the request's headers ask for. ``keep_rows=False`` counts only.
    ``version`` decides what form ``POST /scores`` takes. ``media_upload`` is the server's ``LANGFUSE_OTEL_MEDIA_UPLOAD_ENABLED``.
    ``media_bucket=False`` is a server without a bucket for media; ``media_max_bytes`` is its ``LANGFUSE_S3_MEDIA_MAX_CONTENT_LENGTH``.
    """

    def __init__(
        self,
        *,
        public_key: str = "pk-lf-fake",
        secret_key: str = "sk-lf-fake",  # noqa: S107  (made up)
        version: str = "4.16.0",
        path: WritePath = "direct",
        port: int = 0,
        keep_rows: bool = True,
        media_upload: bool = False,
        media_bucket: bool = True,
        media_max_bytes: int = media_api.MAX_BYTES,
    ) -> None:
        super().__init__(port=port)
        self.public_key = public_key
        self.secret_key = secret_key
        self.version = version
        #: Asked first for every request; what it returns is the answer, None lets the request through.
        self.behaviour: Behaviour | None = None
        self._path: WritePath = path
        self._media = media_api.MediaApi(bucket=media_bucket, max_bytes=media_max_bytes)
        self._store = Store(keep_rows=keep_rows, media_upload=media_upload)
        self._scores = ScoreStore(lambda: self.version)
        self._prompts = PromptStore()
        self._lock = threading.Lock()
        self._requests: list[ExportRequest] = []
        self._failures_to_come: list[Response] = []

    @property
    def environment(self) -> dict[str, str]:
        """Settings that point an application at this server."""
        return {
            "LANGFUSE_PUBLIC_KEY": self.public_key,
            "LANGFUSE_SECRET_KEY": self.secret_key,
            "LANGFUSE_BASE_URL": self.base_url,
            "LANGFUSE_HOST": self.base_url,
        }

    @property
    def observations(self) -> list[Row]:
        """Stored rows, in the order of their first write. Times are integer microseconds; what is empty is absent."""
        return self._store.observations()

    @property
    def generations(self) -> list[Row]:
        """The observations of type GENERATION."""
        return [row for row in self.observations if row["type"] == "GENERATION"]

    @property
    def traces(self) -> list[Row]:
        """Direct path: put together from the rows, as the server does when read. Dual path: its trace rows."""
        return self._store.traces()

    @property
    def rejected(self) -> list[dict[str, Any]]:
        """What the dual path's schema dropped after the client had got its 200: ``what`` and ``why``."""
        return self._store.rejected()

    @property
    def media(self) -> list[media_api.StoredMedia]:
        """Files that clients uploaded through the media API, each content and type once."""
        return self._media.stored()

    @property
    def scores(self) -> list[Row]:
        """Stored scores, in the order of their first write. Times are integer microseconds; what is empty is absent."""
        return self._scores.rows()

    def add_prompt(
        self,
        name: str,
        prompt: str | Sequence[Mapping[str, Any]],
        *,
        labels: Iterable[str] = ("production",),
        config: Any = None,
        tags: Iterable[str] = (),
    ) -> Prompt:
        """A new version of a prompt: a text, or a list of chat messages. Labels move here from the version that had them."""
        return self._prompts.add(name, prompt, labels=labels, config=config, tags=tags)

    @property
    def arrivals(self) -> Mapping[str, int]:
        """How often each span id was accepted, before repeated writes were merged."""
        return self._store.arrivals()

    @property
    def requests(self) -> list[ExportRequest]:
        """Requests to the traces endpoint."""
        with self._lock:
            return list(self._requests)

    def wait_for(self, count: int, timeout_s: float = 10) -> list[Row]:
        """Wait until ``count`` observations are stored, and return all. Raises TimeoutError."""
        if not self._store.wait(lambda: self._store.count() >= count, timeout_s):
            raise TimeoutError(f"{self._store.count()} of {count} observations after {timeout_s} s; rejected: {self.rejected}")
        return self.observations

    def wait_for_scores(self, count: int, timeout_s: float = 10) -> list[Row]:
        """Wait until ``count`` scores are stored, and return all. Raises TimeoutError."""
        if not self._scores.wait(count, timeout_s):
            raise TimeoutError(f"{len(self.scores)} of {count} scores after {timeout_s} s")
        return self.scores

    def clear(self) -> None:
        """Forget all that is stored, requests and failures to come."""
        self._store.clear()
        self._media.clear()
        self._scores.clear()
        self._prompts.clear()
        with self._lock:
            self._requests.clear()
            self._failures_to_come.clear()

    def fail_next(self, status: int, times: int = 1, headers: Mapping[str, str] | None = None) -> None:
        """Answer the next ``times`` requests to the traces endpoint with this status and store nothing of them."""
        response = Response.json({"message": _REASONS.get(status, "refused by the test")}, status, headers)
        with self._lock:
            self._failures_to_come += [response] * times

    def answer(self, request: Request) -> Response:
        """Route a request."""
        response = self.behaviour(request) if self.behaviour else None
        if request.path == TRACES_PATH:
            response, spans = (response, 0) if response else self._export(request)
            self._record(request, response.status, spans)
            return response
        return response or self._serve(request)

    def _serve(self, request: Request) -> Response:
        if request.path == _HEALTH_PATH:
            return Response.json({"status": "OK", "version": self.version})
        if (stored := self._media.store(request)) is not None:
            return stored
        if self._path == "direct" and (refusal := gone(request)):
            return refusal
        if (refusal := self._refusal(request)) and not self._may_score(request):
            return refusal
        served = self._media.serve(request, self.base_url) or self._scores.answer(request) or self._prompts.answer(request)
        if served is not None:
            return served
        routes: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", _OBSERVATIONS_PATH): self._observations,
            ("GET", _PROJECTS_PATH): lambda _: Response.json({"data": [_PROJECT]}),
            ("POST", _METRICS_PATH): lambda _: Response.json({}),
        }
        if route := routes.get((request.method, request.path)):
            return route(request)
        return Response.json({"message": f"{request.method} {request.path} is not emulated", "error": "NotFound"}, 404)

    def _may_score(self, request: Request) -> bool:
        """Scores may be sent with the public key alone, by a browser."""
        bearer = request.headers.get("Authorization", "").lower() == f"bearer {self.public_key}".lower()
        return bearer and (request.method, request.path) == ("POST", SCORES_PATH)

    def _refusal(self, request: Request) -> Response | None:
        """Why the caller may not; None if it may."""
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and credentials == self.public_key:
            return Response.json({"message": "Access denied - need to use basic auth with secret key"}, 403)
        expected = base64.b64encode(f"{self.public_key}:{self.secret_key}".encode()).decode()
        if scheme.lower() == "basic" and credentials == expected:
            return None
        return Response.json({"message": "Invalid credentials. Confirm that you've configured the correct host."}, 401)

    def _export(self, request: Request) -> tuple[Response, int]:
        """The answer to an export request, and how many spans it stored."""
        with self._lock:
            if self._failures_to_come:
                return self._failures_to_come.pop(0), 0
        if refusal := self._refusal(request):
            return refusal, 0
        if request.method != "POST":
            return Response.json({"message": "Method not allowed", "error": "MethodNotAllowed"}, 405), 0
        try:
            spans = _spans(request)
        except otlp.RefusedError as refused:
            return Response.json({"message": str(refused), "error": "InvalidRequestError"}, 400), 0
        self._store.write(spans, self._path)
        return Response.json({}), len(spans)

    def _record(self, request: Request, status: int, spans: int) -> None:
        kept = {
            name: value for name, value in request.headers.items() if name in _KEPT_HEADERS or name.startswith("x-langfuse-")
        }
        with self._lock:
            self._requests.append(ExportRequest(status, kept, len(request.body), spans))

    def _observations(self, request: Request) -> Response:
        try:
            return Response.json(observations_page(self.observations, request.query))
        except QueryError as failure:
            return Response.json({"message": "Invalid request data", "error": [{"message": str(failure)}]}, 400)


_PROJECT: Final = {
    "id": PROJECT_ID,
    "name": "fake",
    "organization": {"id": "fake-organization", "name": "fake"},
    "metadata": {},
}


def _spans(request: Request) -> list[Span]:
    """The spans of a request. Raises RefusedError for whatever the server answers with 400."""
    body = _unzipped(request)
    media_type = request.headers.get("Content-Type", "")
    decode = next((decode for name, decode in _DECODERS.items() if name in media_type), None)
    if decode is None:
        raise otlp.RefusedError("Invalid content type")
    _check_version(request.headers.get(_VERSION_HEADER))
    return decode(body)


_DECODERS: Final = {"application/x-protobuf": otlp.from_protobuf, "application/json": otlp.from_json}


def _unzipped(request: Request) -> bytes:
    """The body, of which only gzip (of one or several members) is decoded; other encodings are not even looked at."""
    if "gzip" not in request.headers.get("Content-Encoding", ""):
        return request.body
    try:
        return gzip.decompress(request.body)
    except (OSError, EOFError, zlib.error) as failure:
        raise otlp.RefusedError(f"Failed to decompress: {failure}") from failure


def _check_version(sent: str | None) -> None:
    try:
        supported = sent is None or float(sent) <= 4
    except ValueError:
        supported = False
    if not supported:
        raise otlp.RefusedError(f"Unsupported {_VERSION_HEADER}: {sent}")
