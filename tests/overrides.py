"""A resolver whose overrides a test writes down, and may change while agents run."""

from __future__ import annotations

from otel_llm.models.choice import OPENROUTER, SHARED_KEY_VARIABLE, ModelChoice, chosen_model
from otel_llm.models.resolver import current_agent


class Chosen:
    """Overrides by agent, as ``Chosen(strategist="openai/gpt-5")``, set by Ada."""

    def __init__(self, **models: str) -> None:
        self.models = models

    def resolve(self, default: str, *, agent: str | None = None) -> ModelChoice:
        name = agent or current_agent()
        said = chosen_model(default, "default", agent=name)
        model = self.models.get(name or "")
        if model is None:
            return said
        return ModelChoice(OPENROUTER, model, SHARED_KEY_VARIABLE, "override", said.default, agent=name, set_by="ada")
