"""A seeded mix of calls to many vendors: plain, streamed, cached, with reasoning and audio, refused, cut off, given up."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any, Literal

from otel_llm.protocols import Usage
from otel_llm.testing import Reply

#: How a caller takes an answer: all of it, only its first bytes, or through the vendor's own SDK.
Taking = Literal["whole", "first bytes", "sdk"]
MESSAGES = [{"role": "user", "content": "Why?"}]
KEY = {"authorization": "Bearer sk-fake", "x-api-key": "sk-fake", "x-goog-api-key": "sk-fake"}

#: Vendor of FakeProvider -> its name in the conventions, and in genai-prices.
VENDORS = {
    "openai": ("openai", "openai"),
    "anthropic": ("anthropic", "anthropic"),
    "openrouter": ("openrouter", "openrouter"),
    "deepseek": ("deepseek", "deepseek"),
    "groq": ("groq", "groq"),
    "xai": ("x_ai", "x-ai"),
    "together": ("together", "together"),
    "perplexity": ("perplexity", "perplexity"),
    "mistral": ("mistral_ai", "mistral"),
    "google": ("gcp.gemini", "google"),
    "ollama": ("ollama", "ollama"),
    "cohere": ("cohere", "cohere"),
}


@dataclass(frozen=True)
class Call:
    """One request, what is answered, and how that is taken."""

    vendor: str
    api: str
    path: str
    model: str
    body: dict[str, Any]
    reply: Reply
    taking: Taking = "whole"


def day_of_calls(seed: int, count: int) -> list[Call]:
    """So many calls, the same for the same seed; of some there is a first try that is turned away."""
    rng = random.Random(seed)
    calls: list[Call] = []
    while len(calls) < count:
        call = rng.choice(_MAKERS)(rng)
        if rng.random() < 0.08:
            calls.append(_with(call, reply=Reply(status=rng.choice([400, 429, 500]), error="Not now"), taking="whole"))
        calls.append(call)
    return calls


def _with(call: Call, **changes: Any) -> Call:
    return Call(**{**call.__dict__, **changes})


def _usage(rng: random.Random, *, reasoning: bool = True, writes: bool = False) -> Usage:
    asked, answered = rng.choice([(200, 5000), (210_000, 300_000)] if rng.random() < 0.1 else [(200, 5000)]), (20, 900)
    input_tokens, output_tokens = rng.randint(*asked), rng.randint(*answered)
    read = rng.choice([0, 0, rng.randint(1, 100)])
    written = rng.randint(1, 90) if writes and rng.random() < 0.5 else 0
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read=read,
        cache_write=written,
        cache_write_1h=rng.randint(0, written),
        reasoning=rng.choice([0, rng.randint(1, 19)]) if reasoning else 0,
    )


def _taken(rng: random.Random, *, stream: bool) -> dict[str, Any]:
    """How a reply goes wrong, or is given up, now and then."""
    chance = rng.random()
    if not stream or chance > 0.25:
        return {}
    if chance > 0.15:
        return {"taking": "first bytes"}
    return {"spoiled": {"truncate_at" if chance > 0.07 else "drop_at": rng.randint(50, 700)}}


def _chat(rng: random.Random, vendor: str, model: str, **more: Any) -> Call:
    stream = rng.random() < 0.6
    told = {"stream_options": {"include_usage": True}} if stream and rng.random() < 0.8 else {}
    body = {"model": model, "messages": MESSAGES, **({"stream": True} if stream else {}), **told}
    taken = _taken(rng, stream=stream)
    usage = _usage(rng, writes=vendor == "openrouter")
    reply = Reply(text="Because it is so.", usage=usage, **taken.pop("spoiled", {}))
    return Call(vendor, "openai_chat", "/chat/completions", model, body, reply, **(taken | more))


def _openai_like(rng: random.Random) -> Call:
    return _chat(rng, *rng.choice(_MODELS))


def _openai_sdk(rng: random.Random) -> Call:
    call = _chat(rng, "openai", rng.choice(["gpt-4o", "gpt-5"]))
    return _with(call, reply=Reply(text="Because.", usage=_usage(rng)), taking="sdk")


def _raw_chat(vendor: str, model: str, usage: dict[str, Any], **more: Any) -> Call:
    """An answer of the vendor's with a usage that is told as it is here."""
    message = {"index": 0, "message": {"role": "assistant", "content": "Because."}, "finish_reason": "stop"}
    answer = {"id": "chatcmpl-raw", "object": "chat.completion", "model": model, "choices": [message], "usage": usage, **more}
    return Call(
        vendor,
        "openai_chat",
        "/chat/completions",
        model,
        {"model": model, "messages": MESSAGES},
        Reply(raw=json.dumps(answer).encode()),
    )


def _counts(rng: random.Random) -> dict[str, Any]:
    prompt, completion = rng.randint(300, 4000), rng.randint(60, 500)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _audio(rng: random.Random) -> Call:
    details = {
        "prompt_tokens_details": {"audio_tokens": rng.randint(1, 300), "cached_tokens": 0},
        "completion_tokens_details": {"audio_tokens": rng.randint(1, 60), "text_tokens": 3, "reasoning_tokens": 0},
    }
    return _raw_chat("openai", "gpt-audio", _counts(rng) | details)


def _tier(rng: random.Random) -> Call:
    return _raw_chat("openai", "gpt-5", _counts(rng), service_tier=rng.choice(["default", "flex", "priority"]))


