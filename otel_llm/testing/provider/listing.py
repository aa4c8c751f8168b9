"""Lists of models, as vendors give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_llm.testing.provider.chat import CREATED
from otel_llm.testing.provider.dialects import Dialect


def model_list(dialect: Dialect, models: Sequence[str | Mapping[str, Any]]) -> dict[str, Any]:
    """The body of a list; what is a mapping goes out as it is, what is a name becomes an entry in the vendor's shape."""
    entry = {"anthropic": _anthropic, "openrouter": _openrouter}.get(dialect.name, _openai)
    return {"object": "list", "data": _entries(entry, dialect, models)}


def tags(dialect: Dialect, models: Sequence[str | Mapping[str, Any]]) -> dict[str, Any]:
    """The body of Ollama's own list."""
    return {"models": _entries(_ollama, dialect, models)}


def _entries(entry: Any, dialect: Dialect, models: Sequence[str | Mapping[str, Any]]) -> list[Any]:
    return [dict(model) if isinstance(model, Mapping) else entry(dialect, model) for model in models]


def _openai(dialect: Dialect, name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": dialect.name}


def _anthropic(_: Dialect, name: str) -> dict[str, Any]:
    return {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"}


def _openrouter(_: Dialect, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "canonical_slug": name,
        "name": name,
        "created": CREATED,
        "description": f"The model {name}.",
        "context_length": 200_000,
        "architecture": {
            "modality": "text+image->text",
            "input_modalities": ["text", "image"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
            "instruct_type": None,
        },
        "pricing": {"prompt": "0.000003", "completion": "0.000015", "input_cache_read": "0.0000003"},
        "top_provider": {"context_length": 200_000, "max_completion_tokens": 64_000, "is_moderated": False},
        "per_request_limits": None,
        "supported_parameters": ["max_tokens", "temperature", "tool_choice", "tools"],
    }


def _ollama(_: Dialect, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "model": name,
        "modified_at": "2026-01-01T00:00:00.000000Z",
        "size": 2_019_393_189,
        "digest": "a80c4f17acd5",
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": "llama",
            "families": ["llama"],
            "parameter_size": "3.2B",
            "quantization_level": "Q4_K_M",
        },
    }
