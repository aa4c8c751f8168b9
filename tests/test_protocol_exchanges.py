"""Exchanges with the facts expected of them: ours in ``exchanges/``, and recordings of real ones where they are at hand."""

from __future__ import annotations

import importlib.util
import json
import os
import random
from dataclasses import MISSING, fields
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from wire import answer

from otel_llm import semconv
from otel_llm.attributes import call_attributes, content_attributes
from otel_llm.endpoints import recognise
from otel_llm.protocols import RequestFacts, ResponseFacts

EXCHANGES = Path(__file__).parent / "exchanges"
SHARED = Path(__file__).resolve().parents[1] / ".." / "shared"


def said(facts: Any) -> dict[str, Any]:
    """Facts without what is not there, in the types of JSON."""
    told = {}
    for field in fields(facts):
        value = getattr(facts, field.name)
        empty = field.default_factory() if field.default_factory is not MISSING else field.default
        if value != empty:
            told[field.name] = said(value) if hasattr(value, "__dataclass_fields__") else value
    plain: dict[str, Any] = json.loads(json.dumps(told))
    return plain


@pytest.mark.parametrize("path", sorted(EXCHANGES.glob("*/*.json")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_an_exchange_has_these_facts(path: Path) -> None:
    exchange = json.loads(path.read_text())
    request, response, expected = exchange["request"], exchange["response"], exchange["facts"]
    url = urlsplit(request["url"])

    endpoint = recognise(request["method"], url.hostname or "", url.path, url.port)

    assert endpoint is not None
    assert (endpoint.provider, endpoint.protocol.name, endpoint.certain) == (
        expected["provider"],
        expected["protocol"],
        expected.get("certain", True),
    )
    assert endpoint.protocol.matches(request["body"])
    assert said(endpoint.protocol.request(request["body"], url.path)) == expected["request"]
    body, content_type = response["body_text"].encode(), response["headers"].get("content-type")
    assert said(answer(endpoint.protocol, body, content_type, random.Random(7))) == expected["response"]


# --- recordings -------------------------------------------------------------------------------------------------------

#: Made by botocore, not by an HTTP library that is recorded, or no call of a model.
NOT_OURS = ("bedrock-converse", "count_tokens")
RECORDINGS = sorted(path for path in (SHARED / "exchanges").glob("*.json") if not any(kind in path.stem for kind in NOT_OURS))


@pytest.fixture(scope="module")
def scorer() -> ModuleType:
    """The scorer of the recordings, for its rules of comparison."""
    spec = importlib.util.spec_from_file_location("replay_exchanges", SHARED / "tools" / "replay_exchanges.py")
    assert spec
    assert spec.loader
    module, before = importlib.util.module_from_spec(spec), os.environ.copy()
    spec.loader.exec_module(module)
    os.environ.clear()
    os.environ.update(before)
    return module


@pytest.mark.skipif(not RECORDINGS, reason="the recordings are not beside the repository")
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recording_has_the_facts_that_were_read_from_it(path: Path, scorer: ModuleType) -> None:
    exchange = json.loads(path.read_text())
    request, response, expected = exchange["request"], exchange["response"], exchange["expect"]
    url = urlsplit(request["url"])
    endpoint = recognise(request["method"], url.hostname or "", url.path, url.port)
    assert endpoint is not None
    assert endpoint.protocol.matches(request["body"])

    asked = endpoint.protocol.request(request["body"], url.path)
    body, content_type = response["body_text"].encode(), response["headers"].get("content-type")
    facts = answer(endpoint.protocol, body, content_type, random.Random(path.stem))

    rows = scorer.compare(exchange, as_span(asked, facts, response["status"]))
    assert [(name, want, got) for name, right, want, got in rows if not right and not numbered(want)] == []
    kind = facts.error and facts.error.type
    assert (str(response["status"]) if kind == semconv.OTHER else kind) == expected["error_type"]
    assert len(asked.messages) == expected["n_input_messages"]
    thoughts = [part["content"] for message in facts.messages for part in message["parts"] if part["type"] == "reasoning"]
    if exchange["provider"] != "cohere":  # whose plan of its tool calls is read as reasoning, too
        assert "".join(thoughts) == (expected["reasoning_text"] or "")


def numbered(reasons: Any) -> bool:
    """Vertex may send finish reasons as numbers; they are reported in words."""
    return isinstance(reasons, list) and all(isinstance(reason, str) and reason.isdecimal() for reason in reasons)


def as_span(request: RequestFacts, response: ResponseFacts, status: int) -> Any:
    """The facts where the scorer looks for them."""
    attributes = {**call_attributes(request, response), **content_attributes(request, response)}
    attributes[semconv.OPERATION_NAME] = request.operation
    failed = response.error is not None or status >= 400
    if failed:
        attributes[semconv.ERROR_TYPE] = response.error.type if response.error else str(status)
    return SimpleNamespace(
        attributes=attributes, status=SimpleNamespace(status_code=SimpleNamespace(name="ERROR" if failed else ""))
    )
