"""No line of code: ``opentelemetry-instrument`` loads the instrumentor and both exporters by entry point."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from otel_llm.testing import FakeLangfuse, FakeProvider

APPLICATION = """
import sys, httpx
from opentelemetry import trace

with trace.get_tracer("app").start_as_current_span("POST /ask"):
    with trace.get_tracer("app").start_as_current_span(
        "invoke_workflow support", attributes={"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "support"}
    ):
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Why?"}]}
        httpx.post(sys.argv[1] + "/chat/completions", json=body, headers={"authorization": "Bearer sk-fake"})
"""


def test_an_unchanged_application_reaches_both_destinations(tmp_path: Path) -> None:
    application, database = tmp_path / "app.py", tmp_path / "legacy.sqlite3"
    application.write_text(APPLICATION)
    with FakeProvider() as provider, FakeLangfuse() as langfuse:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "LANGFUSE_"))},
            **langfuse.environment,
            "OTEL_LLM_STATE_DIR": str(tmp_path / "state"),
            "OTEL_TRACES_EXPORTER": "langfuse,insforge",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_LLM_LEGACY_DATABASE_URL": f"sqlite:///{database}",
        }
        command = [
            str(Path(sys.executable).parent / "opentelemetry-instrument"),
            sys.executable,
            str(application),
            provider.openai,
        ]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stderr) == (0, "")

        (generation,) = langfuse.generations
        chain = next(row for row in langfuse.observations if row["name"] == "invoke_workflow support")
        assert generation["parent_span_id"] == chain["id"]
        assert "parent_span_id" not in chain  # the web server's span is not exported
        assert {row["name"] for row in langfuse.observations} == {"invoke_workflow support", "chat gpt-4o"}
        assert generation["trace_name"] == "support"

    with sqlite3.connect(database) as connection:
        assert connection.execute("select pipeline_name from pipeline_traces").fetchall() == [("support",)]
        assert connection.execute("select span_name, success from pipeline_spans").fetchall() == [("llm:openai", 1)]
    connection.close()
