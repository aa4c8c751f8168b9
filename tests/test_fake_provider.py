"""FakeProvider: LLM vendors on loopback, scripted, replayed, and with every fault of the wire."""

import asyncio
import gzip
import json
import pathlib
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import openai
import pytest

from otel_llm.protocols.facts import Usage
from otel_llm.testing.provider import FakeProvider, Reply

EXCHANGES = pathlib.Path(__file__).resolve().parents[1] / ".." / "shared" / "exchanges"
KEY = {"authorization": "Bearer sk-fake"}
HELLO = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
def fake():
    with FakeProvider(pause_s=0.0) as fake:
        yield fake
    assert fake.failures == []


def post(url, body, **options):
    return httpx.post(url, json=body, headers=options.pop("headers", KEY), **options)


def until(happened):
    """Let the server's threads come that far."""
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.001)


# --- the wire ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_the_very_bytes_sent_are_kept(fake, stream):
    response = post(f"{fake.openai}/chat/completions", {**HELLO, "stream": stream})
    [exchange] = fake.exchanges
    assert response.content == exchange.sent
    assert (exchange.vendor, exchange.protocol, exchange.status, exchange.complete) == ("openai", "openai_chat", 200, True)
    assert exchange.body == {**HELLO, "stream": stream}


@pytest.mark.parametrize("stream", [False, True])
def test_gzip(fake, stream):
    fake.reply(Reply(text="Hi" * 50, gzip=True))
    response = post(f"{fake.openai}/chat/completions", {**HELLO, "stream": stream})
    assert response.headers["content-encoding"] == "gzip"
    assert response.content == gzip.decompress(fake.exchanges[0].sent)


def test_each_piece_of_a_gzip_stream_can_be_read_when_it_comes(fake):
    fake.reply(Reply(text="Hi", gzip=True, stall_at=200))
    with httpx.stream("POST", f"{fake.openai}/chat/completions", json={**HELLO, "stream": True}, headers=KEY) as response:
        read = zlib.decompressobj(wbits=31).decompress(next(response.iter_raw()))
    assert read.startswith(b'data: {"id":"chatcmpl-000001"')


def test_truncated_bodies_end_as_if_nothing_was_missing(fake):
    fake.reply(Reply(text="Hi", truncate_at=30), Reply(text="Hi", truncate_at=300))
    assert post(f"{fake.openai}/chat/completions", HELLO).content == b'{"id":"chatcmpl-000001","objec'
    assert len(post(f"{fake.openai}/chat/completions", {**HELLO, "stream": True}).content) == 300
    assert fake.usage == Usage()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("drop_at", [0, 1, 150])
def test_dropped_connections(fake, stream, drop_at):
    fake.reply(Reply(text="Hi", drop_at=drop_at))
    with pytest.raises(httpx.RemoteProtocolError):
        post(f"{fake.openai}/chat/completions", {**HELLO, "stream": stream})
    [exchange] = fake.exchanges
    assert (exchange.status, len(exchange.sent)) == ((200, drop_at) if drop_at else (None, 0))
    assert (exchange.complete, exchange.usage) == (False, None)


@pytest.mark.parametrize("stall_at", [0, 50])
def test_answers_that_never_come_or_never_end(fake, stall_at):
    fake.reply(Reply(stall_at=stall_at))
    with pytest.raises(httpx.ReadTimeout):
        post(f"{fake.openai}/chat/completions", HELLO, timeout=httpx.Timeout(5.0, read=0.05))
    # The client may have given up before the server's thread has come that far.
    until(lambda: fake.unused == () and fake.exchanges[0].status == (200 if stall_at else None))


def test_lone_surrogates_become_invalid_utf8(fake):
    fake.reply(Reply(text="caf\udce9"))
    assert b'"content":"caf\xe9"' in post(f"{fake.openai}/chat/completions", HELLO).content


