"""The daily budget of observations of a Langfuse project."""

from __future__ import annotations

from typing import Final

from otel_llm.budget import ObservationBudget, account_of
from otel_llm_langfuse.settings import LangfuseSettings

#: By trace and never by call: a trace without some of its calls would tell a wrong cost.
ADVICE: Final = (
    "To send fewer, leave kinds of observations out with OTEL_LLM_LANGFUSE_DROP (such as chain,tool), or whole traces with "
    "LANGFUSE_SAMPLE_RATE (such as 0.5)"
)


def account(settings: LangfuseSettings) -> str:
    """The project whose observations are counted together."""
    return account_of("langfuse", settings.base_url, settings.public_key or "")


def budget_of(settings: LangfuseSettings) -> ObservationBudget | None:
    """None without a limit: then nothing is counted, and no file is written."""
    if settings.daily_observations is None:
        return None
    return ObservationBudget("langfuse", account(settings), settings.daily_observations, advice=ADVICE)
