"""Bodies of request and response in ``input.value`` and ``output.value``: what they tell of a call beside its content.

Content is taken from the messages only: they are what the emitter's switches for hidden content apply to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otel_llm import semconv as sc
from otel_llm.attributes import call_attributes
from otel_llm.dialects.reading import decoded_object
from otel_llm.dialects.words import provider
from otel_llm.protocols import PROTOCOLS, Protocol
from otel_llm.protocols.facts import ResponseFacts

_PARAMETERS: Final = ("llm.invocation_parameters", "embedding.invocation_parameters")


def facts_of_bodies(given: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Parameters, ids, model, finish reasons and usage, as far as the bodies are those of an API that is known."""
    parameters = [decoded_object(given[name]) for name in _PARAMETERS if name in given]
    asked = {**(parameters[0] if parameters else {}), **decoded_object(given.get(sc.INPUT_VALUE))}
    answered = decoded_object(given.get(sc.OUTPUT_VALUE))
    protocol = _protocol(asked, answered, kind, provider(given.get("llm.provider") or given.get("llm.system")))
    response = protocol.response(answered) if answered else ResponseFacts()
    return call_attributes(protocol.request(asked, ""), response)


def _protocol(asked: dict[str, Any], answered: dict[str, Any], kind: str, vendor: str | None) -> Protocol:
    """By the shape of the answer, else by the vendor and what was asked."""
    if kind == "EMBEDDING":
        return PROTOCOLS["openai_embeddings"]
    if answered.get("type") == "message" or (vendor == "anthropic" and "choices" not in answered):
        return PROTOCOLS["anthropic_messages"]
    if answered.get("object") == "response" or ("input" in asked and "messages" not in asked):
        return PROTOCOLS["openai_responses"]
    return PROTOCOLS["openai_chat"]
