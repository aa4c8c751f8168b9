"""A day of mixed traffic: what Langfuse adds up is what the vendors said on the wire, token by token and cent by cent."""

from __future__ import annotations

import contextlib
import copy
import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import time_ns
from typing import Any

import anthropic
import genai_prices
import httpx
import openai
import pytest
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.sdk.trace import ReadableSpan
from traffic import KEY, VENDORS, Call, day_of_calls
from wire_usage import Answer, Wire

from otel_llm import CaptureMode, endpoints, instrument, uninstrument
from otel_llm.testing import FakeLangfuse, FakeProvider, SpanSink
from otel_llm_langfuse import LangfuseDestination, LangfuseSettings

CALLS = 400
DAY = datetime(2026, 11, 18, tzinfo=UTC)
STEP = timedelta(days=1) / (CALLS + 2)


@dataclass
class Made:
    """A call that was made: when it began in real time, at which time of the day it shall have been, and its answer."""

    call: Call
    began_ns: int
    at: datetime
    answer: Answer

    @property
    def wire(self) -> Wire:
        return self.answer.read()


@dataclass
class Day:
    made: list[Made]
    spans: list[ReadableSpan]


@pytest.fixture(scope="module")
def day() -> Iterator[Day]:
    """All calls, recorded by otel-llm, those through the SDKs of OpenAI and Anthropic by the official instrumentations as well."""
    with ExitStack() as stack:
        fakes = {vendor: stack.enter_context(FakeProvider(vendor=vendor, pause_s=0.0)) for vendor in VENDORS}
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        hosts = {f"127.0.0.1:{fake.port}": VENDORS[vendor][0] for vendor, fake in fakes.items()}
        patch.setattr(endpoints, "_configured", endpoints._Hosts(hosts))
        provider, sink = stack.enter_context(SpanSink.provider())
        instrument(tracer_provider=provider, content=CaptureMode.NO_CONTENT)
        stack.callback(uninstrument)
        for official in (OpenAIInstrumentor(), AnthropicInstrumentor()):
            official.instrument(tracer_provider=provider)
            stack.callback(official.uninstrument)
        client = stack.enter_context(httpx.Client(headers=KEY))
        made = [make(fakes[call.vendor], client, call, DAY + STEP * n) for n, call in enumerate(day_of_calls(11, CALLS))]
        assert [vendor for vendor, fake in fakes.items() if not fake.exchanges or fake.failures] == []
        yield Day(made, [moved(span, made) for span in sink.spans])


def make(fake: FakeProvider, client: httpx.Client, call: Call, at: datetime) -> Made:
    fake.reply(call.reply)
    began_ns = time_ns()
    if call.taking == "sdk":
        through_sdk(fake, call)
        sent, status = fake.exchanges[-1].sent, fake.exchanges[-1].status
    else:
        sent, status = over_http(getattr(fake, call.vendor) + call.path, client, call)
    return Made(call, began_ns, at, Answer(call.vendor, call.api, call.model, sent, status or 0))


def over_http(url: str, client: httpx.Client, call: Call) -> tuple[bytes, int]:
    """What reached the caller, who may give up after the first bytes, or lose the connection."""
    sent = bytearray()
    with contextlib.suppress(httpx.RemoteProtocolError), client.stream("POST", url, json=call.body) as response:
        for piece in response.iter_raw():
            sent += piece
            if call.taking == "first bytes":
                break
        return bytes(sent), response.status_code
    return bytes(sent), 200


def through_sdk(fake: FakeProvider, call: Call) -> None:
    body: dict[str, Any] = dict(call.body)
    if call.vendor == "anthropic":
        with anthropic.Anthropic(base_url=fake.anthropic, api_key="sk-fake", max_retries=0) as client:
            read(client.messages.create(**body))
    else:
        with openai.OpenAI(base_url=fake.openai, api_key="sk-fake", max_retries=0) as other:
            read(other.chat.completions.create(**body))


def read(answer: Any) -> None:
    """All of a stream."""
    if hasattr(answer, "close"):
        for _ in answer:
            pass


