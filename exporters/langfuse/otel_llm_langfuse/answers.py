"""What an HTTP answer of Langfuse's OTLP endpoint means for the batch. Reasons tell neither payloads nor keys."""

from __future__ import annotations

import httpx

from otel_llm.delivery import Delivered, Outcome, Pause, Retry, Split
from otel_llm.delivery.bounded_http import retry_after

_CHECK_KEYS = "check LANGFUSE_PUBLIC_KEY, LANGFUSE_SECRET_KEY and LANGFUSE_BASE_URL"
_PAUSES = {
    401: f"the keys are not accepted; {_CHECK_KEYS}",
    403: f"the keys may not send spans, or the project is suspended; {_CHECK_KEYS}",
    404: "there is no Langfuse OTLP endpoint; check LANGFUSE_BASE_URL",
}
_SPLITS = {
    400: "a span in the batch is malformed",
    413: "the batch is too large",
    422: "a span in the batch cannot be processed",
}
_TRANSIENT = frozenset({408, 425, 429})


def outcome_of(response: httpx.Response) -> Outcome:
    """Langfuse rejects a whole request for one bad span, so that a refused batch is split."""
    status = response.status_code
    told = f"Langfuse answered {status}"
    if 200 <= status < 300:
        return Pause(f"{told} with a page, perhaps of a login; check LANGFUSE_BASE_URL") if _is_page(response) else Delivered()
    if 300 <= status < 400:
        return Pause(f"{told}: redirected to {_host(response)}, perhaps a login page; check LANGFUSE_BASE_URL")
    if status in _SPLITS:
        return Split(f"{told}: {_SPLITS[status]}")
    if status in _TRANSIENT or status >= 500:
        return Retry(told, retry_after(response.headers.get("retry-after")))
    if status == 401 and not _is_langfuses(response):
        return Pause(f"{told}, but not as Langfuse does: something before it wants a login; check LANGFUSE_BASE_URL")
    return Pause(f"{told}: {_PAUSES.get(status, 'this is not how its OTLP endpoint answers; check LANGFUSE_BASE_URL')}")


def _is_page(response: httpx.Response) -> bool:
    """Whether something before Langfuse answers to people: neither Langfuse nor any receiver of OTLP answers in HTML."""
    return response.headers.get("content-type", "").startswith("text/html") and response.content.lstrip().startswith(b"<")


def _is_langfuses(response: httpx.Response) -> bool:
    """Whether Langfuse itself refuses the keys: it says so in a message."""
    try:
        told = response.json()
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and "message" in told


def unreachable(host: str, error: httpx.RequestError) -> Outcome:
    """The outcome of a request without an answer: whether it arrived is unknown."""
    return Retry(f"{host} could not be reached or did not answer: {type(error).__name__}: {error}")


def _host(response: httpx.Response) -> str:
    try:
        return httpx.URL(response.headers.get("location", "")).host or "another path"
    except (httpx.InvalidURL, ValueError):
        return "an address that cannot be read"
