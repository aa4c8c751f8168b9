"""FakeProvider speaks the other APIs too: responses, completions, embeddings, Gemini, Ollama, Cohere."""

import base64
import struct
from dataclasses import replace

import httpx
import openai
import pytest

from otel_llm.protocols import PROTOCOLS
from otel_llm.protocols.facts import Usage
from otel_llm.protocols.framing import DONE, Framing
from otel_llm.testing.provider import FakeProvider, Reply, ToolCall
from otel_llm.testing.provider.apis import APIS

KEY = {"authorization": "Bearer sk-fake"}
HELLO = [{"role": "user", "content": "Hello"}]
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
WITH_USAGE = {"stream_options": {"include_usage": True}}
SEARCH = ToolCall("search", {"q": "x"}, id="call_1")

#: Whose API it is, its path, and a small request.
REQUESTS = {
    "openai_chat": ("openai", "/chat/completions", {"model": "m", "messages": HELLO, **WITH_USAGE}),
    "openai_responses": ("openai", "/responses", {"model": "m", "input": "Hello"}),
    "openai_completions": ("openai", "/completions", {"model": "m", "prompt": "Hello", **WITH_USAGE}),
    "openai_embeddings": ("openai", "/embeddings", {"model": "m", "input": "Hello"}),
    "anthropic_messages": ("anthropic", "/v1/messages", {"model": "m", "max_tokens": 9, "messages": HELLO}),
    "gemini": ("google", "/v1beta/models/m:generateContent", CONTENTS),
    "gemini_embeddings": ("google", "/v1beta/models/m:embedContent", {"content": {"parts": [{"text": "Hello"}]}}),
    "ollama_chat": ("ollama", "/api/chat", {"model": "m", "messages": HELLO}),
    "ollama_generate": ("ollama", "/api/generate", {"model": "m", "prompt": "Hello"}),
    "ollama_embed": ("ollama", "/api/embed", {"model": "m", "input": "Hello"}),
    "cohere_chat": ("cohere", "/v2/chat", {"model": "m", "messages": HELLO}),
    "cohere_embed": ("cohere", "/v2/embed", {"model": "m", "input_type": "search_query", "texts": ["Hello"]}),
}
STREAMING = [name for name, api in APIS.items() if not api.embeds]
NATIVE_GEMINI = "/v1beta/models/gemini-2.5-flash"


@pytest.fixture
def fake():
    with FakeProvider(pause_s=0.0) as fake:
        yield fake
    assert fake.failures == []


def ask(fake, name, *, stream=False, headers=KEY):
    vendor, path, body = REQUESTS[name]
    if name == "gemini" and stream:
        path = path.replace("generateContent", "streamGenerateContent?alt=sse")
    return httpx.post(getattr(fake, vendor) + path, json=body | {"stream": stream}, headers=headers)


def events(response):
    framing = Framing(response.headers["content-type"])
    return [event for event in [*framing.feed(response.content), *framing.end()] if event is not DONE]


def read(name, response, *, stream):
    """What our own protocol reads out of an answer."""
    if not stream:
        return PROTOCOLS[name].response(response.json())
    fold = PROTOCOLS[name].fold()
    for event in events(response):
        fold.feed(event)
    return PROTOCOLS[name].response(fold.body())


# --- what was sent is what is read ------------------------------------------------------------------------------------


def test_every_api_has_a_request_here():
    assert set(REQUESTS) == set(APIS)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", STREAMING)
@pytest.mark.parametrize("usage", [None, Usage(30, 9, cache_read=8, reasoning=2), Usage(30, 5, cache_read=0, cache_write=4)])
def test_usage_is_read_as_it_was_sent(fake, name, stream, usage):
    fake.reply(Reply(text="Hello there", reasoning="Hm.", usage=usage))
    found = read(name, ask(fake, name, stream=stream), stream=stream).usage
    assert replace(found, modalities={}) == fake.exchanges[0].usage
    assert set(found.modalities) == ({"gen_ai.usage.text.input_tokens"} if name == "gemini" else set())


@pytest.mark.parametrize("name", [name for name, api in APIS.items() if api.embeds])
def test_embeddings_have_input_tokens_only(fake, name):
    fake.reply(Reply(usage=Usage(input_tokens=7)))
    assert read(name, ask(fake, name), stream=False).usage == fake.exchanges[0].usage == Usage(input_tokens=7)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", STREAMING)
