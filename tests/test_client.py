"""LLM: one client for all providers, with the model that each agent is due, recorded as any other call."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from overrides import Chosen
from pydantic import BaseModel

from otel_llm import LLM, ConfigurationError, LLMError, Reply, Service, agent, errors
from otel_llm.client.http import IDLE_S, _by_loop, shared_client
from otel_llm.client.services import Services
from otel_llm.models.choice import ModelChoice, chosen_model
from otel_llm.protocols import Usage
from otel_llm.testing.provider import FakeProvider, ToolCall
from otel_llm.testing.provider import Reply as Says
from otel_llm.testing.sink import SpanSink

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8
DATA_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.fixture(autouse=True)
def _services(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, url in (("OPENAI", fake.openai), ("ANTHROPIC", fake.anthropic), ("OPENROUTER", fake.openrouter)):
        monkeypatch.setenv(f"{name}_BASE_URL", url)
        monkeypatch.setenv(f"{name}_API_KEY", f"sk-{name.lower()}")
    monkeypatch.delenv("OTEL_LLM_MODEL_FALLBACK", raising=False)


def llm(default: str = "openai:gpt-5-mini", **options: Any) -> LLM:
    return LLM(default, **{"resolver": Chosen(), **options})


async def items(stream: AsyncIterator[str | Reply]) -> list[str | Reply]:
    return [item async for item in stream]


# --- one way to ask, whoever answers ------------------------------------------------------------------------------------


async def test_a_question_in_openais_words(fake: FakeProvider) -> None:
    fake.reply(Says(text="Because.", usage=Usage(input_tokens=12, output_tokens=3)))

    reply = await llm().complete("Be brief.", "Why?", temperature=0.5, max_tokens=50, extra={"seed": 7})

    (exchange,) = fake.exchanges
    assert exchange.headers["authorization"] == "Bearer sk-openai"
    assert exchange.body == {
        "model": "gpt-5-mini",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}],
        "temperature": 0.5,
        "max_completion_tokens": 50,
        "seed": 7,
    }
    assert (reply.text, reply.model, reply.finish_reason) == ("Because.", "gpt-5-mini", "stop")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (12, 3)
    assert reply.choice == ModelChoice("openai", "gpt-5-mini", "OPENAI_API_KEY", "default", default="openai:gpt-5-mini")


@pytest.mark.parametrize("provider", ["claude", "anthropic"])
async def test_the_same_question_in_anthropics_words(fake: FakeProvider, provider: str) -> None:
    fake.reply(Says(text="Because."))

    reply = await llm(f"{provider}:claude-sonnet-5").complete("Be brief.", "Why?", temperature=0.5)

    (exchange,) = fake.exchanges
    assert (exchange.path, exchange.headers["x-api-key"]) == ("/anthropic/v1/messages", "sk-anthropic")
    assert exchange.headers["anthropic-version"] == "2023-06-01"
    assert exchange.body == {
        "model": "claude-sonnet-5",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": "Why?"}],
        "system": "Be brief.",
        "temperature": 0.5,
    }
    assert (reply.text, reply.finish_reason) == ("Because.", "stop")


@pytest.mark.parametrize("name", ["openrouter", "deepseek", "groq", "gemini", "xai", "mistral", "ollama"])
async def test_every_service_answers_plain_and_streamed(fake: FakeProvider, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{name.upper()}_API_KEY", "sk-fake")
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    vendor = {"gemini": "google"}.get(name, name)
    moved = [] if name == "openrouter" else [Service(name=name, base_url=f"{getattr(fake, vendor)}/v1")]
    fake.reply(Says(text="Because."), Says(text="Because."))

    asked = llm(f"{name}:some-model", services=moved)
    assert (await asked.complete(user="Why?")).text == "Because."
    *pieces, reply = await items(asked.stream(user="Why?"))

    assert "".join(map(str, pieces)) == "Because."
    assert isinstance(reply, Reply)
    assert (reply.text, reply.finish_reason) == ("Because.", "stop")
    assert reply.usage.output_tokens
    assert {exchange.vendor for exchange in fake.exchanges} == {vendor}


async def test_ones_own_service_needs_a_row_and_no_more(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORP_LLM_API_KEY", "sk-corp")
    reply = await llm("corp-llm:llama", services=[Service(name="corp-llm", base_url=fake.openai)]).complete(user="Why?")
    assert reply.text == "You said: Why?"
    assert fake.exchanges[0].headers["authorization"] == "Bearer sk-corp"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("gpu.internal:8080", "http://gpu.internal:8080/v1"),
        ("https://ollama.internal/", "https://ollama.internal/v1"),
        ("[::1]:11434", "http://[::1]:11434/v1"),
    ],
)
def test_ollama_is_where_its_own_variable_says(host: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert Services().of(chosen_model("ollama:qwen3", "default")).base_url == url


# --- conversations, tools, images -----------------------------------------------------------------------------------------


TOOL = {
    "name": "look_up",
    "description": "Finds it.",
    "parameters": {"type": "object", "properties": {"id": {"type": "integer"}}},
}


@pytest.mark.parametrize("model", ["openai:gpt-5-mini", "claude:claude-sonnet-5"])
async def test_a_tool_is_called_and_its_result_goes_back(fake: FakeProvider, model: str) -> None:
    fake.reply(Says(text="Let me see.", tool_calls=[ToolCall("look_up", {"id": 7}, id="call_1")]), Says(text="Seven."))
    asked, question = llm(model), [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Which?"}]

    first = await asked.chat(question, tools=[TOOL], tool_choice="required")
    (call,) = first.tool_calls
    assert (call.id, call.name, call.arguments, first.finish_reason) == ("call_1", "look_up", {"id": 7}, "tool_call")

    result = {"role": "tool", "tool_call_id": call.id, "content": "7"}
    assert (await asked.chat([*question, first.message, result], tools=[TOOL])).text == "Seven."
    one, two = (exchange.body for exchange in fake.exchanges)
    if model.startswith("openai"):
        assert one["tools"] == [{"type": "function", "function": TOOL}]
        assert one["tool_choice"] == "required"
        assert two["messages"][2]["tool_calls"] == [
            {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"id": 7}'}}
        ]
        assert two["messages"][3] == result
    else:
        assert one["tools"] == [{"name": "look_up", "description": "Finds it.", "input_schema": TOOL["parameters"]}]
        assert one["tool_choice"] == {"type": "any"}
        assert two["messages"] == [
            {"role": "user", "content": "Which?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "Let me see."},
                    {"type": "tool_use", "id": "call_1", "name": "look_up", "input": {"id": 7}},
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "7"}]},
        ]


async def test_results_of_several_tools_are_one_turn_for_anthropic(fake: FakeProvider) -> None:
    calls = [{"id": n, "function": {"name": "look_up", "arguments": "{}"}} for n in ("a", "b")]
    results = [{"role": "tool", "tool_call_id": n, "content": n.upper()} for n in ("a", "b")]
    await llm("claude:x").chat([{"role": "user", "content": "Go"}, {"role": "assistant", "tool_calls": calls}, *results])
    assert fake.exchanges[0].body["messages"][2:] == [
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "A"},
                {"type": "tool_result", "tool_use_id": "b", "content": "B"},
            ],
        }
    ]


@pytest.mark.parametrize("form", ["bytes", "path", "text path", "data url"])
async def test_an_image_may_come_in_any_form(fake: FakeProvider, form: str, tmp_path: Path) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(PNG)
    image: Any = {"bytes": PNG, "path": path, "text path": str(path), "data url": DATA_URL}[form]

    await llm().complete(user="What is it?", image=image)
    await llm("claude:x").complete(user="What is it?", image=[image, "https://example.com/cat.png"])

    openai, claude = (exchange.body["messages"][0]["content"] for exchange in fake.exchanges)
    assert openai == [{"type": "image_url", "image_url": {"url": DATA_URL}}, {"type": "text", "text": "What is it?"}]
    assert claude == [
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": base64.b64encode(PNG).decode()},
        },
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
        {"type": "text", "text": "What is it?"},
    ]


async def test_what_is_no_image_is_refused_before_anything_is_sent(fake: FakeProvider) -> None:
    with pytest.raises(ConfigurationError, match="neither PNG"):
        await llm().complete(user="What is it?", image=b"%PDF-1.7")
    assert fake.exchanges == []


async def test_an_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="no such option: temprature; there are model, agent, tools"):
        await llm().complete(user="Why?", temprature=1)  # type: ignore[call-arg]


# --- structured output ------------------------------------------------------------------------------------------------


class Answer(BaseModel):
    city: str
    people: int


@pytest.mark.parametrize("model", ["openai:gpt-5-mini", "claude:claude-sonnet-5"])
async def test_structured_output_is_checked(fake: FakeProvider, model: str) -> None:
    fake.reply(Says(text='Here:\n```json\n{"city": "Bern", "people": 144000}\n```'))
    reply = await llm(model).complete("Be exact.", "Capital?", json=Answer)
    assert reply.parsed == Answer(city="Bern", people=144000)
    body = fake.exchanges[0].body
    assert json.dumps(Answer.model_json_schema()) in fake.exchanges[0].text
    if model.startswith("openai"):
        assert body["response_format"]["json_schema"]["schema"] == Answer.model_json_schema()
    else:
        assert "response_format" not in body


async def test_an_answer_that_does_not_fit_is_asked_for_once_more(fake: FakeProvider) -> None:
    fake.reply(Says(text='{"city": "Bern", "people": "many"}'), Says(text='{"city": "Bern", "people": 144000}'))
    reply = await llm().complete(user="Capital?", json=Answer)
    assert reply.parsed == Answer(city="Bern", people=144000)
    assert [message["role"] for message in fake.exchanges[1].body["messages"]] == ["system", "user", "assistant", "user"]
    assert "people: Input should be a valid integer" in fake.exchanges[1].last_text


async def test_an_answer_that_never_fits_is_an_error_without_its_values(fake: FakeProvider) -> None:
    fake.reply(Says(text="I would rather not."), Says(text='{"city": 1, "people": "SECRET"}'))
    with pytest.raises(errors.OutputError) as caught:
        await llm().complete(user="Capital?", json=Answer)
    assert str(caught.value).startswith(
        "openai:gpt-5-mini: the answer does not fit: city: Input should be a valid string; people"
    )
    assert "SECRET" not in str(caught.value)
    assert caught.value.text == '{"city": 1, "people": "SECRET"}'
    assert len(fake.exchanges) == 2


# --- embeddings -------------------------------------------------------------------------------------------------------


async def test_embeddings_come_in_order_and_no_override_touches_them(fake: FakeProvider) -> None:
    asked = llm(embeddings="openai:text-embedding-3-small", resolver=Chosen(strategist="openai/gpt-5"))
    with agent("strategist"):
        found = await asked.embed(["a", "b"])
    assert fake.exchanges[0].body == {"model": "text-embedding-3-small", "input": ["a", "b"]}
    assert [len(vector) for vector in found.vectors] == [8, 8]
    assert found.vectors[0] != found.vectors[1]
    assert found.choice.text == "openai:text-embedding-3-small"


async def test_who_has_no_embeddings_says_so() -> None:
    with pytest.raises(ConfigurationError, match="anthropic has no embeddings"):
        await llm().embed(["a"], model="claude:claude-sonnet-5")
    with pytest.raises(ConfigurationError, match="no model for embeddings"):
        await llm().embed(["a"])


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("says", "kind", "category", "message"),
    [
        (Says(status=401), errors.AuthenticationError, "auth", "Incorrect API key provided. (check the key in OPENAI_API_KEY)"),
        (Says(status=403), errors.AuthenticationError, "permission", "Your key has no access to this."),
        (Says(status=402, error="Insufficient credits"), errors.QuotaError, "quota", "add credit"),
        (Says(status=404), errors.ModelNotFoundError, "not_found", "There is no such model."),
        (Says(status=400, error="x is not a valid model ID"), errors.ModelNotFoundError, "not_found", "check the model's name"),
        (Says(status=400, error="maximum context length is 8192"), errors.RequestRefusedError, "context_length", "8192"),
        (Says(status=400, error="content_filter"), errors.RequestRefusedError, "content_filter", "content_filter"),
        (Says(status=400, error="No."), errors.RequestRefusedError, "invalid_request", "No."),
    ],
)
async def test_an_error_tells_its_cause_and_is_not_tried_again(
    fake: FakeProvider, says: Says, kind: type[LLMError], category: str, message: str
) -> None:
    fake.reply(says)
    with pytest.raises(kind) as caught:
        await llm().complete(user="Why?")
    assert (caught.value.category, caught.value.status) == (category, says.status)
    assert caught.value.model == "openai:gpt-5-mini"
    assert message in str(caught.value)
    assert len(fake.exchanges) == 1


async def test_no_error_repeats_a_key(fake: FakeProvider) -> None:
    fake.reply(Says(status=401, error="Incorrect API key provided: sk-openai."))
    with pytest.raises(errors.AuthenticationError, match=r"provided: \*\*\*\.") as caught:
        await llm().complete(user="Why?")
    assert "sk-openai" not in repr(caught.value)


async def test_a_missing_key_names_its_variable(monkeypatch: pytest.MonkeyPatch, fake: FakeProvider) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY is not set, and openai:gpt-5-mini needs it"):
        await llm().complete(user="Why?")
    assert fake.exchanges == []


@pytest.mark.parametrize("default", ["gpt-5", "nobody:gpt-5", "openai:"])
def test_a_default_that_cannot_be_is_refused_at_once(default: str) -> None:
    with pytest.raises(ConfigurationError):
        LLM(default)


PASSING = {
    "429": Says(status=429, headers={"retry-after": "0"}),
    "503": Says(status=503, headers={"retry-after": "0"}),
    "529": Says(status=529, headers={"retry-after-ms": "1"}),
    "500": Says(status=500, headers={"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    "no answer": Says(drop_at=0),
}


@pytest.mark.parametrize("says", [*PASSING.values(), Says(drop_at=20)], ids=[*PASSING, "half an answer"])
async def test_what_passes_is_tried_again(fake: FakeProvider, says: Says, recorded: SpanSink) -> None:
    fake.reply(says, Says(text="Because."))
    assert (await llm().complete(user="Why?")).text == "Because."
    first, second = recorded.calls
    assert (first.status.status_code.name, second.status.status_code.name) == ("ERROR", "UNSET")
    assert recorded.attributes(second)["http.request.resend_count"] == 1


@pytest.mark.parametrize("says", PASSING.values(), ids=PASSING)
async def test_a_stream_that_has_not_begun_is_tried_again(fake: FakeProvider, says: Says) -> None:
    fake.reply(says, Says(text="Because."))
    *pieces, reply = await items(llm().stream(user="Why?"))
    assert "".join(map(str, pieces)) == "Because."
    assert isinstance(reply, Reply)


async def test_a_stream_that_is_left_early_is_abandoned_and_its_connection_given_up(
    fake: FakeProvider, recorded: SpanSink
) -> None:
    fake.reply(Says(text="Because of this. " * 100, stream_pieces=1000))
    async with aclosing(llm().stream(user="Why?")) as stream:
        assert await anext(stream) == "B"
    (span,) = recorded.calls
    assert recorded.attributes(span)["otel_llm.ending"] == "abandoned"


async def test_retries_end(fake: FakeProvider) -> None:
    fake.reply(*[Says(status=429, headers={"retry-after": "0"})] * 3, Says(text="Too late."))
    with pytest.raises(errors.RateLimitError):
        await llm(retries=2).complete(user="Why?")
    assert len(fake.exchanges) == 3
    fake.reply(Says(text="unused"))  # both replies that are left
    assert [(await llm().complete(user="Why?")).text for _ in range(2)] == ["Too late.", "unused"]


async def test_a_wait_beyond_the_deadline_is_not_begun(fake: FakeProvider) -> None:
    fake.reply(Says(status=429, headers={"retry-after": "3600"}))
    with pytest.raises(errors.RateLimitError) as caught:
        await llm().complete(user="Why?")
    assert caught.value.retry_after_s == 3600
    assert len(fake.exchanges) == 1


@pytest.mark.parametrize("stall_at", [0, 30])
async def test_no_answer_in_time_is_recorded_as_a_timeout(
    fake: FakeProvider, recorded: SpanSink, stall_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The HTTP library counts from the last piece, which may come late here: it is to be first nevertheless.
    monkeypatch.setattr("otel_llm.client.send._GRACE_S", 30.0)
    fake.reply(Says(stall_at=stall_at))
    with pytest.raises(errors.DeadlineError):
        await llm(timeout_s=1.0).complete(user="Why?")
    (span,) = recorded.calls
    assert recorded.attributes(span)["otel_llm.error.category"] == "timeout"


async def test_an_error_inside_a_stream_is_raised_after_the_text(fake: FakeProvider) -> None:
    fake.reply(Says(text="Be", error="The server is overloaded"))
    stream = llm("openrouter:x/y").stream(user="Why?")
    assert [await anext(stream), await anext(stream)] == ["B", "e"]
    with pytest.raises(errors.ProviderError, match="overloaded"):
        await anext(stream)


@pytest.mark.parametrize("cut", [{"drop_at": 400}, {"truncate_at": 400}])
async def test_a_stream_that_breaks_off_is_no_answer(fake: FakeProvider, cut: dict[str, int]) -> None:
    fake.reply(Says(text="Because of this.", **cut))  # type: ignore[arg-type]
    with pytest.raises(errors.NoConnectionError):
        await items(llm().stream(user="Why?"))


# --- recording, underneath --------------------------------------------------------------------------------------------


async def test_a_call_is_one_span_of_its_agent(fake: FakeProvider, recorded: SpanSink) -> None:
    fake.reply(Says(text="Because."))
    with agent("strategist"):
        await llm(resolver=Chosen(strategist="anthropic/claude-sonnet-4.5")).complete(user="Why?")

    seen = recorded.attributes(recorded.one(name="chat anthropic/claude-sonnet-4.5"))
    assert {name: value for name, value in seen.items() if name.startswith(("otel_llm.model", "gen_ai.agent"))} == {
        "gen_ai.agent.name": "strategist",
        "otel_llm.model.source": "override",
        "otel_llm.model.default": "openai:gpt-5-mini",
        "otel_llm.model.set_by": "ada",
    }
    assert seen["gen_ai.usage.output_tokens"] > 0
    assert fake.exchanges[0].headers["authorization"] == "Bearer sk-openrouter"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("status", [404, 402, 401])
async def test_an_override_that_fails_gives_way_where_that_is_allowed(
    fake: FakeProvider, recorded: SpanSink, status: int, streamed: bool
) -> None:
    fake.reply(Says(status=status), Says(text="Because."))
    asked = llm(resolver=Chosen(strategist="no/such"), fallback=True)
    with agent("strategist"):
        reply = (await items(asked.stream(user="Why?")))[-1] if streamed else await asked.complete(user="Why?")

    assert isinstance(reply, Reply)
    assert reply.choice is not None
    assert (reply.text, reply.choice.text, reply.choice.source) == ("Because.", "openai:gpt-5-mini", "fallback")
    failed, answered = (recorded.attributes(span) for span in recorded.calls)
    assert failed["otel_llm.model.source"] == "override"
    assert (answered["otel_llm.model.source"], answered["otel_llm.model.fallback_from"]) == ("fallback", "openrouter:no/such")


async def test_without_leave_an_override_that_fails_is_an_error(fake: FakeProvider) -> None:
    fake.reply(Says(status=404))
    with agent("strategist"), pytest.raises(errors.ModelNotFoundError, match="openrouter:no/such: There is no such model"):
        await llm(resolver=Chosen(strategist="no/such")).complete(user="Why?")


async def test_the_environment_may_give_leave(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_MODEL_FALLBACK", "true")
    fake.reply(Says(status=404))
    with agent("strategist"):
        assert (await llm(resolver=Chosen(strategist="no/such")).complete(user="Why?")).text == "You said: Why?"


async def test_the_calls_own_model_and_agent_come_first(fake: FakeProvider) -> None:
    asked = llm(resolver=Chosen(strategist="a/b", critic="c/d"))
    with agent("strategist"):
        named = await asked.complete(user="Why?", model="openai:gpt-5")
        critics = [await asked.complete(user="Why?", agent="critic"), await asked.for_agent("critic").complete(user="Why?")]
    assert named.choice is not None
    assert (named.choice.text, named.choice.source) == ("openai:gpt-5", "argument")
    assert [critic.choice.text for critic in critics if critic.choice] == ["openrouter:c/d"] * 2


# --- connections ------------------------------------------------------------------------------------------------------


async def test_clients_are_shared_by_service_and_key_and_closed_when_idle() -> None:
    place, elsewhere = ("http://a", "k1"), ("http://a", "k2")
    async with shared_client(place) as one, shared_client(place) as same, shared_client(elsewhere) as other:
        assert one is same
        assert one is not other
    async with shared_client(("http://a", "k1")) as again:
        assert again is one
    (clients,) = [clients for clients in _by_loop.values() if ("http://a", "k1") in clients.shared]
    closing = clients.shared["http://a", "k1"].closing
    assert closing is not None
    assert 0 < closing.when() - clients._loop.time() <= IDLE_S
    clients.close_idle(("http://a", "k1"))
    assert ("http://a", "k1") not in clients.shared
    await asyncio.gather(*clients._closings)
    assert one.is_closed


def test_the_end_of_a_loop_closes_its_clients() -> None:
    async def use() -> Any:
        async with shared_client(("http://a", "k")) as client:
            return client

    assert asyncio.run(use()).is_closed
    assert asyncio.run(use()).is_closed
    assert not [loop for loop in _by_loop if loop.is_closed()]


@pytest.fixture(autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    yield
    assert not [loop for loop in _by_loop if loop.is_closed()]
