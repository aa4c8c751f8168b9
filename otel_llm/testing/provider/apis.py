"""The APIs that the fake provider speaks: a row each, found by the end of a URL path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OPENAI_CHAT = "openai_chat"
OPENAI_RESPONSES = "openai_responses"
OPENAI_COMPLETIONS = "openai_completions"
OPENAI_EMBEDDINGS = "openai_embeddings"
ANTHROPIC_MESSAGES = "anthropic_messages"
GEMINI = "gemini"
GEMINI_EMBEDDINGS = "gemini_embeddings"
OLLAMA_CHAT = "ollama_chat"
OLLAMA_GENERATE = "ollama_generate"
OLLAMA_EMBED = "ollama_embed"
COHERE_CHAT = "cohere_chat"
COHERE_EMBED = "cohere_embed"

#: What is asked of a vendor without calling a model.
COUNT_TOKENS = "count_tokens"
MODELS = "models"
TAGS = "tags"

#: When an API answers with a stream: if ``stream`` says so, unless it says no, if the path does, never.
Streaming = Literal["asked", "unless_refused", "by_path", "never"]


@dataclass(frozen=True, slots=True)
class Api:
    """An API that calls a model. ``endings`` are those of its paths, ``required`` the fields that no request may lack."""

    name: str
    endings: tuple[str, ...]
    required: tuple[str, ...]
    #: Whose own it is: the dialect where a path names no vendor, and the shape of its errors. None: spoken by many.
    vendor: str | None = None
    streaming: Streaming = "asked"
    #: The words for a regular end, and for one in tool calls.
    stop: str = "stop"
    tool_stop: str = "stop"
    #: The start of made-up ids of tool calls; None: the vendor's; "": there are no ids unless they are given.
    call_prefix: str | None = None
    #: Counts of ``Usage``, beside those of input and output, that each answer carries, and those that it carries if they are not 0.
    always: tuple[str, ...] = ()
    if_any: tuple[str, ...] = ()
    #: Vectors instead of words: its usage has no output.
    embeds: bool = False


_ROWS = (
    Api(
        OPENAI_CHAT,
        ("/chat/completions",),
        ("model", "messages"),
        tool_stop="tool_calls",
        always=("cache_read", "reasoning"),
        if_any=("cache_write",),
    ),
    Api(OPENAI_COMPLETIONS, ("/completions",), ("model", "prompt")),
    Api(
        OPENAI_RESPONSES,
        ("/responses",),
        ("model", "input"),
        stop="completed",
        tool_stop="completed",
        always=("cache_read", "reasoning"),
        if_any=("cache_write",),
    ),
    Api(OPENAI_EMBEDDINGS, ("/embeddings",), ("model", "input"), streaming="never", embeds=True),
    Api(
        ANTHROPIC_MESSAGES,
        ("/v1/messages",),
        ("model", "max_tokens", "messages"),
        vendor="anthropic",
        stop="end_turn",
        tool_stop="tool_use",
        call_prefix="toolu_",
        always=("cache_read", "cache_write", "cache_write_5m", "cache_write_1h"),
        if_any=("reasoning",),
    ),
    Api(
        GEMINI,
        (":generateContent", ":streamGenerateContent"),
        ("contents",),
        vendor="google",
        streaming="by_path",
        stop="STOP",
        tool_stop="STOP",
        call_prefix="",
        if_any=("cache_read", "reasoning"),
    ),
    Api(
        GEMINI_EMBEDDINGS,
        (":embedContent", ":batchEmbedContents"),
        (),
        vendor="google",
        streaming="never",
        embeds=True,
    ),
    Api(OLLAMA_CHAT, ("/api/chat",), ("model", "messages"), vendor="ollama", streaming="unless_refused"),
    Api(OLLAMA_GENERATE, ("/api/generate",), ("model", "prompt"), vendor="ollama", streaming="unless_refused"),
    Api(OLLAMA_EMBED, ("/api/embed",), ("model", "input"), vendor="ollama", streaming="never", embeds=True),
    Api(
        COHERE_CHAT,
        ("/v2/chat",),
        ("model", "messages"),
        vendor="cohere",
        stop="COMPLETE",
        tool_stop="TOOL_CALL",
        if_any=("cache_read",),
    ),
    Api(COHERE_EMBED, ("/v2/embed",), ("model", "input_type"), vendor="cohere", streaming="never", embeds=True),
)
#: Protocols whose exchanges are model calls, which replies are for.
APIS = {api.name: api for api in _ROWS}
_ENDINGS = {ending: api.name for api in _ROWS for ending in api.endings} | {
    "/v1/messages/count_tokens": COUNT_TOKENS,
    "/models": MODELS,
    "/api/tags": TAGS,
}


def protocol_of(path: str) -> str | None:
    """Which protocol a URL path asks for, if any; the first row whose ending it has."""
    return next((protocol for ending, protocol in _ENDINGS.items() if path.endswith(ending)), None)


def vendor_of(protocol: str | None) -> str | None:
    """Whose own a protocol is, if it is one vendor's."""
    if protocol == TAGS:
        return "ollama"
    return APIS[protocol].vendor if protocol in APIS else None