def test_text_is_read_as_it_was_sent(fake, name, stream):
    fake.reply(Reply(text="Grüße aus Köln"))
    [message] = read(name, ask(fake, name, stream=stream), stream=stream).messages
    assert message["parts"] == [{"type": "text", "content": "Grüße aus Köln"}]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["openai_responses", "gemini", "ollama_chat", "ollama_generate", "cohere_chat"])
def test_reasoning_comes_before_the_text(fake, name, stream):
    fake.reply(Reply(text="Hi", reasoning="Hm."))
    [message] = read(name, ask(fake, name, stream=stream), stream=stream).messages
    assert message["parts"] == [{"type": "reasoning", "content": "Hm."}, {"type": "text", "content": "Hi"}]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["openai_responses", "gemini", "ollama_chat", "cohere_chat"])
def test_tool_calls_are_read_as_they_were_sent(fake, name, stream):
    fake.reply(Reply(tool_calls=[SEARCH, ToolCall("clock", id="call_2")]))
    [message] = read(name, ask(fake, name, stream=stream), stream=stream).messages
    assert message["parts"] == [
        {"type": "tool_call", "id": "call_1", "name": "search", "arguments": {"q": "x"}},
        {"type": "tool_call", "id": "call_2", "name": "clock", "arguments": {}},
    ]


@pytest.mark.parametrize("name", REQUESTS)
def test_exchanges_say_protocol_and_model(fake, name):
    ask(fake, name)
    [exchange] = fake.exchanges
    assert (exchange.protocol, exchange.model, exchange.stream, exchange.vendor) == (name, "m", False, REQUESTS[name][0])
    assert "Hello" in exchange.text


@pytest.mark.parametrize("name", STREAMING)
def test_the_last_message_is_echoed(fake, name):
    [message] = read(name, ask(fake, name), stream=False).messages
    assert message["parts"][0]["content"] == "You said: Hello"


# --- OpenAI's other APIs ----------------------------------------------------------------------------------------------


def test_responses_stream_has_named_numbered_events_and_ends_with_the_whole_body(fake):
    reply = Reply(text="Hi", stream_pieces=1, usage=Usage(20, 9, cache_read=8, reasoning=4))
    fake.reply(reply, reply)
    response = ask(fake, "openai_responses", stream=True)
    seen = events(response)
    assert [line.removeprefix("event: ") for line in response.text.split("\n") if line.startswith("event: ")] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event["sequence_number"] for event in seen] == list(range(9))
    assert (seen[0]["response"]["usage"], seen[0]["response"]["service_tier"]) == (None, "auto")
    body = ask(fake, "openai_responses").json()
    assert seen[-1]["response"] == body | {"id": "resp_000001", "output": [body["output"][0] | {"id": "msg_000001"}]}
    assert body["usage"] == {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 8},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 4},
        "total_tokens": 29,
    }


def test_responses_repeat_the_settings_with_defaults(fake):
    settings = {"instructions": "Be brief.", "max_output_tokens": 9}
    body = httpx.post(f"{fake.openai}/responses", json=REQUESTS["openai_responses"][2] | settings, headers=KEY).json()
    assert {key: body[key] for key in ("instructions", "max_output_tokens", "temperature", "tools")} == {
        **settings,
        "temperature": 1.0,
        "tools": [],
    }


def test_a_stop_reason_makes_a_response_incomplete(fake):
    fake.reply(Reply(text="Hi", stop_reason="max_output_tokens"))
    last = events(ask(fake, "openai_responses", stream=True))[-1]
    assert (last["type"], last["response"]["status"]) == ("response.incomplete", "incomplete")
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


@pytest.mark.parametrize("stream", [False, True])
def test_responses_fail_with_a_status(fake, stream):
    fake.reply(Reply(text="Half", error="Broke"))
    response = ask(fake, "openai_responses", stream=stream)
    body = events(response)[-1]["response"] if stream else response.json()
    assert (response.status_code, body["status"], body["error"]) == (
        200,
        "failed",
        {"code": "server_error", "message": "Broke"},
    )


