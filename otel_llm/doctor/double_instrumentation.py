"""Who else here records LLM calls, and what otel-llm does beside each (the policy of ``otel_llm.others``)."""

from __future__ import annotations

import re
from typing import Final

from otel_llm.doctor.finding import Finding, Level
from otel_llm.doctor.installed import Installed
from otel_llm.others import OTHERS, Other

#: Distributions, and the scope under which their spans come. The first row that fits counts.
_RECORDERS: Final = (
    (re.compile(r"openinference-instrumentation-.+"), "openinference.instrumentation", "OpenInference"),
    (re.compile(r"opentelemetry-instrumentation-(genai-.+|google-genai|openai-v2|openai-agents-v2)"), "", "official"),
    (
        re.compile(
            r"opentelemetry-instrumentation-(openai|anthropic|cohere|mistralai|ollama|groq|together|google-generativeai|vertexai"
            r"|langchain|llamaindex|crewai|bedrock|openai-agents)"
        ),
        "opentelemetry.instrumentation.",
        "OpenLLMetry",
    ),
    (re.compile(r"logfire"), "logfire.", "if its instrument_* functions are used"),
)
#: Instrumentors of HTTP libraries have the same name for all and record no call of a model.
_DISABLE: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


def double_findings(installed: Installed) -> list[Finding]:
    """A note for each other recorder, and a warning where several instrument the same SDK."""
    return [*_others(installed), *_several(installed)]


def _others(installed: Installed) -> list[Finding]:
    found = [
        Finding(Level.NOTE, name, f"also records LLM calls ({kind}); {_policy(_scope(name, scope))}")
        for name in sorted(installed.versions)
        if (row := _recorder(name)) is not None
        for scope, kind in [row]
    ]
    if (installed.release("anthropic") or ()) >= (2,):
        what = (
            f"also records LLM calls (by itself, unless ANTHROPIC_OPEN_TELEMETRY=false); {_policy('com.anthropic.sdk.python')}"
        )
        found.append(Finding(Level.NOTE, "anthropic", what))
    if "langfuse" in installed.versions and "openai" in installed.versions:
        what = f"also records LLM calls (if the application imports openai from it); {_policy('langfuse-sdk')}"
        found.append(Finding(Level.NOTE, "langfuse.openai", what))
    return found


def _several(installed: Installed) -> list[Finding]:
    """Each entry point is run by ``opentelemetry-instrument``, and each records the call."""
    return [
        Finding(
            Level.WARNING,
            name,
            f"is instrumented by {len(found)} packages: {', '.join(found)}. Destinations of otel-llm get each call once; other "
            "exporters get it from each",
            f"Keep one of them, or disable them all by {_DISABLE}={name}",
        )
        for name, found in sorted(installed.instrumentors.items())
        if len([recorder for recorder in found if _recorder(recorder)]) > 1
    ]


def _recorder(distribution: str) -> tuple[str, str] | None:
    return next(((scope, kind) for pattern, scope, kind in _RECORDERS if pattern.fullmatch(distribution)), None)


def _scope(distribution: str, beginning: str) -> str:
    """OpenLLMetry's scopes end like its distributions."""
    return beginning + distribution.rpartition("-")[2] if beginning.endswith("instrumentation.") else beginning


def _policy(scope: str) -> str:
    row: Other = next(row for row in OTHERS if scope.startswith(row.scope))
    kept = "it gets what it lacks" if row.added_to else "it is left as it is"
    return f"its span stands for the call, {kept}, and no second one is made"
