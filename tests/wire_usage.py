"""What the bytes of an answer say of tokens and cost, read plainly and apart from otel-llm's own protocols."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Wire:
    """Token counts as vendors bill them: ``input`` is all of it. ``cost``: in USD, if the vendor said one."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    audio_in: int = 0
    audio_out: int = 0
    cache_audio: int = 0
    cost: float | None = None
    model: str = ""
    tier: str | None = None
    known: bool = False

    def buckets(self, priced: bool) -> dict[str, int]:
        """As Langfuse is to show them; audio is apart only where there is a price."""
        audio_in = self.audio_in - self.cache_audio if priced else 0
        audio_out = self.audio_out if priced else 0
        return {
            "input": self.input - self.cache_read - self.cache_write - audio_in,
            "output": self.output - audio_out,
            "input_cached_tokens": self.cache_read,
            "input_cache_creation": self.cache_write - self.cache_write_5m - self.cache_write_1h,
            "input_cache_creation_5m": self.cache_write_5m,
            "input_cache_creation_1h": self.cache_write_1h,
            "input_audio_tokens": audio_in,
            "output_audio_tokens": audio_out,
            "total": self.input + self.output,
        }


@dataclass
class Answer:
    """One answer as it reached the client, in whole or in part."""

    #: Who answered (``openai``, ``google``, ...), and in which format.
    vendor: str
    api: str
    #: What was asked for, for vendors that do not repeat it.
    model: str
    body: bytes
    status: int = 200
    documents: list[Json] = field(init=False)

    def __post_init__(self) -> None:
        self.documents = documents(self.body.decode("utf-8", "replace"))

    def read(self) -> Wire:
        if self.status != 200:
            return Wire(model=self.model)
        wire: Wire = globals()[f"_{self.api}"](self)
        wire.model = wire.model or self.model
        return wire


def documents(body: str) -> list[Json]:
    """Each JSON object of a body: one, one a line, one an event, or the elements of an array that may lack its end."""
    text = body.strip()
    if text.startswith("["):
        whole = text if text.endswith("]") else text.rstrip(",\r\n ") + "]"
        return list(_json(whole) or [])
    lines = [line.removeprefix("data:").strip() for line in body.splitlines()]
    found = [_json(line) for line in ([text] if text.startswith("{") and _json(text) else lines)]
    return [document for document in found if isinstance(document, dict)]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _openai_chat(answer: Answer) -> Wire:
    usage: Json = {}
    for document in answer.documents:
        usage = document.get("usage") or (document.get("x_groq") or {}).get("usage") or usage
    prompt, completion = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    cost = usage.get("cost")
    if isinstance(cost, dict):
        cost = cost["total_cost"]
    if usage.get("is_byok"):
        cost += usage["cost_details"]["upstream_inference_cost"]
    if "cost_in_usd_ticks" in usage:
        cost = usage["cost_in_usd_ticks"] / 1e10
    output = usage.get("completion_tokens", 0)
    return Wire(
        input=usage.get("prompt_tokens", 0),
        output=output + (completion.get("reasoning_tokens") or 0 if answer.vendor == "xai" else 0),
        cache_read=prompt.get("cached_tokens") or usage.get("cached_tokens") or 0,
        cache_write=prompt.get("cache_write_tokens") or 0,
        audio_in=prompt.get("audio_tokens") or 0,
        audio_out=completion.get("audio_tokens") or 0,
        cost=cost,
        model=_last(answer.documents, "model"),
        tier=_last(answer.documents, "service_tier") or None,
        known=bool(usage),
    )


def _openai_responses(answer: Answer) -> Wire:
    bodies = [document.get("response", document) for document in answer.documents]
    usage: Json = next((body["usage"] for body in reversed(bodies) if body.get("usage")), {})
    given = usage.get("input_tokens_details") or {}
    return Wire(
        input=usage.get("input_tokens", 0),
        output=usage.get("output_tokens", 0),
        cache_read=given.get("cached_tokens") or 0,
        cache_write=given.get("cache_write_tokens") or 0,
        cost=usage.get("cost"),
        model=_last(bodies, "model"),
        known=bool(usage),
    )


def _openai_embeddings(answer: Answer) -> Wire:
    (body,) = answer.documents
    return Wire(input=body["usage"]["prompt_tokens"], model=body["model"], known=True)


def _anthropic_messages(answer: Answer) -> Wire:
    """Of a stream, the usage of its start, with what its end says in place."""
    usage: Json = {}
    for document in answer.documents:
        usage |= document.get("usage") or (document.get("message") or {}).get("usage") or {}
    read, written = usage.get("cache_read_input_tokens", 0), usage.get("cache_creation_input_tokens", 0)
    lifetimes = usage.get("cache_creation") or {}
    starts = [document.get("message", document) for document in answer.documents]
    return Wire(
        input=usage.get("input_tokens", 0) + read + written,
        output=usage.get("output_tokens", 0),
        cache_read=read,
        cache_write=written,
        cache_write_5m=lifetimes.get("ephemeral_5m_input_tokens", 0),
        cache_write_1h=lifetimes.get("ephemeral_1h_input_tokens", 0),
        model=_last(starts, "model"),
        tier="fast" if usage.get("speed") == "fast" else None,
        known=bool(usage),
    )


def _gemini(answer: Answer) -> Wire:
    usage: Json = next((each["usageMetadata"] for each in reversed(answer.documents) if "usageMetadata" in each), {})
    return Wire(
        input=usage.get("promptTokenCount", 0),
        output=usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0),
        cache_read=usage.get("cachedContentTokenCount", 0),
        audio_in=_audio(usage.get("promptTokensDetails")),
        cache_audio=_audio(usage.get("cacheTokensDetails")),
        model=_last(answer.documents, "modelVersion"),
        known=bool(usage),
    )


def _ollama_chat(answer: Answer) -> Wire:
    last: Json = answer.documents[-1] if answer.documents else {}
    known = "eval_count" in last
    return Wire(input=last.get("prompt_eval_count", 0), output=last.get("eval_count", 0), known=known)


def _cohere_chat(answer: Answer) -> Wire:
    usage: Json = {}
    for document in answer.documents:
        usage = document.get("usage") or (document.get("delta") or {}).get("usage") or usage
    tokens = usage.get("tokens") or {}
    return Wire(
        input=tokens.get("input_tokens", 0),
        output=tokens.get("output_tokens", 0),
        cache_read=usage.get("cached_tokens") or 0,
        known=bool(usage),
    )


def _audio(details: Any) -> int:
    return sum(int(each["tokenCount"]) for each in details or [] if each["modality"] == "AUDIO")


def _last(found: list[Json], name: str) -> str:
    return next((each[name] for each in reversed(found) if each.get(name)), "")