def test_openrouters_responses_have_no_event_lines_but_an_end(fake):
    body = {"model": "openai/gpt-5-mini", "input": "Hello", "stream": True}
    text = httpx.post(f"{fake.openrouter}/responses", json=body, headers=KEY).text
    assert text.startswith('data: {"type":"response.created"')
    assert text.endswith("data: [DONE]\n\n")
    assert '"cost":' in text


def test_openai_sdk_reads_responses(fake):
    fake.reply(Reply(text="Hi"), Reply(tool_calls=[SEARCH]))
    with openai.OpenAI(base_url=fake.openai, api_key="sk-fake", max_retries=0) as client:
        plain = client.responses.create(model="gpt-5-mini", input="Hello")
        with client.responses.stream(model="gpt-5-mini", input="Hello") as stream:
            streamed = stream.get_final_response()
    assert plain.output_text == "Hi"
    assert [(item.type, item.call_id, item.arguments) for item in streamed.output] == [
        ("function_call", "call_1", '{"q": "x"}')
    ]


def test_completions_byte_by_byte(fake):
    fake.reply(Reply(text="Hi", stream_pieces=1))
    head = '{"id":"cmpl-000001","object":"text_completion","created":1760000000,"model":"m","choices":['
    assert ask(fake, "openai_completions", stream=True).text == (
        f'data: {head}{{"text":"Hi","index":0,"logprobs":null,"finish_reason":null}}]}}\n\n'
        f'data: {head}{{"text":"","index":0,"logprobs":null,"finish_reason":"stop"}}]}}\n\n'
        f'data: {head}],"usage":{{"prompt_tokens":2,"completion_tokens":1,"total_tokens":3}}}}\n\n'
        "data: [DONE]\n\n"
    )


def test_completions_stream_without_usage_unless_asked(fake):
    body = {"model": "m", "prompt": "Hello", "stream": True}
    text = httpx.post(f"{fake.openai}/completions", json=body, headers=KEY).text
    assert '"usage"' not in text
    assert fake.exchanges[0].usage is None


# --- embeddings -------------------------------------------------------------------------------------------------------


def embed(fake, **body):
    return httpx.post(f"{fake.openai}/embeddings", json={"model": "m", **body}, headers=KEY).json()


def test_base64_vectors_are_the_same_numbers(fake):
    [numbers] = embed(fake, input="Hello")["data"]
    [coded] = embed(fake, input="Hello", encoding_format="base64")["data"]
    assert numbers["embedding"] == list(struct.unpack("<8f", base64.b64decode(coded["embedding"])))


