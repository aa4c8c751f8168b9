"""The model of a call and the parameters it was asked with."""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv as sc
from otel_llm.content import json_text
from otel_llm_langfuse import names
from otel_llm_langfuse.readers import Given, names_under, text

#: Attributes in which Langfuse's server looks for a model.
RAW_MODEL: Final = (sc.REQUEST_MODEL, sc.RESPONSE_MODEL, "ai.model.id", "llm.response.model", "llm.model_name", "model")

#: Request attributes that say how a request was made, not what the model was asked for. Without parameters of ours, Langfuse's
#: server takes all request attributes for such.
RAW_NO_PARAMETERS: Final = (sc.REQUEST_STREAM, sc.REQUEST_ENCODING_FORMATS)


def model_attributes(given: Given) -> dict[str, Any]:
    """The model's name and the curated parameters."""
    parameters = _parameters(given)
    known = {
        names.MODEL: text(given, sc.RESPONSE_MODEL, sc.REQUEST_MODEL),
        names.MODEL_PARAMETERS: json_text(parameters) if parameters else None,
    }
    return {name: value for name, value in known.items() if value is not None}


def service_tier(given: Given) -> str | None:
    """The tier that was used, else the one asked for; prices depend on it."""
    return text(
        given,
        sc.OPENAI_RESPONSE_SERVICE_TIER,
        sc.RESPONSE_SERVICE_TIER,
        sc.OPENAI_REQUEST_SERVICE_TIER,
    )


def _parameters(given: Given) -> dict[str, Any]:
    parameters = {
        name.removeprefix(sc.REQUEST_PREFIX): _plain(given[name])
        for name in names_under(given, sc.REQUEST_PREFIX)
        if name != sc.REQUEST_MODEL and name not in RAW_NO_PARAMETERS
    }
    tier = service_tier(given)
    return parameters if tier is None else {**parameters, "service_tier": tier}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
