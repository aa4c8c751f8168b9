"""How vendors differ in the same protocol: a row each.

From recorded exchanges: where usage comes in a stream and in which shape, whose fields carry reasoning, how errors look, what
else a client has to skip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from otel_llm.protocols.facts import Usage
from otel_llm.testing.provider import usage

#: Where a stream of chat completions carries its usage.
UsageAt = Literal["last_chunk", "finish_chunk", "x_groq", "repeated_choice", "every_chunk"]
#: How an error looks that comes inside a stream of chat completions.
ErrorAs = Literal["frame", "event", "chunk"]


def _as_asked(model: str) -> str:
    return model


def _openrouter_model(model: str) -> str:
    """Without its variant, and dated: never what was asked for."""
    return f"{model.partition(':')[0]}-20260217"


def _nothing(_: str) -> dict[str, Any]:
    return {}


def _details(text: str) -> dict[str, Any]:
    return {"reasoning": text, "reasoning_details": [{"type": "reasoning.text", "text": text, "index": 0, "format": None}]}


def _thinking_part(text: str) -> dict[str, Any]:
    return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]} if text else {}


@dataclass(frozen=True, slots=True)
class Dialect:
    """A vendor's way of speaking. ``path`` is the base path that its SDK takes; the protocol's own path follows."""

    name: str
    path: str
    #: What it says to a request without a key; None: it needs none.
    no_key: str | None
    no_key_status: int = 401
    usage: Callable[[Usage], dict[str, Any]] = usage.plain
    usage_at: UsageAt = "last_chunk"
    #: Usage comes in a stream only if ``stream_options.include_usage`` asks for it.
    usage_on_request: bool = False
    reports_cost: bool = False
    #: Counts of ``Usage`` that this vendor never sends.
    uncounted: tuple[str, ...] = ()
    #: Fields of a message or delta that carry reasoning text.
    reasoning: Callable[[str], dict[str, Any]] = _nothing
    model: Callable[[str], str] = _as_asked
    id_prefix: str = "chatcmpl-"
    call_prefix: str = "call_"
    #: Names the upstream in ``provider``, repeats the finish reason in ``native_finish_reason``, has integer error codes.
    routes: bool = False
    #: A field of noise in each chunk, which hides the lengths of tokens.
    padding: str | None = None
    #: Comment lines before the first event.
    keep_alives: int = 0
    error_as: ErrorAs = "frame"
    #: A header field; None: it sends none, and no rate limits.
    request_id: str | None = "x-request-id"


DIALECTS: dict[str, Dialect] = {
    row.name: row
    for row in (
        Dialect(
            "openai",
            "/openai/v1",
            "You didn't provide an API key.",
            usage=usage.openai,
            usage_on_request=True,
            padding="obfuscation",
        ),
        Dialect("anthropic", "/anthropic", "x-api-key header is required", request_id="request-id"),
        Dialect(
            "openrouter",
            "/openrouter/api/v1",
            "No auth credentials found",
            usage=usage.openrouter,
            usage_at="repeated_choice",
            reports_cost=True,
            reasoning=_details,
            model=_openrouter_model,
            id_prefix="gen-",
            routes=True,
            keep_alives=2,
            error_as="chunk",
            request_id="x-generation-id",
        ),
        Dialect(
            "deepseek",
            "/deepseek",
            "Authentication Fails (no such user)",
            usage=usage.deepseek,
            usage_at="finish_chunk",
            reasoning=lambda text: {"reasoning_content": text},
            id_prefix="",
            call_prefix="call_00_",
        ),
        Dialect(
            "groq",
            "/groq/openai/v1",
            "Invalid API Key",
            usage=usage.groq,
            usage_at="x_groq",
            reasoning=lambda text: {"reasoning": text, "channel": "analysis"},
            call_prefix="fc_",
            error_as="event",
        ),
        Dialect(
            "xai",
            "/xai/v1",
            "No API key was provided.",
            usage=usage.xai,
            reasoning=lambda text: {"reasoning_content": text},
            id_prefix="",
        ),
        Dialect("together", "/together/v1", "Missing API key.", usage=usage.together, usage_at="finish_chunk", id_prefix=""),
        Dialect("perplexity", "/perplexity", "Unauthorized", usage_at="every_chunk", id_prefix=""),
        Dialect(
            "mistral",
            "/mistral",
            "Unauthorized",
            usage=usage.mistral,
            usage_at="finish_chunk",
            uncounted=("reasoning", "cache_write"),
            reasoning=_thinking_part,
            id_prefix="",
            call_prefix="fc",
            padding="p",
            request_id="mistral-correlation-id",
        ),
        Dialect(
            "google",
            "/google",
            "Method doesn't allow unregistered callers. Please use API Key or other form of API consumer identity.",
            no_key_status=403,
            request_id=None,
        ),
        Dialect("ollama", "/ollama", None, usage_on_request=True, request_id=None),
        Dialect("cohere", "/cohere", "no api key supplied", request_id="x-debug-trace-id"),
    )
}


def dialect_of(path: str, otherwise: str) -> Dialect:
    """The dialect whose base path a URL path starts with; else the named one."""
    return next((row for row in DIALECTS.values() if path.startswith(f"{row.path}/")), DIALECTS[otherwise])
