"""Settings of a request to Ollama, the same for each of its APIs."""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols.facts import Scalar
from otel_llm.protocols.values import AttributeTable, count, integer, mapping, number, read_attributes, text, texts


def _output_type(value: Any) -> str | None:
    """A format is ``json`` or a JSON schema; the empty string is none."""
    return "json" if value == "json" or (isinstance(value, dict) and value) else None


_OPTIONS: Final[AttributeTable] = {
    "num_predict": (semconv.REQUEST_MAX_TOKENS, count),  # negative: no limit
    "temperature": (semconv.REQUEST_TEMPERATURE, number),
    "top_p": (semconv.REQUEST_TOP_P, number),
    "top_k": (semconv.REQUEST_TOP_K, integer),
    "frequency_penalty": (semconv.REQUEST_FREQUENCY_PENALTY, number),
    "presence_penalty": (semconv.REQUEST_PRESENCE_PENALTY, number),
    "seed": (semconv.REQUEST_SEED, integer),
    "stop": (semconv.REQUEST_STOP_SEQUENCES, texts),
}
_BESIDE_OPTIONS: Final[AttributeTable] = {
    "format": (semconv.OUTPUT_TYPE, _output_type),
    "think": (semconv.REQUEST_REASONING_LEVEL, text),  # true and false name no level
}


def read_settings(body: dict[str, Any]) -> dict[str, Scalar]:
    return read_attributes(mapping(body.get("options")), _OPTIONS) | read_attributes(body, _BESIDE_OPTIONS)


def streams(body: dict[str, Any]) -> bool:
    """Ollama streams unless it is told not to. A body without a model is refused."""
    return text(body.get("model")) is not None and body.get("stream") is not False
