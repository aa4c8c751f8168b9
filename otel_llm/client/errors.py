"""From what went wrong on the wire to an error by its cause."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from typing import Final

import httpx

from otel_llm import errors, failure_category
from otel_llm import semconv as sc
from otel_llm.errors import LLMError
from otel_llm.protocols.facts import ErrorFacts

_CLASSES: Final[Mapping[str, type[LLMError]]] = {
    "auth": errors.AuthenticationError,
    "permission": errors.AuthenticationError,
    "quota": errors.QuotaError,
    "not_found": errors.ModelNotFoundError,
    "rate_limit": errors.RateLimitError,
    "context_length": errors.RequestRefusedError,
    "content_filter": errors.RequestRefusedError,
    "invalid_request": errors.RequestRefusedError,
    "timeout": errors.DeadlineError,
    "network": errors.NoConnectionError,
}
_TO_DO: Final[Mapping[str, str]] = {
    "auth": "check the key in {variable}",
    "permission": "check what the key in {variable} may do",
    "quota": "add credit, or choose another model",
    "not_found": "check the model's name",
}
#: Of what the provider says, at most this many characters are passed on.
_LONGEST: Final = 500


def of_answer(
    status: int, fault: ErrorFacts | None, headers: Mapping[str, str], *, model: str, variable: str, key: str
) -> LLMError:
    """The error that a provider answered, in its status or in a body of status 200."""
    kind, said = (sc.OTHER, None) if fault is None else (fault.type, fault.message)
    category = failure_category.of_answer(status, kind, said)
    message = _without(key, said or f"HTTP {status}")[:_LONGEST]
    to_do = _TO_DO.get(category)
    return _CLASSES.get(category, errors.ProviderError)(
        f"{message} ({to_do.format(variable=variable)})" if to_do else message,
        model=model,
        category=category,
        status=status,
        retry_after_s=_retry_after(headers),
    )


def of_transport(error: httpx.HTTPError, *, model: str, key: str) -> LLMError:
    """The error that sending or reading has raised."""
    category = failure_category.of_exception(type(error).__name__)
    kind = errors.DeadlineError if category == "timeout" else errors.NoConnectionError
    said = _without(key, str(error))[:_LONGEST]
    return kind(f"{type(error).__name__}{f': {said}' if said else ''}", model=model, category=category)


def _without(key: str, text: str) -> str:
    """Some servers repeat the key that they refuse."""
    return text.replace(key, "***") if key else text


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from milliseconds (OpenAI, Azure), seconds or a date."""
    milliseconds, said = headers.get("retry-after-ms", ""), headers.get("retry-after", "")
    for text, unit in ((milliseconds, 0.001), (said, 1.0)):
        try:
            return max(0.0, float(text) * unit)
        except ValueError:
            continue
    date = email.utils.parsedate_tz(said)
    return None if date is None else max(0.0, email.utils.mktime_tz(date) - time.time())
