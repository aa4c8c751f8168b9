"""Error bodies in each vendor's shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from otel_llm.testing.provider.apis import ANTHROPIC_MESSAGES, vendor_of
from otel_llm.testing.provider.dialects import Dialect
from otel_llm.testing.provider.exchange import Exchange

_Error = str | Mapping[str, Any] | None


class _Fault(NamedTuple):
    openai_type: str
    openai_code: str | None
    anthropic_type: str
    google_status: str
    message: str


_FAULTS = {
    400: _Fault("invalid_request_error", None, "invalid_request_error", "INVALID_ARGUMENT", "The request is invalid."),
    401: _Fault(
        "invalid_request_error", "invalid_api_key", "authentication_error", "UNAUTHENTICATED", "Incorrect API key provided."
    ),
    403: _Fault(
        "permission_error", "unsupported_country", "permission_error", "PERMISSION_DENIED", "Your key has no access to this."
    ),
    404: _Fault("invalid_request_error", "model_not_found", "not_found_error", "NOT_FOUND", "There is no such model."),
    413: _Fault(
        "invalid_request_error", "request_too_large", "request_too_large", "INVALID_ARGUMENT", "The request is too large."
    ),
    429: _Fault(
        "requests",
        "rate_limit_exceeded",
        "rate_limit_error",
        "RESOURCE_EXHAUSTED",
        "Rate limit reached. Please try again in 1s.",
    ),
    500: _Fault("server_error", None, "api_error", "INTERNAL", "The server had an error while processing your request."),
    503: _Fault("server_error", "service_unavailable", "api_error", "UNAVAILABLE", "The service is unavailable."),
    529: _Fault("server_error", "overloaded", "overloaded_error", "UNAVAILABLE", "Overloaded"),
}


class _Said(NamedTuple):
    """What an error body is made from."""

    status: int
    number: int
    fault: _Fault
    message: str


def _openai(said: _Said) -> dict[str, Any]:
    fault = said.fault
    return {"error": {"message": said.message, "type": fault.openai_type, "param": None, "code": fault.openai_code}}


def _openrouter(said: _Said) -> dict[str, Any]:
    return {"error": {"code": said.status, "message": said.message}, "user_id": "user_000001"}


def _anthropic(said: _Said) -> dict[str, Any]:
    error = {"type": said.fault.anthropic_type, "message": said.message}
    return {"type": "error", "error": error, "request_id": f"req_{said.number:06d}"}


def _google(said: _Said) -> dict[str, Any]:
    return {"error": {"code": said.status, "message": said.message, "status": said.fault.google_status}}


def _mistral(said: _Said) -> dict[str, Any]:
    fault = said.fault
    return {
        "object": "error",
        "message": said.message,
        "type": fault.openai_code or fault.openai_type,
        "param": None,
        "code": str(said.status),
    }


def _ollama(said: _Said) -> dict[str, Any]:
    return {"error": said.message}


def _cohere(said: _Said) -> dict[str, Any]:
    return {"id": f"00000000-0000-4000-8000-{said.number:012d}", "message": said.message}


_SHAPES: dict[str, Callable[[_Said], dict[str, Any]]] = {
    "openrouter": _openrouter,
    "anthropic": _anthropic,
    "google": _google,
    "mistral": _mistral,
    "ollama": _ollama,
    "cohere": _cohere,
}


def error_body(dialect: Dialect, exchange: Exchange, status: int, error: _Error) -> dict[str, Any]:
    """The body of an error; ``error`` is its message, or the whole ``error`` object, or None for the vendor's usual one.

    Where a vendor's body has no such object, the fields given take the place of its own.
    """
    fault = _FAULTS.get(status, _FAULTS[500 if status >= 500 else 400])
    message = error if isinstance(error, str) else fault.message
    shape = _SHAPES.get(vendor_of(exchange.protocol) or dialect.name, _openai)
    body = shape(_Said(status, exchange.number, fault, message))
    if not isinstance(error, Mapping):
        return body
    return body | ({"error": dict(error)} if isinstance(body.get("error"), dict) else dict(error))


def in_stream(dialect: Dialect, exchange: Exchange, error: str | Mapping[str, Any]) -> dict[str, Any]:
    """The body of an error that comes after HTTP has said 200."""
    return error_body(dialect, exchange, 529 if exchange.protocol == ANTHROPIC_MESSAGES else 500, error)
