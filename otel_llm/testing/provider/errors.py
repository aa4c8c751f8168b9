"""Error bodies in each vendor's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from otel_llm.testing.provider.dialects import Dialect
from otel_llm.testing.provider.exchange import ANTHROPIC_MESSAGES, Exchange


class _Fault(NamedTuple):
    openai_type: str
    openai_code: str | None
    anthropic_type: str
    message: str


_FAULTS = {
    400: _Fault("invalid_request_error", None, "invalid_request_error", "The request is invalid."),
    401: _Fault("invalid_request_error", "invalid_api_key", "authentication_error", "Incorrect API key provided."),
    403: _Fault("permission_error", "unsupported_country", "permission_error", "Your key has no access to this."),
    404: _Fault("invalid_request_error", "model_not_found", "not_found_error", "There is no such model."),
    413: _Fault("invalid_request_error", "request_too_large", "request_too_large", "The request is too large."),
    429: _Fault("requests", "rate_limit_exceeded", "rate_limit_error", "Rate limit reached. Please try again in 1s."),
    500: _Fault("server_error", None, "api_error", "The server had an error while processing your request."),
    503: _Fault("server_error", "service_unavailable", "api_error", "The service is unavailable."),
    529: _Fault("server_error", "overloaded", "overloaded_error", "Overloaded"),
}


def error_body(dialect: Dialect, exchange: Exchange, status: int, error: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """The body of an error; ``error`` is its message, or the whole ``error`` object, or None for the vendor's usual one."""
    fault = _FAULTS.get(status, _FAULTS[500 if status >= 500 else 400])
    message = error if isinstance(error, str) else fault.message
    if exchange.protocol == ANTHROPIC_MESSAGES or dialect.name == "anthropic":
        body = {
            "type": "error",
            "error": {"type": fault.anthropic_type, "message": message},
            "request_id": f"req_{exchange.number:06d}",
        }
    elif dialect.routes:
        body = {"error": {"code": status, "message": message}, "user_id": "user_000001"}
    else:
        body = {"error": {"message": message, "type": fault.openai_type, "param": None, "code": fault.openai_code}}
    return body | {"error": dict(error)} if isinstance(error, Mapping) else body


def in_stream(dialect: Dialect, exchange: Exchange, error: str | Mapping[str, Any]) -> dict[str, Any]:
    """The body of an error that comes after HTTP has said 200."""
    return error_body(dialect, exchange, 529 if exchange.protocol == ANTHROPIC_MESSAGES else 500, error)
