"""Model and parameters of an observation."""

from __future__ import annotations

from typing import Any, Final

from otel_llm.testing.langfuse import javascript
from otel_llm.testing.langfuse.spans import Span

_NAMES: Final = (
    "langfuse.observation.model.name",
    "gen_ai.response.model",
    "ai.model.id",
    "gen_ai.request.model",
    "llm.response.model",
    "llm.model_name",
    "model",
)
_PARAMETERS: Final = ("langfuse.observation.model.parameters", "llm.invocation_parameters", "model_config")
_REQUEST: Final = "gen_ai.request."


def is_suppressed(span: Span) -> bool:
    """Whether model, usage and cost are dropped, whoever sent them: the agent's own calls are counted instead."""
    return span.attributes.get("gen_ai.operation.name") in ("invoke_agent", "agent_step")


def model(span: Span) -> str:
    """The model's name; empty if there is none."""
    return "" if is_suppressed(span) else span.first_text(*_NAMES)


def model_parameters(span: Span) -> dict[str, Any]:
    """The first JSON object among the attributes for it, or else all of the request attributes but the model.

    Strings and numbers stay what they are, the rest becomes JSON text.
    """
    decoded = (javascript.parsed_object(span.attributes.get(name)) for name in _PARAMETERS)
    sent = next((parameters for parameters in decoded if parameters is not None), None)
    if sent is None:
        request = ((name.removeprefix(_REQUEST), value) for name, value in span.attributes.items() if name.startswith(_REQUEST))
        sent = {name: value for name, value in request if name != "model"}
    return {name: value if _is_scalar(value) else javascript.stringify(value) for name, value in sent.items()}


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and not isinstance(value, bool)