def test_cut_every_cuts_anywhere(fake):
    fake.reply(Reply(text="Grüße", cut_every=7))
    with httpx.stream("POST", f"{fake.openai}/chat/completions", json={**HELLO, "stream": True}, headers=KEY) as response:
        pieces = list(response.iter_raw())
    assert b"".join(pieces) == fake.exchanges[0].sent
    assert len(pieces[0]) == 7


@pytest.mark.parametrize(("given", "seen"), [(None, "application/json"), ("text/plain", "text/plain"), ("", None)])
def test_content_types_may_lie_or_be_absent(fake, given, seen):
    fake.reply(Reply(content_type=given))
    assert post(f"{fake.openai}/chat/completions", HELLO).headers.get("content-type") == seen


def test_raw_bodies_and_headers(fake):
    fake.reply(Reply(raw=b"<html>Bad gateway</html>", status=502, content_type="text/html", headers={"Server": "nginx"}))
    response = post(f"{fake.openai}/chat/completions", HELLO)
    assert (response.status_code, response.content) == (502, b"<html>Bad gateway</html>")
    assert (response.headers["server"], response.headers["content-type"]) == ("nginx", "text/html")


def test_a_client_that_leaves_makes_the_exchange_incomplete():
    body = {**HELLO, "stream": True}
    with (
        FakeProvider([Reply(text="x" * 4000, stream_pieces=4000)], pause_s=0.001) as fake,
        httpx.stream("POST", f"{fake.deepseek}/chat/completions", json=body, headers=KEY) as response,
    ):
        next(response.iter_raw())
    [exchange] = fake.exchanges
    assert (exchange.complete, exchange.usage) == (False, None)


# --- the script -------------------------------------------------------------------------------------------------------


def test_replies_go_to_the_requests_they_are_for(fake):
    fake.reply(Reply(text="a plan"), when=lambda exchange: "planner" in exchange.text)
    fake.reply(Reply(text="a draft"), when=lambda exchange: "writer" in exchange.text)
    prompts = ["You are the writer", "You are the planner", "You are the writer"]
    bodies = [{**HELLO, "messages": [{"role": "system", "content": prompt}]} for prompt in prompts]
    answers = [post(f"{fake.openai}/chat/completions", body).json() for body in bodies]
    assert [answer["choices"][0]["message"]["content"] for answer in answers] == [
        "a draft",
        "a plan",
        "You said: You are the writer",
    ]


def test_model_and_stop_reason_can_be_given(fake):
    fake.reply(Reply(model="gpt-5-mini-2026-01-01", stop_reason="length"))
    answer = post(f"{fake.openai}/chat/completions", HELLO).json()
    assert (answer["model"], answer["choices"][0]["finish_reason"]) == ("gpt-5-mini-2026-01-01", "length")


def test_the_default_may_be_a_function_of_the_request():
    with FakeProvider(default=lambda exchange: Reply(text=exchange.last_text.upper())) as fake:
        answer = post(f"{fake.openai}/chat/completions", HELLO).json()
    assert answer["choices"][0]["message"]["content"] == "HELLO"


def test_token_counts_follow_from_the_text(fake):
    post(f"{fake.openai}/chat/completions", HELLO)
    post(f"{fake.openrouter}/chat/completions", HELLO)
    assert [exchange.usage for exchange in fake.exchanges] == [
        usage := Usage(2, 4, cache_read=0, reasoning=0),
        replace(usage, cost=0.000066),
    ]
    assert fake.usage == Usage(4, 8, cache_read=0, reasoning=0, cost=0.000066)


def test_clear_forgets_the_exchanges(fake):
    post(f"{fake.openai}/chat/completions", HELLO)
    fake.clear()
    assert (fake.exchanges, fake.usage) == ([], Usage())