@pytest.mark.parametrize(("given", "vectors"), [("one", 1), (["one", "two"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2)])
def test_there_is_a_vector_for_each_text(fake, given, vectors):
    data = embed(fake, input=given, dimensions=3)["data"]
    assert [(item["index"], len(item["embedding"])) for item in data] == [(index, 3) for index in range(vectors)]


def test_embeddings_in_each_vendors_words(fake):
    vector = [-0.625, -0.25, 0.125, 0.5, -0.5, -0.125, 0.25, 0.625]
    batch = {"requests": [{"model": "models/m", "content": {"parts": [{"text": "Hello"}]}}]}
    assert ask(fake, "gemini_embeddings").json()["embedding"] == {"values": vector}
    answer = httpx.post(f"{fake.google}/v1beta/models/m:batchEmbedContents", json=batch, headers=KEY)
    assert answer.json()["embeddings"] == [{"values": vector}]
    assert ask(fake, "ollama_embed").json()["embeddings"] == [vector]
    assert ask(fake, "cohere_embed").json()["embeddings"] == {"float": [vector]}


# --- Gemini -----------------------------------------------------------------------------------------------------------

GEMINI_CHUNKS = (
    '{"candidates":[{"content":{"parts":[{"text":"Hi"}],"role":"model"},"index":0}],'
    '"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":2,"totalTokenCount":26,'
    '"promptTokensDetails":[{"modality":"TEXT","tokenCount":20}],"thoughtsTokenCount":4},'
    '"modelVersion":"gemini-2.5-flash","responseId":"gemini000001"}',
    '{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],'
    '"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":5,"totalTokenCount":29,'
    '"promptTokensDetails":[{"modality":"TEXT","tokenCount":20}],"thoughtsTokenCount":4},'
    '"modelVersion":"gemini-2.5-flash","responseId":"gemini000001"}',
)


@pytest.mark.parametrize(
    ("query", "content_type", "text"),
    [
        ("?alt=sse", "text/event-stream", "data: {}\r\n\r\ndata: {}\r\n\r\n"),
        ("", "application/json; charset=UTF-8", "[{}\n,\r\n{}\n]\n"),
    ],
)
def test_gemini_streams_byte_by_byte(fake, query, content_type, text):
    fake.reply(Reply(text="Hi", stream_pieces=1, usage=Usage(20, 9, reasoning=4)))
    response = httpx.post(
        f"{fake.google}{NATIVE_GEMINI}:streamGenerateContent{query}", json=CONTENTS, headers={"x-goog-api-key": "k"}
    )
    first, second = GEMINI_CHUNKS
    assert response.text == text.replace("{}", first, 1).replace("{}", second, 1)
    assert response.headers["content-type"] == content_type


def test_gemini_has_call_ids_only_where_they_are_given(fake):
    fake.reply(Reply(tool_calls=[ToolCall("clock"), SEARCH]))
    body = ask(fake, "gemini").json()
    assert body["candidates"] == [
        {
            "content": {
                "parts": [
                    {"functionCall": {"name": "clock", "args": {}}},
                    {"functionCall": {"id": "call_1", "name": "search", "args": {"q": "x"}}},
                ],
                "role": "model",
            },
            "finishReason": "STOP",
            "index": 0,
        }
    ]


def test_a_key_in_the_query_will_do(fake):
    url = f"{fake.google}{NATIVE_GEMINI}:generateContent?key=k"
    assert httpx.post(url, json=CONTENTS).status_code == 200


# --- Ollama and Cohere ------------------------------------------------------------------------------------------------


def test_ollama_streams_unless_it_is_told_not_to(fake):
    fake.reply(Reply(text="Hi", stream_pieces=1))
    response = httpx.post(f"{fake.ollama}/api/chat", json={"model": "m", "messages": HELLO})
    head = '{"model":"m","created_at":"2026-01-01T00:00:00.000000Z","message":{"role":"assistant","content":'
    assert response.headers["content-type"] == "application/x-ndjson"
    assert response.text == (
        f'{head}"Hi"}},"done":false}}\n'
        f'{head}""}},"done":true,"done_reason":"stop","total_duration":2000000,"load_duration":500000,'
        '"prompt_eval_count":2,"prompt_eval_duration":500000,"eval_count":1,"eval_duration":1000000}\n'
    )


def test_cohere_stream_byte_by_byte(fake):
    fake.reply(Reply(text="Hi", stream_pieces=1, usage=Usage(20, 9)))
    assert ask(fake, "cohere_chat", stream=True).text == (
        'event: message-start\ndata: {"id":"00000000-0000-4000-8000-000000000001","type":"message-start",'
        '"delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}\n\n'
        'event: content-start\ndata: {"type":"content-start","index":0,'
        '"delta":{"message":{"content":{"type":"text","text":""}}}}\n\n'
        'event: content-delta\ndata: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hi"}}}}\n\n'
        'event: content-end\ndata: {"type":"content-end","index":0}\n\n'
        'event: message-end\ndata: {"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":'
        '{"billed_units":{"input_tokens":10,"output_tokens":9},"tokens":{"input_tokens":20,"output_tokens":9}}}}\n\n'
        "data: [DONE]\n\n"
    )


# --- errors -----------------------------------------------------------------------------------------------------------

LIMITED = "Rate limit reached. Please try again in 1s."


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("openai_responses", {"message": LIMITED, "type": "requests", "param": None, "code": "rate_limit_exceeded"}),
        ("gemini", {"code": 429, "message": LIMITED, "status": "RESOURCE_EXHAUSTED"}),
        ("gemini_embeddings", {"code": 429, "message": LIMITED, "status": "RESOURCE_EXHAUSTED"}),
        ("ollama_chat", LIMITED),
    ],
)
def test_errors_in_each_vendors_words(fake, name, body):
    fake.reply(Reply(status=429))
    response = ask(fake, name)
    assert (response.status_code, response.json(), response.headers["retry-after"]) == (429, {"error": body}, "1")


