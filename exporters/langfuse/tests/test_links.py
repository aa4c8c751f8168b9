"""Addresses of traces in the user interface."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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


def test_without_keys_there_is_no_address() -> None:
    with pytest.raises(ConfigurationError):
        trace_url(TRACE)
