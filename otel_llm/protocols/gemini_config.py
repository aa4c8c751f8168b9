"""Settings of a Gemini request: the ``generationConfig`` of generateContent and of the Interactions API."""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols.facts import Scalar
from otel_llm.protocols.gemini_names import camel
from otel_llm.protocols.values import AttributeTable, count, integer, number, read_attributes, text, texts

#: Modalities other than text, by name and by protobuf number.
_OUTPUT_TYPES: Final[dict[Any, str]] = {"image": "image", "audio": "speech", 2: "image", 3: "speech"}
_TEXT: Final = ("text", 1)


def read_config(value: Any) -> dict[str, Scalar]:
    """Attributes of a generation config, in either spelling."""
    config = camel(value)
    attributes = read_attributes(config, _ATTRIBUTES)
    if kind := output_type(config):
        attributes[semconv.OUTPUT_TYPE] = kind
    return attributes


def output_type(config: dict[str, Any]) -> str | None:
    """What kind of output is asked for: an image or speech, or else JSON or text."""
    given = config.get("responseModalities")
    asked = [
        each.lower() if isinstance(each, str) else integer(each) for each in (given if isinstance(given, list) else [given])
    ]
    for modality in asked:
        if modality in _OUTPUT_TYPES:
            return _OUTPUT_TYPES[modality]
    mime_type = text(config.get("responseMimeType"))
    if mime_type == "application/json" or (mime_type is None and _has_schema(config)):
        return "json"
    return "text" if mime_type or any(modality in _TEXT for modality in asked) else None


def _has_schema(config: dict[str, Any]) -> bool:
    return any(config.get(key) for key in ("responseSchema", "responseJsonSchema"))


def _choice_count(value: Any) -> int | None:
    """How many candidates, if not one."""
    choices = count(value)
    return None if choices == 1 else choices


def _level(value: Any) -> str | None:
    level = (text(value) or "").lower()
    return None if level.endswith("unspecified") else level or None


def _thinking_level(value: Any) -> str | None:
    return _level(camel(value).get("thinkingLevel"))


_ATTRIBUTES: Final[AttributeTable] = {
    "temperature": (semconv.REQUEST_TEMPERATURE, number),
    "topP": (semconv.REQUEST_TOP_P, number),
    "topK": (semconv.REQUEST_TOP_K, integer),
    "maxOutputTokens": (semconv.REQUEST_MAX_TOKENS, count),
    "stopSequences": (semconv.REQUEST_STOP_SEQUENCES, texts),
    "seed": (semconv.REQUEST_SEED, integer),
    "candidateCount": (semconv.REQUEST_CHOICE_COUNT, _choice_count),
    "frequencyPenalty": (semconv.REQUEST_FREQUENCY_PENALTY, number),
    "presencePenalty": (semconv.REQUEST_PRESENCE_PENALTY, number),
    "thinkingConfig": (semconv.REQUEST_REASONING_LEVEL, _thinking_level),
    "thinkingLevel": (semconv.REQUEST_REASONING_LEVEL, _level),  # Interactions
}
