"""Embeddings, in the words of four vendors. Vectors follow from the position of their text alone."""

from __future__ import annotations

import base64
import struct
from typing import Any

from otel_llm.testing.provider import ollama
from otel_llm.testing.provider.completion import Completion

_DIMENSIONS = 8
#: What the APIs call the wanted length of a vector.
_LENGTHS = ("dimensions", "output_dimension", "outputDimensionality", "output_dimensionality")
#: What they call the texts.
_INPUTS = ("input", "texts", "inputs", "images", "requests")


def openai(completion: Completion) -> dict[str, Any]:
    """OpenAI's, numbers or base64 as the request asks. Mistral's has an id."""
    head = {"id": f"{completion.number:06d}"} if completion.dialect.name == "mistral" else {}
    coded = completion.exchange.get("encoding_format") == "base64"
    data = [
        {"object": "embedding", "index": index, "embedding": _coded(vector) if coded else vector}
        for index, vector in enumerate(_vectors(completion))
    ]
    tokens = completion.usage.input_tokens
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return head | {"object": "list", "data": data, "model": completion.model, "usage": usage}


def gemini(completion: Completion) -> dict[str, Any]:
    """Google's, one or a batch as the path says."""
    values = [{"values": vector} for vector in _vectors(completion)]
    batch = completion.exchange.path.endswith(":batchEmbedContents")
    usage = {"usageMetadata": {"promptTokenCount": completion.usage.input_tokens}}
    return ({"embeddings": values} if batch else {"embedding": values[0]}) | usage


def ollama_embed(completion: Completion) -> dict[str, Any]:
    """Ollama's."""
    return {"model": completion.model, "embeddings": _vectors(completion)} | ollama.counts(completion.usage.input_tokens)


def cohere(completion: Completion) -> dict[str, Any]:
    """Cohere's, in each of the number formats that the request asks for; all but base64 are sent as floats."""
    kinds = completion.exchange.get("embedding_types") or ["float"]
    vectors = _vectors(completion)
    return {
        "id": f"00000000-0000-4000-8000-{completion.number:012d}",
        "embeddings": {kind: [_coded(v) for v in vectors] if kind == "base64" else vectors for kind in kinds},
        "texts": completion.exchange.get("texts") or [],
        "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": completion.usage.input_tokens}},
        "response_type": "embeddings_by_type",
    }


def _vectors(completion: Completion) -> list[list[float]]:
    """A vector for each text, of numbers that 32 bits hold exactly."""
    asked = completion.exchange.get
    length = next((value for key in _LENGTHS if isinstance(value := asked(key), int)), _DIMENSIONS)
    texts = _count(next((value for key in _INPUTS if (value := asked(key))), None))
    return [[((index * 7 + k * 3) % 11 - 5) / 8 for k in range(length)] for index in range(texts)]


def _count(given: Any) -> int:
    """How many texts there are; a list of tokens is one."""
    return len(given) if isinstance(given, list) and not isinstance(given[0], int) else 1


def _coded(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
