"""Addresses of traces in the user interface."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from application import application
from opentelemetry.trace import format_trace_id

import otel_llm
from otel_llm.errors import ConfigurationError, DeliveryError
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm.testing.server import Response
from otel_llm_langfuse import LangfuseSettings, trace_url

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def langfuse() -> Iterator[FakeLangfuse]:
    with FakeLangfuse() as server:
        yield server


def settings(langfuse: FakeLangfuse, **changes: str) -> LangfuseSettings:
    keys = {"public_key": langfuse.public_key, "secret_key": langfuse.secret_key, "base_url": langfuse.base_url}
    return LangfuseSettings.load(**keys | changes)


def test_the_address_of_a_trace(langfuse: FakeLangfuse, monkeypatch: pytest.MonkeyPatch) -> None:
    langfuse.behaviour = lambda request: Response.json(
        {"data": [{"id": "p1", "name": "n", "organization": {"id": "o", "name": "o"}, "metadata": {}}]}
    )
    for name, value in langfuse.environment.items():
        monkeypatch.setenv(name, value)
    assert trace_url(TRACE) == f"{langfuse.base_url}/project/p1/traces/{TRACE}"


def test_a_refusal_is_told(langfuse: FakeLangfuse) -> None:
    with pytest.raises(DeliveryError, match="answered 401"):
        trace_url(TRACE, settings(langfuse, secret_key="sk-lf-wrong"))


def test_an_answer_of_something_else_is_told(langfuse: FakeLangfuse) -> None:
    langfuse.behaviour = lambda request: Response.json({"data": []})
    with pytest.raises(DeliveryError, match="did not tell the project of the keys"):
        trace_url(TRACE, settings(langfuse))


def test_a_server_that_is_down_is_told(langfuse: FakeLangfuse) -> None:
    langfuse.stop()
    with pytest.raises(DeliveryError, match="did not tell the project of the keys: ConnectError"):
        trace_url(TRACE, settings(langfuse))


def test_the_address_of_the_current_trace_by_the_settings_of_the_delivery(langfuse: FakeLangfuse) -> None:
    with application(langfuse), otel_llm.agent("strategist") as span:
        trace_id = format_trace_id(span.get_span_context().trace_id)
        assert trace_url() == f"{langfuse.base_url}/project/fake-project/traces/{trace_id}"


def test_a_trace_can_be_named_as_opentelemetry_does(langfuse: FakeLangfuse) -> None:
    assert trace_url(int(TRACE, 16), settings(langfuse)).endswith(f"/traces/{TRACE}")


def test_outside_of_all_traces_one_must_be_named(langfuse: FakeLangfuse) -> None:
    with pytest.raises(ValueError, match="there is no current trace"):
        trace_url(settings=settings(langfuse))


def test_without_keys_there_is_no_address() -> None:
    with pytest.raises(ConfigurationError):
        trace_url(TRACE)