def _own_key(rng: random.Random) -> Call:
    fee, upstream = rng.randint(1, 99) / 1e6, rng.randint(1, 999) / 1e5
    told = {"cost": fee, "is_byok": True, "cost_details": {"upstream_inference_cost": upstream}}
    return _raw_chat("openrouter", "anthropic/claude-sonnet-4.5", _counts(rng) | told)


def _ticks(rng: random.Random) -> Call:
    return _raw_chat("xai", "grok-4", _counts(rng) | {"cost_in_usd_ticks": rng.randint(1, 10**8)})


def _total_of_searches(rng: random.Random) -> Call:
    cost = {"input_tokens_cost": 0.001, "output_tokens_cost": 0.002, "request_cost": 0.005, "total_cost": 0.008}
    return _raw_chat("perplexity", "sonar", _counts(rng) | {"cost": cost})


def _anthropic(rng: random.Random) -> Call:
    stream = rng.random() < 0.6
    taken = _taken(rng, stream=stream)
    taken = taken or {"taking": rng.choice(["whole", "sdk"])}
    reply = Reply(text="Because it is so.", usage=_usage(rng, writes=True), **taken.pop("spoiled", {}))
    model = "claude-haiku-4-5" if taken.get("taking") == "sdk" else "claude-sonnet-4-5"
    body = {"model": model, "max_tokens": 900, "messages": MESSAGES, "stream": stream}
    return Call("anthropic", "anthropic_messages", "/v1/messages", model, body, reply, **taken)


def _fast(rng: random.Random) -> Call:
    usage = {"input_tokens": rng.randint(1, 900), "output_tokens": rng.randint(1, 90), "speed": "fast"}
    answer = {
        "id": "msg_raw",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "claude-opus-4-8",
        "usage": usage,
    }
    body = {"model": "claude-opus-4-8", "max_tokens": 900, "messages": MESSAGES}
    reply = Reply(raw=json.dumps(answer).encode())
    return Call("anthropic", "anthropic_messages", "/v1/messages", "claude-opus-4-8", body, reply)


def _failed_midway(rng: random.Random) -> Call:
    call = _anthropic(rng)
    reply = Reply(text="Becau", error="Overloaded", usage=_usage(rng))
    return _with(call, body=call.body | {"stream": True}, reply=reply, taking="whole")


def _gemini(rng: random.Random) -> Call:
    verb = rng.choice(["generateContent", "streamGenerateContent?alt=sse", "streamGenerateContent"])
    reply = Reply(text="Because it is so.", usage=_usage(rng))
    return Call("google", "gemini", f"/v1beta/models/gemini-2.5-pro:{verb}", "gemini-2.5-pro", _CONTENTS, reply)


def _gemini_audio(rng: random.Random) -> Call:
    audio, text, cached = rng.randint(50, 400), rng.randint(50, 400), rng.randint(1, 40)
    usage = {
        "promptTokenCount": audio + text,
        "candidatesTokenCount": rng.randint(1, 90),
        "cachedContentTokenCount": cached + 5,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": text}, {"modality": "AUDIO", "tokenCount": audio}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": cached}, {"modality": "TEXT", "tokenCount": 5}],
    }
    parts = {"content": {"role": "model", "parts": [{"text": "Because."}]}, "finishReason": "STOP"}
    raw = json.dumps({"candidates": [parts], "usageMetadata": usage, "modelVersion": "gemini-2.5-flash"}).encode()
    path = "/v1beta/models/gemini-2.5-flash:generateContent"
    return Call("google", "gemini", path, "gemini-2.5-flash", _CONTENTS, Reply(raw=raw))


def _responses(rng: random.Random) -> Call:
    stream = rng.random() < 0.5
    body = {"model": "gpt-5", "input": "Why?", "stream": stream}
    taking: Taking = "first bytes" if stream and rng.random() < 0.2 else "whole"
    return Call("openai", "openai_responses", "/responses", "gpt-5", body, Reply(text="So.", usage=_usage(rng)), taking)


def _embeddings(rng: random.Random) -> Call:
    model = "text-embedding-3-small"
    reply = Reply(usage=Usage(input_tokens=rng.randint(1, 900)))
    return Call("openai", "openai_embeddings", "/embeddings", model, {"model": model, "input": ["Why?"]}, reply)


def _ollama(rng: random.Random) -> Call:
    body = {"model": "llama3.2", "messages": MESSAGES, "stream": rng.random() < 0.5}
    return Call("ollama", "ollama_chat", "/api/chat", "llama3.2", body, Reply(text="So.", usage=_usage(rng, reasoning=False)))


def _cohere(rng: random.Random) -> Call:
    model = "command-a-03-2025"
    body = {"model": model, "messages": MESSAGES, "stream": rng.random() < 0.5}
    return Call("cohere", "cohere_chat", "/v2/chat", model, body, Reply(text="So.", usage=_usage(rng, reasoning=False)))


_CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "Why?"}]}]}
_MODELS = [
    ("openai", "gpt-4o"),
    ("openai", "gpt-5"),
    ("openai", "no-such-model"),
    ("openrouter", "anthropic/claude-sonnet-4.5"),
    ("deepseek", "deepseek-chat"),
    ("groq", "llama-3.3-70b-versatile"),
    ("xai", "grok-4"),
    ("together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    ("perplexity", "sonar"),
    ("mistral", "mistral-large-latest"),
]
_MAKERS = [
    *[_openai_like] * 8,
    *[_openai_sdk] * 2,
    *[_anthropic] * 3,
    *[_gemini] * 2,
    *[_responses] * 2,
    _failed_midway,
    _fast,
    _audio,
    _tier,
    _own_key,
    _ticks,
    _total_of_searches,
    _gemini_audio,
    _embeddings,
    _ollama,
    _cohere,
]