def test_clear_forgets_what_no_request_has_taken(fake):
    url = fake.replay(RECORDING)
    fake.reply(Reply(status=500))
    fake.reply(Reply(status=501), when=lambda exchange: exchange.model == HELLO["model"])
    fake.clear()
    assert fake.unused == ()
    assert httpx.post(url, headers=KEY).status_code == 404
    assert post(f"{fake.openai}/chat/completions", HELLO).status_code == 200


# --- recordings -------------------------------------------------------------------------------------------------------

RECORDING = {
    "request": {"method": "POST", "url": "https://llm.example/api/v9/models/m%3A0/answer?alt=sse", "headers": {}, "body": {}},
    "response": {
        "status": 200,
        "headers": {"content-type": "text/event-stream", "x-id": "1", "content-length": "7"},
        "body_text": 'data: {"a":"ü"}\r\n\r\ndata: {"b":1}\r\n\r\n',
    },
}


def test_a_recording_is_served_verbatim_once(fake, tmp_path):
    file = tmp_path / "recording.json"
    file.write_text(json.dumps(RECORDING))
    url = fake.replay(file)
    response = httpx.post(url)
    assert url == f"{fake.base_url}/api/v9/models/m%3A0/answer?alt=sse"
    assert response.content == RECORDING["response"]["body_text"].encode()
    assert (response.headers["content-type"], response.headers["x-id"]) == ("text/event-stream", "1")
    assert httpx.post(url, headers=KEY).status_code == 404


def test_a_recording_can_be_cut_and_compressed(fake):
    url = fake.replay(RECORDING, Reply(cut_every=3, gzip=True, headers={"x-id": "2"}))
    response = httpx.post(url)
    assert response.content == RECORDING["response"]["body_text"].encode()
    assert (response.headers["content-encoding"], response.headers["x-id"]) == ("gzip", "2")


def test_every_shared_recording_is_served_verbatim(fake):
    if not EXCHANGES.is_dir():
        pytest.skip("no shared recordings here")
    with httpx.Client() as client:
        for file in sorted(EXCHANGES.glob("*.json")):
            response = json.loads(file.read_text())["response"]
            method = json.loads(file.read_text())["request"]["method"]
            got = client.request(method, fake.replay(file))
            assert got.status_code == response["status"], file.name
            assert response["body_text"] is None or got.content == response["body_text"].encode(), file.name


# --- load -------------------------------------------------------------------------------------------------------------


def test_64_large_requests_at_once(fake):
    body = {**HELLO, "messages": [{"role": "user", "content": "x" * 280_000}]}
    with httpx.Client(limits=httpx.Limits(max_connections=64), timeout=60) as client, ThreadPoolExecutor(64) as pool:
        ask = lambda stream: client.post(f"{fake.deepseek}/chat/completions", json={**body, "stream": stream}, headers=KEY)  # noqa: E731
        answers = list(pool.map(ask, [True, False] * 32))
    assert {answer.status_code for answer in answers} == {200}
    assert sorted(answer.content for answer in answers) == sorted(exchange.sent for exchange in fake.exchanges)
    assert fake.usage.input_tokens == 64 * 70_000


async def test_parallel_async_streams_each_get_their_own(fake):
    async with openai.AsyncOpenAI(base_url=fake.openai, api_key="sk-fake") as client:

        async def ask(number):
            messages = [{"role": "user", "content": f"number {number}"}]
            stream = await client.chat.completions.create(model="gpt-5-mini", messages=messages, stream=True)
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        answers = await asyncio.gather(*(ask(number) for number in range(20)))
    assert answers == [f"You said: number {number}" for number in range(20)]


def test_a_stop_ends_answers_that_never_come():
    before = set(threading.enumerate())
    fake = FakeProvider([Reply(stall_at=0)]).start()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(post, f"{fake.openai}/chat/completions", HELLO, timeout=60)
        until(lambda: fake.exchanges)
        fake.stop()
        assert isinstance(waiting.exception(), httpx.TransportError)
    threads = set(threading.enumerate()) - before
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
