"""The Langfuse exporter with a collector in between: where it sends what, and what it does without keys."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator

import pytest
from collecting import Backend
from opentelemetry.sdk.resources import Resource
from traced import Application

from otel_llm.delivery import Delivered, Retry
from otel_llm.errors import ConfigurationError
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings
from otel_llm_langfuse.checks import check
from otel_llm_langfuse.projects import settings_of_projects
from otel_llm_langfuse.score_records import score_span

VIA = "http://collector.example:4318"
KEYS = {"public_key": "pk-lf-1", "secret_key": "sk-lf-1"}
IMAGE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("LANGFUSE_", "OTEL_LLM_LANGFUSE"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend() as server:
        yield server


@pytest.mark.parametrize("keys", [{}, {"public_key": "pk-lf-1"}, KEYS])
def test_spans_go_to_the_collector_and_not_to_langfuse(backend: Backend, keys: dict[str, str]) -> None:
    application = Application()
    application.call()
    with FakeLangfuse(public_key="pk-lf-1", secret_key="sk-lf-1") as langfuse:
        destination = LangfuseDestination(LangfuseSettings.load(via=backend.base_url + "/", base_url=langfuse.base_url, **keys))
        record = destination.encode(application.spans[0])
        assert record is not None
        outcome = destination.send([record], timeout_s=5)
        destination.close()

        assert outcome == Delivered()
        assert [(each.method, each.path, each.headers.get("authorization")) for each in backend.received] == [
            ("POST", "/v1/traces", None)
        ]
        assert "langfuse.observation.type" in {attribute.key for attribute in backend.spans[0].attributes}
        assert langfuse.requests == []


def test_a_collector_that_is_busy_is_asked_again(backend: Backend) -> None:
    application = Application()
    application.call()
    backend.stop()
    destination = LangfuseDestination(LangfuseSettings.load(via=backend.base_url))
    record = destination.encode(application.spans[0])
    assert record is not None

    outcome = destination.send([record], timeout_s=5)
    destination.close()

    assert isinstance(outcome, Retry)


def test_what_waits_for_langfuse_is_not_sent_to_a_collector_nor_the_reverse() -> None:
    keys = [
        LangfuseDestination(LangfuseSettings.load(**settings)).spool_key
        for settings in (KEYS, {"via": VIA}, {"via": VIA, **KEYS}, {"via": VIA + "/other"})
    ]

    assert keys == [
        "https://cloud.langfuse.com pk-lf-1",
        f"via {VIA}",
        f"via {VIA} pk-lf-1",
        f"via {VIA}/other",
    ]


def test_a_destination_needs_keys_or_a_collector() -> None:
    with pytest.raises(ValueError, match="a public and a secret key, or a collector"):
        LangfuseDestination(LangfuseSettings.load())


def test_an_address_that_is_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_LANGFUSE_VIA", "collector:4318")

    with pytest.raises(ConfigurationError, match="OTEL_LLM_LANGFUSE_VIA must begin with http:// or https://"):
        LangfuseSettings.load()


@pytest.mark.parametrize("name", ["VIA_ACME", None])
def test_each_project_has_a_collector_of_its_own(monkeypatch: pytest.MonkeyPatch, name: str | None) -> None:
    """A collector sends all to one project."""
    for variable, value in {
        "OTEL_LLM_LANGFUSE_VIA": VIA,
        "OTEL_LLM_LANGFUSE_PROJECTS": "acme",
        "LANGFUSE_PUBLIC_KEY_ACME": "pk-lf-2",
        "LANGFUSE_SECRET_KEY_ACME": "sk-lf-2",
        **({f"OTEL_LLM_LANGFUSE_{name}": VIA} if name else {}),
    }.items():
        monkeypatch.setenv(variable, value)
    fault = "is the same collector as OTEL_LLM_LANGFUSE_VIA" if name else "is not set, for project 'acme'"

    with pytest.raises(ConfigurationError, match=f"OTEL_LLM_LANGFUSE_VIA_ACME {fault}"):
        settings_of_projects()


def test_without_keys_images_are_told_of_and_not_sent(backend: Backend) -> None:
    application = Application()
    message = {"role": "user", "parts": [{"type": "blob", "mime_type": "image/png", "content": IMAGE}]}
    application.call(**{"gen_ai.input.messages": json.dumps([message])})
    destination = LangfuseDestination(LangfuseSettings.load(via=backend.base_url))
    record = destination.encode(application.spans[0])
    assert record is not None
    assert destination.send([record], timeout_s=5) == Delivered()
    destination.close()

    told = next(each.value.string_value for each in backend.spans[0].attributes if each.key == "langfuse.observation.input")
    assert "[image/png, 70 bytes, sha256:" in told
    assert IMAGE not in told


def test_without_keys_a_score_is_dropped_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    score = score_span({"name": "good", "value": 1, "traceId": "0" * 31 + "1"}, Resource({}), None)
    destination = LangfuseDestination(LangfuseSettings.load(via=VIA))

    with caplog.at_level(logging.WARNING):
        record = destination.encode(score)
    destination.close()

    assert record is None
    assert destination.selection.left_out == {"scores need LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY": 1}
    assert "A score is dropped: scores need LANGFUSE_PUBLIC_KEY" in caplog.text


def test_with_keys_scores_go_to_langfuse_itself() -> None:
    given = {"id": "s1", "name": "good", "value": 1, "traceId": "0" * 31 + "1", "timestamp": "2026-09-21T14:13:20Z"}
    score = score_span({**given, "dataType": "NUMERIC"}, Resource({}), None)
    with FakeLangfuse() as langfuse:
        keys = {"public_key": langfuse.public_key, "secret_key": langfuse.secret_key, "base_url": langfuse.base_url}
        destination = LangfuseDestination(LangfuseSettings.load(via=VIA, **keys))
        record = destination.encode(score)
        assert record is not None
        assert destination.send([record], timeout_s=5) == Delivered()
        destination.close()

        assert [row["name"] for row in langfuse.scores] == ["good"]


def test_the_doctor_tells_of_the_collector_and_asks_langfuse_nothing_without_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_LANGFUSE_VIA", VIA)

    told = [finding.what for finding in check(timeout_s=1, offline=False) if "collector" in finding.what]

    assert told == [f"spans go to the collector at {VIA}; without keys here, scores and media are not sent"]
