"""Spans made by hand, with fixed ids and times, and a Langfuse server to store them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet, WeakValueDictionary

import pytest
from hypothesis import HealthCheck, settings
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings
from otel_llm_langfuse.in_use import InUse

sys.path.insert(0, str(Path(__file__).parent))

from handmade import MakeSpan, context, make_span

# The same examples in each run, however slow or loaded the machine is.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

Row = dict[str, Any]


@pytest.fixture(name="make_span")
def _make_span() -> MakeSpan:
    return make_span


@pytest.fixture(name="remote")
def _remote() -> Callable[[int], SpanContext]:
    return lambda span_id: context(span_id, remote=True)


@pytest.fixture
def chat() -> dict[str, Any]:
    """Attributes of a plain call of gpt-4o, with content."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 100,
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}]}]),
        "gen_ai.output.messages": json.dumps(
            [{"role": "assistant", "parts": [{"type": "text", "content": "Sunny."}], "finish_reason": "stop"}]
        ),
    }


@pytest.fixture(autouse=True)
def _no_destinations_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans made by hand have the same ids in each test, so what another test's destinations took must be forgotten."""
    monkeypatch.setattr("otel_llm_langfuse.coexistence._claims", WeakValueDictionary())
    monkeypatch.setattr("otel_llm_langfuse.coexistence._open", InUse())
    monkeypatch.setattr("otel_llm.delivery.running._running", WeakSet())


@pytest.fixture(autouse=True)
def _no_keys_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("LANGFUSE_")]:
        monkeypatch.delenv(name)


START_US = 1_790_000_000_000_000
#: What the older write path keeps on the trace instead of on the observation.
OF_THE_TRACE = {"user_id", "session_id", "tags", "trace_name", "release", "is_app_root"}


@pytest.fixture(params=["direct", "dual"])
def path(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def langfuse(path: Any) -> Iterator[FakeLangfuse]:
    with FakeLangfuse(path=path) as server:
        yield server
        assert server.rejected == []


@pytest.fixture
def stored(langfuse: FakeLangfuse, path: str) -> Callable[..., list[Row]]:
    """Encodes and sends spans; gives back the rows, of whose metadata only what the mapping itself put there."""

    def store(*spans: ReadableSpan, **settings: Any) -> list[Row]:
        keys = {"public_key": langfuse.public_key, "secret_key": langfuse.secret_key, "base_url": langfuse.base_url}
        destination = LangfuseDestination(LangfuseSettings.load(**keys, **settings))
        records = [record for span in spans if (record := destination.encode(span)) is not None]
        destination.send(records, timeout_s=5)
        destination.close()
        return [comparable(row, path) for row in langfuse.observations]

    return store


def comparable(row: Row, path: str) -> Row:
    foreign = ("attributes", "scope", "resourceAttributes")
    metadata = {key: value for key, value in row["metadata"].items() if not key.startswith(foreign)}
    if path == "dual":
        assert row.pop("total_cost", None) == row.get("cost_details", {}).get("total")
    return {**row, "metadata": metadata}


@pytest.fixture
def observation(path: str) -> Callable[..., Row]:
    """An expected row: that of the newer write path; for the older one without what is on the trace there."""

    def expect(**fields: Any) -> Row:
        row = {
            "id": "b7ad6b7169203331",
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
            "start_time": START_US,
            "end_time": START_US + 1_500_000,
            "environment": "default",
            "level": "DEFAULT",
            **fields,
        }
        return row if path == "direct" else {name: value for name, value in row.items() if name not in OF_THE_TRACE}

    return expect


@pytest.fixture(autouse=True)
def _no_notes_in_the_users_directory(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setenv("OTEL_LLM_STATE_DIR", str(tmp_path_factory.mktemp("state")))
