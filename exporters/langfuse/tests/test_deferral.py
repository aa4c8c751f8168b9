"""A span that is put off and comes back out of bytes gives the record that it would have given at once."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from any_attributes import attributes, lenient
from application import application
from handmade import make_span
from hypothesis import given
from opentelemetry.sdk.trace import Event, ReadableSpan
from table_of_cases import CASES, Case

import otel_llm
from otel_llm import semconv as sc
from otel_llm.delivery import SupportsDeferral, encoder
from otel_llm.testing import FakeLangfuse
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings, annotate, score

MODES = ["full", "truncated", "hash", "none"]
KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
#: Longer than a text may be in mode ``truncated``.
IMAGE = base64.b64encode(bytes(range(256)) * 40).decode()


def destination(content: str = "full") -> LangfuseDestination:
    """Of a project of its own, so that it takes spans that another has taken."""
    settings = {"public_key": "pk-lf-test", "secret_key": "sk-lf-test", "base_url": "http://127.0.0.1:1", "content": content}
    return LangfuseDestination(LangfuseSettings(**settings))  # type: ignore[arg-type]


def at_once(spans: Sequence[ReadableSpan], content: str = "full") -> list[bytes | None]:
    used = destination(content)
    try:
        return [used.encode(span) for span in spans]
    finally:
        used.close()


def put_off(spans: Sequence[ReadableSpan], content: str = "full") -> list[bytes | None]:
    """All of them first, then the records, the newest first."""
    used = destination(content)
    try:
        deferred = [used.defer(span) for span in spans]
        return [None if form is None else used.encode_deferred(form) for form in reversed(deferred)][::-1]
    finally:
        used.close()


def said(role: str, *parts: dict[str, Any]) -> str:
    return json.dumps([{"role": role, "parts": list(parts)}])


def test_it_can_be_put_off() -> None:
    used = destination()
    assert isinstance(used, SupportsDeferral)
    used.close()


@pytest.mark.parametrize("content", MODES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.number))
def test_any_of_the_ways_to_go_wrong(case: Case, content: str) -> None:
    spans = case.spans()
    assert put_off(spans, content) == at_once(spans, content)


@lenient
@given(attributes=attributes)
def test_any_span(attributes: dict[str, Any]) -> None:
    span = make_span(attributes)
    assert put_off([span]) == at_once([span])


@pytest.mark.parametrize("content", MODES)
def test_media_and_secrets(content: str) -> None:
    image = {"type": "blob", "modality": "image", "mime_type": "image/png", "content": IMAGE}
    question = {"type": "text", "content": f"My key is {KEY}. " + "What is this? " * 1_000}
    span = make_span(
        {
            sc.OPERATION_NAME: sc.CHAT,
            sc.INPUT_MESSAGES: said("user", question, image),
            sc.OUTPUT_MESSAGES: said("assistant", {"type": "text", "content": "An image."}),
        },
        events=(Event("exception", {"exception.message": f"{KEY} was refused"}, 5),),
        error=f"{KEY} was refused",
    )
    assert put_off([span], content) == at_once([span], content)


@pytest.mark.parametrize(("content", "has"), [("full", True), ("truncated", True), ("hash", False), ("none", False)])
def test_what_langfuse_is_not_to_have_is_not_on_disk_either(content: str, has: bool) -> None:
    used = destination(content)
    question = said("user", {"type": "text", "content": f"Weather in Paris? My key is {KEY}."})
    form = used.defer(make_span({sc.OPERATION_NAME: sc.CHAT, sc.INPUT_MESSAGES: question}))
    used.close()
    assert form is not None
    assert (b"Paris" in form) is has
    assert KEY.encode() not in form


@pytest.mark.parametrize("deferred", [False, True])
def test_a_trace_with_tags_a_score_and_what_is_said_late(
    langfuse: FakeLangfuse, deferred: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_LLM_SPOOL_DIR", str(tmp_path))
    monkeypatch.setattr(encoder, "DEFER_AFTER_S", -1.0 if deferred else 1_000.0)
    with application(langfuse) as app:
        with otel_llm.workflow("support", tags=["gold"]) as top, otel_llm.agent("strategist", tags=["new"]):
            score("helpful", 0.9)
        annotate(decision="discount", trace_id=top.get_span_context().trace_id)
        assert app.force_flush()
        assert app.stats.spooled == app.stats.delivered
    (row,) = langfuse.traces
    assert (row.get("trace_name") or row["name"], sorted(row["tags"])) == ("support", ["agent:strategist", "gold", "new"])
    assert row["metadata"]["decision"] == "discount"
    assert [found["name"] for found in langfuse.scores] == ["helpful"]
    assert [found["name"] for found in langfuse.observations][:2] == ["invoke_agent strategist", "invoke_workflow support"]
