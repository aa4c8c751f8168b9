"""Each of the ways in which a plain GenAI span goes wrong at Langfuse: what a plain OTLP exporter makes of it, and what we make."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from table_of_cases import CASES, NOTHING, Case, Stored, page

from otel_llm.testing import FakeLangfuse
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings


def stored(langfuse: FakeLangfuse) -> Stored:
    return Stored(langfuse.observations, langfuse.traces, sum(len(item.data) for item in langfuse.media))


def sent_plainly(langfuse: FakeLangfuse, spans: Sequence[ReadableSpan]) -> Stored:
    keys = base64.b64encode(f"{langfuse.public_key}:{langfuse.secret_key}".encode()).decode()
    headers = {"authorization": f"Basic {keys}", "x-langfuse-ingestion-version": "4"}
    exporter = OTLPSpanExporter(f"{langfuse.base_url}/api/public/otel/v1/traces", headers=headers)
    exporter.export(spans)
    exporter.shutdown()
    return stored(langfuse)


def sent_by_us(langfuse: FakeLangfuse, spans: Sequence[ReadableSpan]) -> Stored:
    keys = {"public_key": langfuse.public_key, "secret_key": langfuse.secret_key, "base_url": langfuse.base_url}
    destination = LangfuseDestination(LangfuseSettings.load(**keys))
    records = [record for span in spans if (record := destination.encode(span)) is not None]
    destination.send(records, timeout_s=5)
    destination.close()
    return stored(langfuse)


@pytest.fixture
def server(path: Any) -> Any:
    with FakeLangfuse(path=path) as running:
        yield running


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number}-{case.what}")
def test_a_plain_exporter(case: Case, server: FakeLangfuse, path: str) -> None:
    differs = path == "dual" and case.plain_dual is not None
    expected = (None if case.plain_dual is NOTHING else case.plain_dual) if differs else case.plain

    assert case.see(sent_plainly(server, case.spans())) == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number}-{case.what}")
def test_ours(case: Case, server: FakeLangfuse) -> None:
    spans = (case.recorded or case.spans)()

    assert case.see(sent_by_us(server, spans)) == case.ours
    assert server.rejected == []


def test_all_cases_are_there() -> None:
    assert [case.number for case in CASES] == list(range(1, 38))


def test_the_page_in_the_docs_says_the_same() -> None:
    assert Path(__file__).parents[3].joinpath("docs", "langfuse.md").read_text() == page()
