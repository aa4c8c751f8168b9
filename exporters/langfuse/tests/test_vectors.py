"""Measured requests that Langfuse stores wrongly or drops, sent through the mapping: nothing is lost any more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import Event, ReadableSpan

from otel_llm import semconv as sc
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings

SHARED = Path(__file__).resolve().parents[4] / "shared" / "vectors" / "langfuse"


def requests() -> Iterator[Any]:
    lines = [line for file in sorted(SHARED.glob("vectors.jsonl")) for line in file.read_text("utf-8").split("\n") if line]
    for vector in map(json.loads, lines):
        if vector["family"] not in ("batch", "time"):  # those are about requests and clocks
            yield pytest.param(vector["otlp"], id=vector["id"])
    if not lines:
        yield pytest.param({}, id="measured", marks=pytest.mark.skip(reason="no measured vectors beside the repository"))


def value(any_value: dict[str, Any]) -> Any:
    [(kind, content)] = any_value.items()
    if kind == "intValue":
        return int(content)
    if kind == "arrayValue":
        return tuple(value(item) for item in content.get("values", []))
    if kind == "kvlistValue":
        return plain(content.get("values", []))
    return content


def plain(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: value(pair["value"]) for pair in pairs}


def spans(otlp: dict[str, Any], make_span: Callable[..., ReadableSpan]) -> Iterator[ReadableSpan]:
    for group in otlp["resourceSpans"]:
        resource = plain(group.get("resource", {}).get("attributes", []))
        for span in (span for scope in group["scopeSpans"] for span in scope["spans"]):
            yield make_span(
                plain(span.get("attributes", [])),
                name=span["name"],
                span_id=int(span["spanId"], 16),
                parent=int(span["parentSpanId"], 16) if span.get("parentSpanId") else None,
                error=span["status"].get("message", "") if span.get("status", {}).get("code") == 2 else None,
                events=tuple(Event(event["name"], plain(event.get("attributes", []))) for event in span.get("events", [])),
                resource=resource,
            )


@pytest.fixture(scope="module", params=["direct", "dual"])
def langfuse(request: pytest.FixtureRequest) -> Iterator[FakeLangfuse]:
    with FakeLangfuse(path=request.param) as server:
        yield server


@pytest.fixture(scope="module")
def destination(langfuse: FakeLangfuse) -> Iterator[LangfuseDestination]:
    keys = {"public_key": langfuse.public_key, "secret_key": langfuse.secret_key, "base_url": langfuse.base_url}
    made = LangfuseDestination(LangfuseSettings.load(**keys))
    yield made
    made.close()


@pytest.mark.parametrize("otlp", list(requests()))
def test_each_genai_span_is_stored_and_none_is_charged_by_guess(
    otlp: dict[str, Any], langfuse: FakeLangfuse, destination: LangfuseDestination, make_span: Callable[..., ReadableSpan]
) -> None:
    langfuse.clear()
    given = list(spans(otlp, make_span))
    destination.send([record for span in given if (record := destination.encode(span)) is not None], timeout_s=5)

    assert langfuse.rejected == []
    assert len(langfuse.observations) == sum(sc.is_genai(span.attributes or {}) for span in given)
    failed = [row for row in langfuse.observations if row["level"] == "ERROR" or row["type"] not in ("GENERATION", "EMBEDDING")]
    assert [row["name"] for row in failed if row.get("tokenised_by_server")] == []
