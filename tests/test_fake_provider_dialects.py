"""FakeProvider speaks each vendor's dialect, also in its errors."""

import json

import httpx
import pytest

from otel_llm.protocols import PROTOCOLS
from otel_llm.protocols.facts import Usage
from otel_llm.testing.provider import FakeProvider, Reply

KEY = {"authorization": "Bearer sk-fake"}
HELLO = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hello"}]}
CLAUDE = {"model": "claude-sonnet-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def fake():
    with FakeProvider(pause_s=0.0) as fake:
        yield fake
    assert fake.failures == []


def post(url, body, **options):
    return httpx.post(url, json=body, headers=options.pop("headers", KEY), **options)


def events(response):
    """The decoded data of a stream's events, without [DONE]."""
    lines = [line.removeprefix("data: ") for line in response.text.split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


# --- dialects ---------------------------------------------------------------------------------------------------------


def test_openrouter_stream_byte_by_byte(fake):
    fake.reply(Reply(text="Hi", stream_pieces=1, usage=Usage(input_tokens=10, output_tokens=2, cost=0.00012)))
    body = {**HELLO, "model": "anthropic/claude-sonnet-4.5", "stream": True}
    head = (
        '{"id":"gen-000001","object":"chat.completion.chunk","created":1760000000,'
        '"model":"anthropic/claude-sonnet-4.5-20260217","system_fingerprint":"fp_0000000001","provider":"Anthropic",'
        '"choices":[{"index":0,"delta":'
    )
    open_end, stop = (
        '"logprobs":null,"finish_reason":null,"native_finish_reason":null}]',
        '"finish_reason":"stop","native_finish_reason":"stop"}]',
    )
    usage = (
        '"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12,'
        '"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0},'
        '"cost":0.00012,"is_byok":false,"cost_details":{"upstream_inference_cost":0.00012}}'
    )
    assert post(f"{fake.openrouter}/chat/completions", body).text == (
        ": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n"
        f'data: {head}{{"role":"assistant","content":""}},{open_end}}}\n\n'
        f'data: {head}{{"content":"Hi"}},{open_end}}}\n\n'
        f'data: {head}{{}},"logprobs":null,{stop}}}\n\n'
        f'data: {head}{{"role":"assistant","content":""}},{open_end},{usage}}}\n\n'
        "data: [DONE]\n\n"
    )


def test_anthropic_stream_byte_by_byte(fake):
    fake.reply(Reply(text="Hi", stream_pieces=1, usage=Usage(input_tokens=10, output_tokens=2, cache_read=4)))
    counts = '"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4'
    assert post(f"{fake.anthropic}/v1/messages", {**CLAUDE, "stream": True}).text == (
        'event: message_start\ndata: {"type":"message_start","message":{"model":"claude-sonnet-5","id":"msg_000001",'
        '"type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{'
        f'{counts},"cache_creation":{{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0}},'
        '"output_tokens":1,"service_tier":"standard"}}}\n\n'
        'event: ping\ndata: {"type":"ping"       }\n\n'
        "event: content_block_start\n"
        'data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}              }\n\n'
        "event: content_block_delta\n"
        'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}     }\n\n'
        'event: content_block_stop\ndata: {"type":"content_block_stop","index":0            }\n\n'
        'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},'
        f'"usage":{{{counts},"output_tokens":2}}   }}\n\n'
        'event: message_stop\ndata: {"type":"message_stop"          }\n\n'
    )


USAGE = Usage(input_tokens=20, output_tokens=9, cache_read=8, reasoning=4)
COUNTS = {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29}
THOUGHT = {"completion_tokens_details": {"reasoning_tokens": 4}}
CACHED = {"prompt_tokens_details": {"cached_tokens": 8}}
TIMES = {"queue_time": 0.005, "prompt_time": 0.014, "completion_time": 0.11, "total_time": 0.124}


@pytest.mark.parametrize(
    ("vendor", "choices", "usage"),
    [
        ("xai", 0, COUNTS | THOUGHT | CACHED | {"completion_tokens": 5}),
        ("deepseek", 1, COUNTS | THOUGHT | CACHED | {"prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 12}),
        ("groq", 1, COUNTS | THOUGHT | CACHED | TIMES),
        ("together", 1, COUNTS | THOUGHT | {"cached_tokens": 8, "prompt_tokens_details": {}}),
        ("perplexity", 1, COUNTS | THOUGHT | CACHED),
    ],
)
def test_last_chunk_and_plain_body_carry_the_usage_in_the_vendors_shape(fake, vendor, choices, usage):
    fake.reply(Reply(text="Hi", usage=USAGE), Reply(text="Hi", usage=USAGE))
    url = f"{getattr(fake, vendor)}/chat/completions"
    last = events(post(url, {**HELLO, "stream": True}))[-1]
    assert (len(last["choices"]), last["usage"]) == (choices, usage)
    assert post(url, HELLO).json()["usage"] == usage
    assert fake.usage == Usage(40, 18, cache_read=16, reasoning=8)


def test_groq_repeats_its_usage_in_x_groq(fake):
    chunks = events(post(f"{fake.groq}/chat/completions", {**HELLO, "stream": True}))
    assert chunks[-1]["x_groq"] == {"id": "req_000001", "usage": chunks[-1]["usage"]}


def test_perplexity_counts_up_in_every_chunk(fake):
    fake.reply(Reply(text="Hi", usage=USAGE))
    chunks = events(post(f"{fake.perplexity}/chat/completions", {**HELLO, "stream": True}))
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks] == [2, 4, 6, 9]
    assert chunks[-1]["object"] == "chat.completion.done"


@pytest.mark.parametrize(
    ("vendor", "delta"),
    [
        (
            "openrouter",
            {"reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm.", "index": 0, "format": None}]},
        ),
        ("deepseek", {"reasoning_content": "Hm."}),
        ("groq", {"reasoning": "Hm.", "channel": "analysis"}),
    ],
)
def test_reasoning_comes_in_the_vendors_own_fields(fake, vendor, delta):
    fake.reply(Reply(text="Hi", reasoning="Hm.", stream_pieces=1))
    chunks = events(post(f"{getattr(fake, vendor)}/chat/completions", {**HELLO, "stream": True}))
    assert chunks[1]["choices"][0]["delta"] == delta


def test_paths_of_no_vendor_speak_the_chosen_dialect():
    with FakeProvider(vendor="groq") as fake:
        assert "x_groq" in post(f"{fake.base_url}/v1/chat/completions", HELLO).json()


@pytest.mark.parametrize("vendor", ["openai", "openrouter", "deepseek", "groq", "xai", "together", "perplexity", "anthropic"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "usage", [None, Usage(100, 50, cache_read=20, reasoning=7), Usage(30, 5, cache_read=0, cache_write=10, cache_write_1h=4)]
)
def test_our_own_protocols_read_the_usage_that_was_sent(fake, vendor, stream, usage):
    fake.reply(Reply(text="Hello there", usage=usage))
    protocol = PROTOCOLS["anthropic_messages" if vendor == "anthropic" else "openai_chat"]
    path = "/v1/messages" if vendor == "anthropic" else "/chat/completions"
    answer = post(getattr(fake, vendor) + path, {**CLAUDE, "stream": stream, "stream_options": {"include_usage": True}})
    fold = protocol.fold()
    for event in events(answer) if stream else ():
        fold.feed(event)
    read = protocol.response(fold.body() if stream else answer.json()).usage
    assert read == fake.exchanges[0].usage


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vendor", "path", "body"),
    [
        (
            "openai",
            "/chat/completions",
            {
                "error": {
                    "message": "You didn't provide an API key.",
                    "type": "invalid_request_error",
                    "param": None,
                    "code": "invalid_api_key",
                }
            },
        ),
        (
            "openrouter",
            "/chat/completions",
            {"error": {"code": 401, "message": "No auth credentials found"}, "user_id": "user_000001"},
        ),
        (
            "anthropic",
            "/v1/messages",
            {
                "type": "error",
                "error": {"type": "authentication_error", "message": "x-api-key header is required"},
                "request_id": "req_000001",
            },
        ),
    ],
)
def test_a_missing_key_is_refused_in_the_vendors_words(fake, vendor, path, body):
    response = post(getattr(fake, vendor) + path, HELLO, headers={})
    assert (response.status_code, response.json()) == (401, body)


def test_rate_limits_say_when_to_come_back(fake):
    fake.reply(Reply(status=429), Reply(status=429))
    openai_fields = post(f"{fake.openai}/chat/completions", HELLO).headers
    anthropic_fields = post(f"{fake.anthropic}/v1/messages", CLAUDE).headers
    assert (openai_fields["retry-after"], openai_fields["x-ratelimit-remaining-requests"]) == ("1", "0")
    assert (anthropic_fields["retry-after"], anthropic_fields["anthropic-ratelimit-requests-remaining"]) == ("1", "0")


def test_the_error_object_can_be_given_whole(fake):
    fake.reply(Reply(status=402, error={"code": 402, "message": "No credits", "metadata": {"provider_name": "Google"}}))
    body = post(f"{fake.openrouter}/chat/completions", HELLO).json()
    assert body["error"] == {"code": 402, "message": "No credits", "metadata": {"provider_name": "Google"}}


@pytest.mark.parametrize(
    ("vendor", "ending"),
    [
        ("openai", '\n\ndata: {"error":{"message":"Broke","type":"server_error","param":null,"code":null}}\n\n'),
        ("groq", '\n\nevent: error\ndata: {"error":{"message":"Broke","type":"server_error","param":null,"code":null}}\n\n'),
        ("openrouter", ',"error":{"code":500,"message":"Broke"}}\n\ndata: [DONE]\n\n'),
    ],
)
def test_an_error_inside_a_stream(fake, vendor, ending):
    fake.reply(Reply(text="Half", error="Broke"))
    response = post(f"{getattr(fake, vendor)}/chat/completions", {**HELLO, "stream": True})
    assert response.status_code == 200
    assert response.text.endswith(ending)
    assert fake.exchanges[0].usage is None


@pytest.mark.parametrize("body", [{}, {"model": "gpt-5-mini"}, [], "text"])
def test_an_invalid_body_is_refused_and_takes_no_reply(fake, body):
    fake.reply(Reply(text="for a valid one"))
    assert post(f"{fake.openai}/chat/completions", body).status_code == 400
    assert fake.unused == (Reply(text="for a valid one"),)
