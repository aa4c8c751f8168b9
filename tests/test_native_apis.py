"""The native APIs, recorded on the wire from request to span, plain and streamed."""

from __future__ import annotations

from typing import Any

import pytest
from calling import Caller

from otel_llm.protocols import Usage
from otel_llm.testing import FakeProvider, Reply, SpanSink

KEY = {"authorization": "Bearer sk-fake", "x-goog-api-key": "sk-fake"}
TEXT = [{"role": "user", "content": "Why?"}]
CONTENTS = [{"role": "user", "parts": [{"text": "Why?"}]}]

#: Path after the vendor's base URL, body, and what the span says of it.
APIS: dict[str, tuple[str, str, dict[str, Any], str, str]] = {
    "responses": ("openai", "/responses", {"model": "gpt-5-mini", "input": "Why?"}, "chat", "gpt-5-mini"),
    "responses streamed": (
        "openai",
        "/responses",
        {"model": "gpt-5-mini", "input": "Why?", "stream": True},
        "chat",
        "gpt-5-mini",
    ),
    "completions": (
        "openai",
        "/completions",
        {"model": "gpt-3.5-turbo-instruct", "prompt": "Why?"},
        "text_completion",
        "gpt-3.5-turbo-instruct",
    ),
    "gemini": (
        "google",
        "/v1beta/models/gemini-2.5-pro:generateContent",
        {"contents": CONTENTS},
        "generate_content",
        "gemini-2.5-pro",
    ),
    "gemini streamed": (
        "google",
        "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
        {"contents": CONTENTS},
        "generate_content",
        "gemini-2.5-pro",
    ),
    "gemini in an array": (
        "google",
        "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
        {"contents": CONTENTS},
        "generate_content",
        "gemini-2.5-pro",
    ),
    "ollama": ("ollama", "/api/chat", {"model": "llama3.2", "messages": TEXT, "stream": False}, "chat", "llama3.2"),
    "ollama streamed": ("ollama", "/api/chat", {"model": "llama3.2", "messages": TEXT}, "chat", "llama3.2"),
    "ollama generate": ("ollama", "/api/generate", {"model": "llama3.2", "prompt": "Why?"}, "text_completion", "llama3.2"),
    "cohere": ("cohere", "/v2/chat", {"model": "command-a-03-2025", "messages": TEXT}, "chat", "command-a-03-2025"),
    "cohere streamed": (
        "cohere",
        "/v2/chat",
        {"model": "command-a-03-2025", "messages": TEXT, "stream": True},
        "chat",
        "command-a-03-2025",
    ),
}


@pytest.fixture(autouse=True)
def hosts(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loopback host is one of Ollama's: its paths are recorded only where Ollama is known to be."""
    from otel_llm import endpoints

    monkeypatch.setattr(endpoints, "_configured", endpoints._Hosts({f"127.0.0.1:{fake.port}": "ollama"}))


@pytest.mark.parametrize("api", APIS)
def test_a_call_is_one_span_with_its_facts(caller: Caller, recorded: SpanSink, fake: FakeProvider, api: str) -> None:
    vendor, path, body, operation, model = APIS[api]
    fake.reply(Reply(text="Because.", usage=Usage(input_tokens=20, output_tokens=9)))
    read = caller.post(getattr(fake, vendor) + path, body, stream=True, headers=KEY)

    assert read == fake.exchanges[0].sent
    (span,) = recorded.spans
    seen = recorded.attributes(span)
    assert (span.name, seen["gen_ai.operation.name"]) == (f"{operation} {model}", operation)
    assert (seen["gen_ai.usage.input_tokens"], seen["gen_ai.usage.output_tokens"]) == (20, 9)
    (message,) = seen["gen_ai.output.messages"]
    assert message["parts"] == [{"type": "text", "content": "Because."}]
    assert "Why?" in str(seen["gen_ai.input.messages"])
    streamed = api.endswith(("streamed", "in an array", "generate"))  # Ollama streams unless told otherwise
    assert ("gen_ai.response.time_to_first_chunk" in seen) is streamed
    assert "error.type" not in seen
    assert "otel_llm.ending" not in seen


@pytest.mark.parametrize("api", ["responses", "gemini", "ollama", "cohere"])
def test_a_refusal_is_an_error(caller: Caller, recorded: SpanSink, fake: FakeProvider, api: str) -> None:
    vendor, path, body, _, _ = APIS[api]
    fake.reply(Reply(status=429, error="Slow down"))
    caller.post(getattr(fake, vendor) + path, body, headers=KEY)
    (span,) = recorded.spans
    assert (span.status.status_code.name, span.status.description) == ("ERROR", "Slow down")
    assert recorded.attributes(span)["otel_llm.error.category"] == "rate_limit"


@pytest.mark.parametrize(
    ("vendor", "path", "body"),
    [
        ("openai", "/embeddings", {"model": "text-embedding-3-small", "input": ["Why?", "How?"], "encoding_format": "base64"}),
        ("cohere", "/v2/embed", {"model": "embed-v4.0", "texts": ["Why?"], "input_type": "search_query"}),
        ("ollama", "/api/embed", {"model": "nomic-embed-text", "input": "Why?"}),
        (
            "google",
            "/v1beta/models/gemini-embedding-001:embedContent",
            {"content": {"parts": [{"text": "Why?"}]}},
        ),
    ],
)
def test_embeddings_are_told_without_their_vectors(
    caller: Caller, recorded: SpanSink, fake: FakeProvider, vendor: str, path: str, body: dict[str, Any]
) -> None:
    caller.post(getattr(fake, vendor) + path, body, headers=KEY)
    (span,) = recorded.spans
    seen = recorded.attributes(span)
    assert span.name.startswith("embeddings ")
    assert "Why?" in str(seen["gen_ai.input.messages"])
    assert "gen_ai.output.messages" not in seen
    assert max(len(str(value)) for value in seen.values()) < 300
