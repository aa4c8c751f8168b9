"""Langfuse as a plain OpenTelemetry span exporter."""

from __future__ import annotations

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_llm.errors import ConfigurationError
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm_langfuse import LangfuseExporter


def test_spans_of_any_tracer_provider_reach_langfuse(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeLangfuse() as langfuse:
        for name, value in langfuse.environment.items():
            monkeypatch.setenv(name, value)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(LangfuseExporter(release="v1")))

        with provider.get_tracer("app").start_as_current_span("chat m", attributes={"gen_ai.operation.name": "chat"}):
            pass
        provider.shutdown()

        assert [(row["name"], row["type"], row["release"]) for row in langfuse.observations] == [("chat m", "GENERATION", "v1")]


def test_an_exporter_without_keys_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError) as raised:
        LangfuseExporter()
    assert raised.value.faults == ("LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not set",)


def test_the_import_loads_neither_the_sdk_of_langfuse_nor_the_official_exporter() -> None:
    heavy = ("langfuse", "requests", "google.protobuf", "genai_prices")
    code = f"import sys, otel_llm_langfuse; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_prices_are_loaded_before_any_span_and_nothing_for_what_is_put_off() -> None:
    code = (
        "import sys, otel_llm_langfuse as lf\n"
        "destination = lf.LangfuseDestination(lf.LangfuseSettings.load(public_key='pk', secret_key='sk'))\n"
        "print([name for name in ('google.protobuf', 'genai_prices') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['genai_prices']\n"
