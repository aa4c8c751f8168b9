"""``instrument(resolver=...)``: an admin's choice applied to calls of other clients, and nothing else of a request changed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from calling import Caller
from overrides import Chosen

from otel_llm import CaptureMode, agent, instrument, uninstrument
from otel_llm.guard import faults
from otel_llm.models.choice import ModelChoice
from otel_llm.testing.provider import FakeProvider
from otel_llm.testing.sink import SpanSink

OPENROUTER = "https://openrouter.ai/api/v1/chat/completions"
OPENAI = "https://api.openai.com/v1/chat/completions"
KEY = {"authorization": "Bearer sk-fake", "X-Title": "mine"}
QUESTION: dict[str, Any] = {"temperature": 0.5, "model": "the/default", "messages": [{"role": "user", "content": "Grüße?"}]}
ANSWER = {"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}}]}


@pytest.fixture
def chosen() -> Chosen:
    """Overrides that are switched on."""
    return Chosen(strategist="openai/gpt-5", trainer="openai/gpt-5:nitro")


@pytest.fixture
def overridden(recorded: SpanSink, chosen: Chosen) -> Iterator[SpanSink]:
    with SpanSink.provider() as (provider, spans):
        instrument(tracer_provider=provider, content=CaptureMode.SPAN_ONLY, resolver=chosen)
        yield spans
        uninstrument()


class Seen:
    """What reached the provider."""

    def __init__(self, caller: Caller) -> None:
        self.requests: list[Any] = []
        library = caller.library

        def answer(request: Any) -> Any:
            self.requests.append((request.method, str(request.url), request.headers.raw, bytes(request.content)))
            return library.Response(200, json=ANSWER)

        self.transport = library.MockTransport(answer)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(content) for *_, content in self.requests]


def test_a_request_to_openrouter_gets_the_agents_model(caller: Caller, overridden: SpanSink) -> None:
    seen = Seen(caller)
    with agent("strategist"):
        caller.post(OPENROUTER, QUESTION, transport=seen.transport, headers=KEY)
    caller.post(OPENROUTER, QUESTION, transport=seen.transport, headers=KEY)

    changed, plain = seen.requests
    assert seen.bodies == [{**QUESTION, "model": "openai/gpt-5"}, QUESTION]
    lengths = [
        dict(headers)[name] for _, _, headers, _ in seen.requests for name, _ in headers if name.lower() == b"content-length"
    ]
    assert lengths == [str(len(content)).encode() for *_, content in seen.requests]
    others = [[field for field in request[2] if field[0].lower() != b"content-length"] for request in (changed, plain)]
    assert others[0] == others[1]
    told = overridden.attributes(overridden.one(name="chat openai/gpt-5"))
    assert {name: value for name, value in told.items() if name.startswith("otel_llm.model")} == {
        "otel_llm.model.source": "override",
        "otel_llm.model.default": "openrouter:the/default",
        "otel_llm.model.set_by": "ada",
    }


@pytest.mark.parametrize(
    ("url", "name", "model"),
    [
        (OPENAI, "strategist", "gpt-5"),  # the same provider serves it under its own name
        (OPENAI, "trainer", "the/default"),  # a variant is OpenRouter's alone
        ("https://api.deepseek.com/chat/completions", "strategist", "the/default"),  # another provider
        ("https://openrouter.ai/api/v1/embeddings", "strategist", "the/default"),  # no chat
        (OPENROUTER, "nobody", "the/default"),  # no override
    ],
)
def test_only_who_serves_the_model_is_asked_for_it(
    caller: Caller, overridden: SpanSink, url: str, name: str, model: str
) -> None:
    seen = Seen(caller)
    with agent(name):
        caller.post(url, {**QUESTION, "input": "x"}, transport=seen.transport)
    assert [body["model"] for body in seen.bodies] == [model]


@pytest.mark.parametrize("content", [b"no JSON", b'{"messages": []}', b'["model"]'])
def test_what_names_no_model_goes_out_as_it_is(caller: Caller, overridden: SpanSink, content: bytes) -> None:
    seen = Seen(caller)
    with agent("strategist"):
        caller.post(OPENROUTER, content, transport=seen.transport)
    assert [content for *_, content in seen.requests] == [content]


async def test_a_body_that_is_produced_while_it_is_sent_is_left_alone(
    library: Any, overridden: SpanSink, fake: FakeProvider
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield json.dumps(QUESTION).encode()

    with agent("strategist"):
        async with library.AsyncClient() as client:
            await client.post(f"{fake.openrouter}/chat/completions", content=pieces(), headers=KEY)
    assert fake.exchanges[0].model == "the/default"


def test_a_fault_sends_the_request_as_it_was(caller: Caller, recorded: SpanSink) -> None:
    class Broken:
        def resolve(self, default: str, *, agent: str | None = None) -> ModelChoice:
            raise RuntimeError("broken")

    seen, before = Seen(caller), faults.count
    with SpanSink.provider() as (provider, _):
        instrument(tracer_provider=provider, resolver=Broken())
        with agent("strategist"):
            caller.post(OPENROUTER, QUESTION, transport=seen.transport)
        uninstrument()
    assert seen.bodies == [QUESTION]
    assert faults.count == before + 1
    faults.count = before


def test_without_a_resolver_nothing_is_changed(caller: Caller, recorded: SpanSink) -> None:
    seen = Seen(caller)
    with agent("strategist"):
        caller.post(OPENROUTER, QUESTION, transport=seen.transport)
    uninstrument()
    with agent("strategist"):
        caller.post(OPENROUTER, QUESTION, transport=seen.transport)
    assert seen.requests[0] == seen.requests[1]


def test_a_streamed_answer_is_untouched(caller: Caller, overridden: SpanSink, fake: FakeProvider, monkeypatch: Any) -> None:
    monkeypatch.setattr("otel_llm.endpoints._configured", None)
    monkeypatch.setenv("OTEL_LLM_PROVIDER_HOSTS", f"127.0.0.1:{fake.port}=openrouter")
    with agent("strategist"):
        read = caller.post(f"{fake.openrouter}/chat/completions", {**QUESTION, "stream": True}, stream=True, headers=KEY)
    (exchange,) = fake.exchanges
    assert (exchange.model, read) == ("openai/gpt-5", exchange.sent)


@pytest.mark.parametrize("given", [{"json": QUESTION}, {"data": json.dumps(QUESTION)}, {"data": json.dumps(QUESTION).encode()}])
async def test_aiohttp_too(overridden: SpanSink, fake: FakeProvider, given: dict[str, Any], monkeypatch: Any) -> None:
    monkeypatch.setattr("otel_llm.endpoints._configured", None)
    monkeypatch.setenv("OTEL_LLM_PROVIDER_HOSTS", f"127.0.0.1:{fake.port}=openrouter")
    with agent("strategist"):
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{fake.openrouter}/chat/completions", headers=KEY, **given) as response,
        ):
            await response.read()
    assert fake.exchanges[0].body == {**QUESTION, "model": "openai/gpt-5"}


async def test_the_client_has_chosen_already(overridden: SpanSink, fake: FakeProvider, monkeypatch: Any) -> None:
    from otel_llm import LLM

    monkeypatch.setenv("OPENROUTER_BASE_URL", fake.openrouter)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-fake")
    monkeypatch.setattr("otel_llm.endpoints._configured", None)
    monkeypatch.setenv("OTEL_LLM_PROVIDER_HOSTS", f"127.0.0.1:{fake.port}=openrouter")
    with agent("strategist"):
        await LLM("openrouter:the/default", resolver=Chosen()).complete(user="Why?", model="openrouter:my/own")
    assert fake.exchanges[0].model == "my/own"
