"""Names that the conventions had before, and those that emitters have beside them for the same thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import semconv as sc
from otel_llm.dialects.numbers import real, whole
from otel_llm.dialects.reading import Reading
from otel_llm.dialects.words import provider
from otel_llm.protocols.values import text

Read = Callable[[Any], Any]


def _as_is(value: Any) -> Any:
    return value


def _yes(value: Any) -> bool | None:
    """True or nothing: the conventions have no attribute for a call that is not streamed."""
    return True if value is True or value == "true" else None


def _texts(value: Any) -> tuple[str, ...] | None:
    given = value if isinstance(value, list | tuple) else (value,)
    return tuple(each for each in given if isinstance(each, str) and each) or None


def _ordinary_tier(value: Any) -> str | None:
    return None if value == "auto" else text(value)


#: Name of the conventions -> how to read it, and the names in which others tell it, the better ones first.
_NAMES: Final[Mapping[str, tuple[Read, tuple[str, ...]]]] = {
    sc.PROVIDER_NAME: (provider, (sc.SYSTEM_OLD, "llm.provider", "llm.vendor", "llm.system")),
    sc.REQUEST_MODEL: (text, ("llm.request.model_name", "llm.request.model", "embedding.model_name", "reranker.model_name")),
    sc.RESPONSE_MODEL: (text, ("llm.response.model_name", "llm.response.model", "llm.model_name")),
    sc.RESPONSE_ID: (text, ("llm.response.id",)),
    sc.RESPONSE_FINISH_REASONS: (
        _texts,
        (
            "llm.finish_reason",
            "gen_ai.response.finish_reason",
            "gen_ai.response.stop_reason",
            "anthropic.message.stop_reason",
            "llm.response.finish_reason",
            "llm.response.stop_reason",
        ),
    ),
    sc.REQUEST_STREAM: (_yes, ("gen_ai.is_streaming", "llm.is_streaming")),
    sc.REQUEST_MAX_TOKENS: (whole, ("gen_ai.request.max_completion_tokens", "gen_ai.request.max_output_tokens")),
    sc.REQUEST_TEMPERATURE: (real, ("llm.temperature",)),
    sc.REQUEST_TOP_P: (real, ("llm.top_p",)),
    sc.REQUEST_TOP_K: (real, ("llm.top_k",)),
    sc.REQUEST_FREQUENCY_PENALTY: (real, ("llm.frequency_penalty",)),
    sc.REQUEST_PRESENCE_PENALTY: (real, ("llm.presence_penalty",)),
    sc.REQUEST_STOP_SEQUENCES: (_texts, ("llm.chat.stop_sequences",)),
    sc.REQUEST_SEED: (whole, ("gen_ai.openai.request.seed",)),
    sc.REQUEST_CHOICE_COUNT: (whole, ("gen_ai.request.n",)),
    sc.REQUEST_REASONING_LEVEL: (text, ("gen_ai.request.reasoning_effort", "llm.request.reasoning_effort")),
    sc.OPENAI_REQUEST_SERVICE_TIER: (_ordinary_tier, ("gen_ai.openai.request.service_tier", "gen_ai.request.service_tier")),
    sc.OPENAI_RESPONSE_SERVICE_TIER: (text, ("gen_ai.openai.response.service_tier",)),
    sc.RESPONSE_SERVICE_TIER: (text, ("anthropic.response.service_tier",)),
    sc.OPENAI_SYSTEM_FINGERPRINT: (
        text,
        ("gen_ai.openai.response.system_fingerprint", "gen_ai.openai.system_fingerprint"),
    ),
    sc.OUTPUT_TYPE: (text, ("gen_ai.openai.request.response_format", "gen_ai.openai.request.output_type")),
    sc.USAGE_INPUT_TOKENS: (
        whole,
        ("gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens", "llm.token_count.prompt"),
    ),
    sc.USAGE_OUTPUT_TOKENS: (
        whole,
        ("gen_ai.usage.completion_tokens", "llm.usage.completion_tokens", "llm.token_count.completion"),
    ),
    sc.USAGE_CACHE_READ: (
        whole,
        (
            "gen_ai.usage.cache_read_input_tokens",
            "gen_ai.usage.cache_read_tokens",
            "gen_ai.usage.details.cache_read_tokens",
            "gen_ai.usage.input_cached_tokens",
            "gen_ai.usage.cached_tokens",
            "llm.token_count.prompt_details.cache_read",
            "llm.token_count.prompt_details.cache_input",
        ),
    ),
    sc.USAGE_CACHE_WRITE: (
        whole,
        (
            sc.USAGE_CACHE_WRITE_OLD,
            "gen_ai.usage.cache_creation_input_tokens",
            "gen_ai.usage.cache_write_input_tokens",
            "gen_ai.usage.cache_write_tokens",
            "gen_ai.usage.details.cache_write_tokens",
            "llm.token_count.prompt_details.cache_write",
        ),
    ),
    sc.CACHE_WRITE_5M: (whole, ("anthropic.usage.cache_creation.ephemeral_5m_input_tokens",)),
    sc.CACHE_WRITE_1H: (whole, ("anthropic.usage.cache_creation.ephemeral_1h_input_tokens",)),
    sc.USAGE_REASONING: (
        whole,
        (
            "gen_ai.usage.reasoning_tokens",
            "gen_ai.usage.reasoning_output_tokens",
            "gen_ai.usage.details.reasoning_tokens",
            "llm.usage.reasoning_tokens",
            "llm.token_count.completion_details.reasoning",
        ),
    ),
    "gen_ai.usage.audio.input_tokens": (whole, ("gen_ai.usage.input_audio_tokens", "llm.token_count.prompt_details.audio")),
    "gen_ai.usage.audio.output_tokens": (
        whole,
        ("gen_ai.usage.output_audio_tokens", "llm.token_count.completion_details.audio"),
    ),
    sc.USAGE_COST: (real, ("llm.cost.total", "gen_ai.usage.total_cost")),
    sc.AGENT_NAME: (text, ("agent.name",)),
    sc.TOOL_CALL_ARGUMENTS: (_as_is, ("tool_arguments", "gen_ai.tool.input")),
    sc.TOOL_CALL_RESULT: (_as_is, ("tool_response", "gen_ai.tool.output", "gen_ai.tool.message")),
    sc.USER_ID: (text, ("enduser.id",)),
}
#: Most spans have none of these.
_OLD: Final = frozenset(old for _, olds in _NAMES.values() for old in olds)


def read(given: Mapping[str, Any], span: ReadableSpan) -> Reading | None:
    """The first usable value under any of the older names; all of them are spent."""
    if _OLD.isdisjoint(given):
        return None
    reading = Reading()
    for name, (as_told, olds) in _NAMES.items():
        for old in olds:
            if old in given:
                value = as_told(given[old])
                if value is not None:
                    reading.told.setdefault(name, value)
                    reading.spent.add(old)
    _model(given, reading)
    return reading


def _model(given: Mapping[str, Any], reading: Reading) -> None:
    """A single name for the model is that of the answer; a call that failed has none, so there it is that of the request."""
    if sc.REQUEST_MODEL not in given and sc.REQUEST_MODEL not in reading.told and (only := reading.told.get(sc.RESPONSE_MODEL)):
        reading.told[sc.REQUEST_MODEL] = only
