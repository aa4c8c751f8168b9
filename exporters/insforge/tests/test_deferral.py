"""A span that is put off and comes back out of bytes gives the rows that it would have given at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from any_legacy_span import spans
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from legacy_spans import AGENT, CHAT, make_span, pipeline_run
from opentelemetry.sdk.trace import Event

from otel_llm import semconv as sc
from otel_llm.content_policy import ContentMode, ContentPolicy
from otel_llm.delivery import SupportsDeferral
from otel_llm_insforge import LegacyDestination, MappingOptions, RestStore

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"


def destination(mode: ContentMode = ContentMode.NONE, **options: Any) -> LegacyDestination:
    return LegacyDestination(RestStore("http://nowhere.invalid", str), MappingOptions(content=ContentPolicy(mode), **options))


def later(used: LegacyDestination, span: Any) -> bytes | None:
    form = used.defer(span)
    return None if form is None else used.encode_deferred(form)


def test_it_can_be_put_off() -> None:
    assert isinstance(destination(), SupportsDeferral)


@pytest.mark.parametrize("mode", ContentMode)
def test_the_spans_of_a_pipeline(mode: ContentMode) -> None:
    used = destination(mode)
    question = json.dumps([{"role": "user", "parts": [{"type": "text", "content": f"{KEY} " + "Why? " * 3_000}]}])
    failed = Event("exception", {"exception.message": f"{KEY} was refused"}, 5)
    call = make_span({**CHAT, sc.INPUT_MESSAGES: question}, parent=AGENT, error=f"{KEY} was refused", events=(failed,))
    for span in [*pipeline_run(), call]:
        assert later(used, span) == used.encode(span) is not None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(span=spans(), mode=st.sampled_from(ContentMode), orphans=st.sampled_from(["skip", "synthesize"]))
def test_any_span(span: Any, mode: ContentMode, orphans: str) -> None:
    used = destination(mode, orphans=orphans)
    assert later(used, span) == used.encode(span)


def test_a_span_outside_the_conventions_is_not_put_off() -> None:
    assert destination().defer(make_span({"http.request.method": "GET"})) is None


def test_content_that_the_rows_are_not_to_have_is_not_on_disk_either() -> None:
    form = destination().defer(make_span({**CHAT, sc.INPUT_MESSAGES: '[{"role":"user","content":"Paris"}]'}, parent=AGENT))
    assert form is not None
    assert b"claude" in form
    assert b"Paris" not in form