def test_coheres_errors_are_a_message(fake):
    fake.reply(Reply(status=429), Reply(status=400, error={"message": "No such model"}))
    assert ask(fake, "cohere_chat").json() == {"id": "00000000-0000-4000-8000-000000000001", "message": LIMITED}
    assert ask(fake, "cohere_chat").json()["message"] == "No such model"


@pytest.mark.parametrize("name", STREAMING)
def test_an_error_in_a_stream_is_read_as_one(fake, name):
    fake.reply(Reply(text="Half", error="Broke"))
    response = ask(fake, name, stream=True)
    assert (response.status_code, read(name, response, stream=True).error.message) == (200, "Broke")
    assert fake.exchanges[0].usage is None


@pytest.mark.parametrize(("name", "status"), [("openai_embeddings", 401), ("gemini", 403), ("cohere_chat", 401)])
def test_no_key_is_refused(fake, name, status):
    assert ask(fake, name, headers={}).status_code == status


def test_ollama_needs_no_key_and_sends_no_header_fields_of_its_own(fake):
    response = ask(fake, "ollama_chat", headers={})
    assert response.status_code == 200
    assert set(response.headers) == {"content-type", "content-length"}


def test_cohere_ends_a_broken_stream_with_a_reason(fake):
    fake.reply(Reply(text="Half", error="Broke"))
    last = events(ask(fake, "cohere_chat", stream=True))[-1]
    assert last == {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "Broke"}}


def test_errors_of_an_api_look_alike_at_every_vendor(fake):
    fake.reply(Reply(status=429))
    body = httpx.post(f"{fake.openrouter}/messages", json=REQUESTS["anthropic_messages"][2], headers=KEY).json()
    assert body["error"] == {"type": "rate_limit_error", "message": LIMITED}


@pytest.mark.parametrize("name", [name for name in APIS if APIS[name].required])
def test_a_field_that_is_missing_is_refused(fake, name):
    vendor, path, _ = REQUESTS[name]
    response = httpx.post(getattr(fake, vendor) + path, json={}, headers=KEY)
    assert response.status_code == 400
    assert f"{APIS[name].required[0]}: Field required" in response.text


@pytest.mark.parametrize(("name", "vendor"), [("gemini", "google"), ("ollama_chat", "ollama"), ("cohere_chat", "cohere")])
def test_an_api_of_one_vendors_own_is_answered_by_it_at_any_path(fake, name, vendor):
    _, path, body = REQUESTS[name]
    assert httpx.post(fake.base_url + path, json=body, headers=KEY).status_code == 200
    assert fake.exchanges[0].vendor == vendor


# --- Mistral's dialect ------------------------------------------------------------------------------------------------


def test_mistral_pads_and_counts_on_the_last_chunk(fake):
    fake.reply(Reply(text="Hi", stream_pieces=1, usage=Usage(20, 9, cache_read=8)))
    body = {"model": "m", "messages": HELLO, "stream": True}
    chunks = events(httpx.post(f"{fake.mistral}/v1/chat/completions", json=body, headers=KEY))
    assert [(len(chunk["p"]), "usage" in chunk) for chunk in chunks] == [(1, False), (6, False), (3, True)]
    assert chunks[-1]["usage"] == {
        "prompt_tokens": 20,
        "completion_tokens": 9,
        "total_tokens": 29,
        "num_cached_tokens": 8,
        "prompt_tokens_details": {"cached_tokens": 8},
    }
    assert fake.usage == Usage(20, 9, cache_read=8)


def test_mistral_thinks_in_parts_of_the_content(fake):
    fake.reply(Reply(text="Hi", reasoning="Hm.", stream_pieces=1), Reply(text="Hi", reasoning="Hm.", stream_pieces=1))
    url, body = f"{fake.mistral}/v1/chat/completions", {"model": "m", "messages": HELLO}
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    message = httpx.post(url, json=body, headers=KEY).json()["choices"][0]["message"]
    deltas = [event["choices"][0]["delta"] for event in events(httpx.post(url, json=body | {"stream": True}, headers=KEY))]
    assert message["content"] == [thinking, {"type": "text", "text": "Hi"}]
    assert [delta.get("content") for delta in deltas] == ["", [thinking], "Hi", None]
