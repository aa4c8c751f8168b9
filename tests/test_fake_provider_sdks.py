"""FakeProvider is accepted by the vendors' own SDKs."""

import json

import anthropic
import httpx
import openai
import pytest

from otel_llm.protocols.facts import Usage
from otel_llm.testing.provider import FakeProvider, Reply, ToolCall

KEY = {"authorization": "Bearer sk-fake"}
HELLO = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hello"}]}
CLAUDE = {"model": "claude-sonnet-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
SEARCH = ToolCall("search", {"query": "weather"}, id="call_1")


@pytest.fixture
def fake():
    with FakeProvider(pause_s=0.0) as fake:
        yield fake
    assert fake.failures == []


@pytest.fixture
def gpt(fake):
    with openai.OpenAI(base_url=fake.openai, api_key="sk-fake", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(fake):
    with anthropic.Anthropic(base_url=fake.anthropic, api_key="sk-ant-fake", max_retries=0) as client:
        yield client


def post(url, body, **options):
    return httpx.post(url, json=body, headers=options.pop("headers", KEY), **options)


def events(response):
    """The decoded data of a stream's events, without [DONE]."""
    lines = [line.removeprefix("data: ") for line in response.text.split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


# --- OpenAI's SDK -----------------------------------------------------------------------------------------------------


def test_openai_sdk_plain(fake, gpt):
    fake.reply(Reply(text="Hi.", usage=Usage(input_tokens=12, output_tokens=3, cache_read=8)))
    answer = gpt.chat.completions.create(**HELLO)
    assert (answer.id, answer.model, answer.choices[0].message.content, answer.choices[0].finish_reason) == (
        "chatcmpl-000001",
        "gpt-5-mini",
        "Hi.",
        "stop",
    )
    assert answer.usage.model_dump(exclude_none=True) == {
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def test_openai_sdk_stream_with_usage(fake, gpt):
    fake.reply(Reply(text="Hello there.", stream_pieces=3))
    chunks = list(gpt.chat.completions.create(**HELLO, stream=True, stream_options={"include_usage": True}))
    assert [chunk.choices[0].delta.content for chunk in chunks if chunk.choices] == ["", "Hell", "o th", "ere.", None]
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert [chunk.usage and chunk.usage.total_tokens for chunk in chunks] == [None, None, None, None, None, 5]


def test_openai_streams_say_null_until_the_usage_comes(fake):
    fake.reply(Reply(text="Hi", stream_pieces=1))
    chunks = events(
        post(f"{fake.openai}/chat/completions", {**HELLO, "stream": True, "stream_options": {"include_usage": True}})
    )
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None, None, None]
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["total_tokens"]) == ([], 3)


def test_openai_sdk_stream_has_no_usage_unless_asked(fake, gpt):
    chunks = list(gpt.chat.completions.create(**HELLO, stream=True))
    assert [chunk.usage for chunk in chunks] == [None] * len(chunks)
    assert fake.usage == Usage()


def test_openai_sdk_stream_of_parallel_tool_calls(fake, gpt):
    fake.reply(Reply(tool_calls=[SEARCH, ToolCall("clock")]))
    with gpt.chat.completions.stream(**HELLO) as stream:
        choice = stream.get_final_completion().choices[0]
    assert choice.finish_reason == "tool_calls"
    assert [(call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls] == [
        ("call_1", "search", '{"query": "weather"}'),
        ("call_0000011", "clock", "{}"),
    ]


async def test_openai_sdk_async_plain_and_stream(fake):
    async with openai.AsyncOpenAI(base_url=fake.openai, api_key="sk-fake", max_retries=0) as client:
        plain = await client.chat.completions.create(**HELLO)
        stream = await client.chat.completions.create(**HELLO, stream=True)
        streamed = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert (plain.choices[0].message.content, "".join(streamed)) == ("You said: Hello", "You said: Hello")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
    ],
)
def test_openai_sdk_errors(fake, gpt, status, kind):
    fake.reply(Reply(status=status))
    with pytest.raises(kind):
        gpt.chat.completions.create(**HELLO)


def test_openai_sdk_error_inside_a_stream(fake, gpt):
    fake.reply(Reply(text="Half", error="It broke."))
    with pytest.raises(openai.APIError, match=r"It broke\."):
        list(gpt.chat.completions.create(**HELLO, stream=True))


def test_openai_sdk_retries(fake):
    fake.reply(Reply(status=500, headers={"retry-after-ms": "1"}))
    with openai.OpenAI(base_url=fake.openai, api_key="sk-fake", max_retries=1) as client:
        assert client.chat.completions.create(**HELLO).choices[0].message.content == "You said: Hello"
    assert [(exchange.status, exchange.headers["x-stainless-retry-count"]) for exchange in fake.exchanges] == [
        (500, "0"),
        (200, "1"),
    ]


def test_openai_sdk_lists_models(gpt):
    assert [model.id for model in gpt.models.list()] == ["gpt-5-mini", "claude-sonnet-5"]


# --- Anthropic's SDK --------------------------------------------------------------------------------------------------


def test_anthropic_sdk_plain(fake, claude):
    fake.reply(
        Reply(
            text="Hi.",
            reasoning="Greet.",
            tool_calls=[SEARCH],
            usage=Usage(input_tokens=20, output_tokens=7, cache_read=8, cache_write=2, cache_write_1h=1),
        )
    )
    message = claude.messages.create(**CLAUDE)
    assert message.model_dump(exclude_none=True) == {
        "id": "msg_000001",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": [
            {"type": "thinking", "thinking": "Greet.", "signature": "c2lnbmVk"},
            {"type": "text", "text": "Hi."},
            {"type": "tool_use", "id": "call_1", "name": "search", "input": {"query": "weather"}},
        ],
        "stop_reason": "tool_use",
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 2,
            "cache_read_input_tokens": 8,
            "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 1},
            "output_tokens": 7,
            "output_tokens_details": {"thinking_tokens": 2},
            "service_tier": "standard",
        },
    }


def test_anthropic_sdk_stream_gives_the_same_message_as_plain(fake, claude):
    reply = Reply(text="Hi.", reasoning="Greet.", tool_calls=[SEARCH, ToolCall("clock", id="toolu_2")])
    fake.reply(reply, reply)
    plain = claude.messages.create(**CLAUDE)
    with claude.messages.stream(**CLAUDE) as stream:
        streamed = stream.get_final_message()
    assert streamed.model_dump(exclude={"id"}) == plain.model_dump(exclude={"id"})


def test_anthropic_sdk_raw_stream(claude):
    kinds = [event.type for event in claude.messages.create(**CLAUDE, stream=True)]
    assert kinds == [
        "message_start",
        "content_block_start",
        *["content_block_delta"] * 4,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


async def test_anthropic_sdk_async(fake):
    async with anthropic.AsyncAnthropic(base_url=fake.anthropic, api_key="sk-ant-fake") as client:
        plain = await client.messages.create(**CLAUDE)
        async with client.messages.stream(**CLAUDE) as stream:
            streamed = await stream.get_final_text()
    assert (plain.content[0].text, streamed) == ("You said: Hello", "You said: Hello")


def test_anthropic_sdk_counts_tokens(fake, claude):
    assert claude.messages.count_tokens(model="claude-sonnet-5", messages=CLAUDE["messages"]).input_tokens == 2
    assert fake.usage == Usage()


def test_anthropic_sdk_overloaded_inside_a_stream(fake, claude):
    fake.reply(Reply(text="Half", error="Overloaded"))
    with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
        list(claude.messages.create(**CLAUDE, stream=True))