def moved(span: ReadableSpan, made: list[Made]) -> ReadableSpan:
    """The span at the time of day that its call shall have been made."""
    start_ns, end_ns = span.start_time or 0, span.end_time or 0
    call = made[bisect_right([each.began_ns for each in made], start_ns) - 1]
    shifted = copy.copy(span)
    shifted._start_time = nanoseconds(call.at)
    shifted._end_time = nanoseconds(call.at) + end_ns - start_ns
    return shifted


def nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1000


@pytest.fixture(params=["direct", "dual"])
def rows(request: pytest.FixtureRequest, day: Day) -> Iterator[list[dict[str, Any]]]:
    with FakeLangfuse(path=request.param) as langfuse:
        keys = {"public_key": langfuse.public_key, "secret_key": langfuse.secret_key, "base_url": langfuse.base_url}
        destination = LangfuseDestination(LangfuseSettings.load(**keys))
        records = [record for span in day.spans if (record := destination.encode(span)) is not None]
        for start in range(0, len(records), 100):
            destination.send(records[start : start + 100], timeout_s=10)
        destination.close()
        assert langfuse.rejected == []
        yield langfuse.observations


def reference_cost(made: Made) -> float | None:
    """As the vendor said, else as genai-prices calculates it for that minute."""
    wire = made.wire
    if wire.cost is not None:
        return wire.cost
    if not wire.known:
        return None
    context = {"speed": "fast"} if wire.tier == "fast" else {"service_tier": wire.tier} if wire.tier else None
    usage = {
        "input_tokens": wire.input,
        "output_tokens": wire.output,
        "cache_read_tokens": wire.cache_read,
        "cache_write_tokens": wire.cache_write,
        "cache_write_1h_tokens": wire.cache_write_1h,
        "input_audio_tokens": wire.audio_in,
        "output_audio_tokens": wire.audio_out,
        "cache_audio_read_tokens": wire.cache_audio,
    }
    try:
        found = genai_prices.calc_price(
            genai_prices.Usage(**usage),
            wire.model,
            provider_id=VENDORS[made.call.vendor][1],
            genai_request_timestamp=made.at,
            price_context=context,
        )
    except LookupError:
        return None
    return float(found.total_price)


def test_each_call_is_one_generation(day: Day, rows: list[dict[str, Any]]) -> None:
    assert len(day.made) >= CALLS
    assert len(rows) == len(day.made)


def test_tokens_add_up_to_what_was_said_on_the_wire(day: Day, rows: list[dict[str, Any]]) -> None:
    stored, said = Counter[str](), Counter[str]()
    for row in rows:
        stored.update(row.get("usage_details", {}))
    for made in day.made:
        said.update(made.wire.buckets(priced=reference_cost(made) is not None))
    assert +stored == +said
    assert all(said[bucket] > 0 for bucket in said)


def test_costs_add_up_to_what_was_reported_or_listed(day: Day, rows: list[dict[str, Any]]) -> None:
    stored = [row["cost_details"]["total"] for row in rows if row.get("cost_details")]
    said = [cost for made in day.made if (cost := reference_cost(made)) is not None]
    assert len(stored) == len(said)
    assert math.fsum(stored) == pytest.approx(math.fsum(said), abs=1e-9)
    assert sorted(stored) == pytest.approx(sorted(said), abs=1e-9)


def test_each_cost_is_the_sum_of_its_buckets(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        details = dict(row.get("cost_details") or {"total": 0.0})
        total = details.pop("total")
        assert not details or math.fsum(details.values()) == pytest.approx(total, abs=1e-12)
        assert details.keys() - {"request"} <= row["usage_details"].keys() if details else True


def test_the_day_had_everything(day: Day) -> None:
    """That the mix is one: no kind of call is missing by chance."""
    wires = [made.wire for made in day.made]
    assert {made.call.taking for made in day.made} == {"whole", "first bytes", "sdk"}
    assert {made.answer.status for made in day.made} >= {200, 400, 429, 500}
    assert any(not wire.known and made.answer.status == 200 for made, wire in zip(day.made, wires, strict=True))
    assert any(wire.input > 200_000 for wire in wires)
    assert {wire.tier for wire in wires} >= {"flex", "priority", "fast"}
    assert {made.at.hour < 17 for made in day.made if made.call.vendor == "deepseek"} == {True, False}
