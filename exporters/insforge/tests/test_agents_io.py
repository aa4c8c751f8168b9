"""What agents and tools were given and gave reaches the legacy tables only where their content policy says so."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_llm import CaptureMode, agent, tool, workflow
from otel_llm.content import use_mode
from otel_llm.testing.insforge import FakeInsForge
from otel_llm.tracing import stamp_spans_of, use_provider
from otel_llm_insforge import InsForgeExporter


@tool("weather")
def weather(city: str) -> dict[str, str]:
    return {city: "sunny"}


@agent("strategist")
def strategist(question: str) -> str:
    return weather("Paris")["Paris"]


def rows(insforge: FakeInsForge, monkeypatch: pytest.MonkeyPatch, content: Any) -> dict[str, tuple[Any, Any]]:
    """Input and output of each row, by its name."""
    for name, value in insforge.environment.items():
        monkeypatch.setenv(name, value)
    exporter, provider = InsForgeExporter(content=content), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    stamp_spans_of(provider)
    use_provider(provider)
    use_mode(CaptureMode.SPAN_ONLY)
    with workflow("support"):
        strategist("Weather?")
    use_mode(None)
    use_provider(None)
    assert exporter.force_flush()
    provider.shutdown()
    return {row["span_name"]: (row["input_data"], row["output_data"]) for row in insforge.rows("pipeline_spans")}


def test_with_content_rows_have_input_and_output(insforge: FakeInsForge, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows(insforge, monkeypatch, "full") == {
        "agent:strategist": ({"input": {"question": "Weather?"}}, {"output": "sunny"}),
        "tool:weather": ({"arguments": {"city": "Paris"}}, {"result": {"Paris": "sunny"}}),
    }


def test_without_content_rows_have_neither(insforge: FakeInsForge, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows(insforge, monkeypatch, "none") == {"agent:strategist": (None, None), "tool:weather": (None, None)}
