"""Traces across services: who is told of them, and what is taken from those who tell."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from belonging import call_llm, links_of, stamps
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from otel_llm import ConfigurationError, agent, capture, configure, endpoints, extract, headers, identify, inject, shutdown
from otel_llm.propagation_hosts import parse_propagation_hosts
from otel_llm.providers import PROVIDERS
from otel_llm.testing.sink import SpanSink

TRACEPARENT = f"00-{7:032x}-{8:016x}-01"
SPAN = SpanContext(7, 8, is_remote=False, trace_flags=TraceFlags(1), trace_state=TraceState([("vendor", "x")]))


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "_allowed", None)
    monkeypatch.setattr(endpoints, "_configured", None)
    monkeypatch.delenv("OTEL_LLM_PROPAGATE_TO", raising=False)
    monkeypatch.delenv("OTEL_LLM_PROVIDER_HOSTS", raising=False)


@pytest.fixture
def _in_a_span() -> Iterator[None]:
    with trace.use_span(NonRecordingSpan(SPAN)):
        yield


def sent(url: object) -> dict[str, str]:
    given: dict[str, str] = {}
    assert inject(given, url) is given
    return given


@pytest.mark.usefixtures("_in_a_span")
@pytest.mark.parametrize(
    ("allowed", "url", "is_told"),
    [
        ("", "https://api.internal.example/", False),
        ("api.internal.example", "https://api.internal.example/v1?x=1", True),
        ("api.internal.example", httpx.URL("https://API.internal.example:8443/v1"), True),
        ("API.Internal.Example.", "https://api.internal.example./", True),
        ("api.internal.example", "https://other.internal.example/", False),
        ("api.internal.example", "https://api.internal.example.evil.example/", False),
        ("api.internal.example", "https://evil.example/api.internal.example", False),
        ("api.internal.example", "https://api.internal.example@evil.example/", False),
        ("*.internal.example", "https://a.b.internal.example/", True),
        ("*.internal.example", "https://internal.example/", False),
        ("*.internal.example", "https://evilinternal.example/", False),
        ("a.example, *.b.example", "http://x.b.example", True),
        ("127.0.0.1", "http://127.0.0.1:8080/", True),
        ("[::1]", "http://[::1]:8080/", True),
        ("api.internal.example", "/relative", False),
        ("api.internal.example", "http://[", False),
        ("api.internal.example", "http://api.internal.example:port/", False),
        ("api.internal.example", None, False),
    ],
)
def test_only_hosts_on_the_list_are_told(monkeypatch: pytest.MonkeyPatch, allowed: str, url: object, is_told: bool) -> None:
    monkeypatch.setenv("OTEL_LLM_PROPAGATE_TO", allowed)
    assert sent(url) == ({"traceparent": TRACEPARENT} if is_told else {})


VENDOR_HOSTS = [host.replace("*:", "llm.internal.example:").replace("*", "x") for row in PROVIDERS for host in row.hosts]


@pytest.mark.usefixtures("_in_a_span")
@pytest.mark.parametrize("host", VENDOR_HOSTS)
def test_a_vendor_is_never_told_whatever_the_list_says(host: str) -> None:
    name = host.partition(":")[0]
    headers.propagate_to(parse_propagation_hosts([name, f"*.{name.partition('.')[2]}"]))
    assert (sent(f"https://{host}/v1/chat/completions"), sent(f"https://{host.upper()}/")) == ({}, {})


@pytest.mark.usefixtures("_in_a_span")
def test_a_host_that_is_configured_to_serve_models_is_not_told_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_PROVIDER_HOSTS", "llm.internal.example=openai")
    monkeypatch.setenv("OTEL_LLM_PROPAGATE_TO", "*.internal.example")
    assert sent("https://llm.internal.example/") == {}
    assert sent("https://api.internal.example/") == {"traceparent": TRACEPARENT}


@pytest.mark.usefixtures("_in_a_span")
def test_nothing_but_traceparent_is_told(sink: SpanSink) -> None:
    headers.propagate_to(["api.internal.example"])
    token = otel_context.attach(baggage.set_baggage("plan", "gold"))
    with identify(user_id="42"):
        assert sent("https://api.internal.example/") == {"traceparent": TRACEPARENT}
    otel_context.detach(token)


@pytest.mark.usefixtures("_in_a_span")
def test_an_older_traceparent_is_replaced() -> None:
    headers.propagate_to(["api.internal.example"])
    given = {"Traceparent": "00-old", "x": "1"}
    assert inject(given, "https://api.internal.example/") == {"x": "1", "traceparent": TRACEPARENT}


def test_outside_of_any_span_there_is_nothing_to_tell() -> None:
    headers.propagate_to(["api.internal.example"])
    assert sent("https://api.internal.example/") == {}


@pytest.mark.usefixtures("_in_a_span")
@pytest.mark.parametrize("given", ["*", "*.", "https://api.example", "api.example:8080", "api.example/v1", "a b", "a*.example"])
def test_what_is_no_host_is_refused(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, given: str) -> None:
    with pytest.raises(ConfigurationError, match=r"OTEL_LLM_PROPAGATE_TO: .* is no host"):
        configure(destinations=[], propagate_to=[given, "fine.example"])
    monkeypatch.setenv("OTEL_LLM_PROPAGATE_TO", given)
    with pytest.raises(ConfigurationError, match=r"OTEL_LLM_PROPAGATE_TO: .* is no host"):
        configure(destinations=[])
    assert sent("https://fine.example/") == {}
    assert [(record.levelno, "OTEL_LLM_PROPAGATE_TO is ignored" in record.message) for record in caplog.records] == [
        (logging.WARNING, True)
    ]


@pytest.mark.usefixtures("_in_a_span")
@pytest.mark.parametrize(
    ("given", "told"),
    [(None, ["a.example"]), (["b.example"], ["b.example"]), ("b.example,a.example", ["a.example", "b.example"])],
)
def test_configure_takes_the_list_from_the_call_or_the_environment(
    monkeypatch: pytest.MonkeyPatch, given: Sequence[str] | None, told: list[str]
) -> None:
    monkeypatch.setenv("OTEL_LLM_PROPAGATE_TO", "a.example")
    with SpanSink.provider() as (provider, _):
        configure(destinations=[], tracer_provider=provider, propagate_to=given)
        shutdown()
    assert [host for host in ("a.example", "b.example") if sent(f"https://{host}/")] == told


# --- incoming ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {"traceparent": TRACEPARENT},
        {"Traceparent": TRACEPARENT},
        httpx.Headers({"traceparent": TRACEPARENT}),
        [(b"host", b"x"), (b"traceparent", TRACEPARENT.encode())],
        [("traceparent", TRACEPARENT.encode())],
    ],
)
def test_work_for_a_request_is_below_the_span_that_sent_it(sink: SpanSink, given: Any) -> None:
    carrier = extract(given)
    with identify(user_id="42"), carrier.attach(), agent("strategist"):
        call_llm()
    assert carrier.traceparent == TRACEPARENT
    root = sink.one(name="invoke_agent strategist")
    assert root.parent is not None
    assert (root.parent.trace_id, root.parent.span_id, root.parent.is_remote) == (7, 8, True)
    assert (stamps(sink)["user.id"], stamps(sink)["gen_ai.agent.name"]) == ("42", "strategist")


def test_work_for_a_request_may_be_linked_instead(sink: SpanSink) -> None:
    with extract({"traceparent": TRACEPARENT}).attach(mode="link"):
        call_llm()
    span = sink.one(name="chat gpt-4o")
    assert (span.parent, [(link.context.trace_id, link.context.span_id) for link in span.links]) == (None, [(7, 8)])


@pytest.mark.parametrize(
    "given",
    [None, {}, [], {"traceparent": ""}, {"traceparent": "00-junk"}, {"traceparent": None}, {b"traceparent": b"\xff"}, {1: 2}],
)
def test_without_a_valid_traceparent_the_work_begins_a_trace_of_its_own(sink: SpanSink, given: Any) -> None:
    carrier = extract(given)
    with agent("outer"), carrier.attach():
        call_llm()
    assert (carrier.traceparent, sink.one(name="chat gpt-4o").parent, links_of(sink)) == (None, None, [])
    assert stamps(sink)["gen_ai.agent.name"] == "outer"


def test_a_request_that_is_taken_while_working_on_another_item_is_of_no_pipeline_of_that(sink: SpanSink) -> None:
    with agent("strategist", user_id="42"):
        item = capture()
    with item.attach(), extract({"traceparent": TRACEPARENT}).attach():
        call_llm()
    assert "otel_llm.pipeline.name" not in stamps(sink)
    assert "otel_llm.ancestor.span_id" not in stamps(sink)
    assert stamps(sink)["user.id"] == "42"


def test_what_one_service_injects_the_other_extracts(sink: SpanSink) -> None:
    headers.propagate_to(["api.internal.example"])
    with agent("caller") as span:
        request = sent("https://api.internal.example/")
    with extract(request).attach():
        call_llm()
    assert sink.tree() == (("invoke_agent caller", (("chat gpt-4o", ()),)),)
    assert sink.one(name="chat gpt-4o").context.trace_id == span.get_span_context().trace_id
