"""Requests to Cohere's chats, with OpenAI's names for the settings that Cohere names otherwise."""

from __future__ import annotations

from typing import Any, Final

from otel_llm.protocols import openai_chat_request
from otel_llm.protocols.facts import Part, RequestFacts
from otel_llm.protocols.values import elements

_NAMES: Final = {"p": "top_p", "k": "top_k", "stop_sequences": "stop"}
_ALIKE: Final = (
    "model",
    "stream",
    "messages",
    "tools",
    "temperature",
    "max_tokens",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "response_format",
)


def read_request(body: dict[str, Any], path: str) -> RequestFacts:
    """Facts of a request as far as it is alike OpenAI's."""
    named = {name: body[key] for key, name in _NAMES.items() if key in body}
    return openai_chat_request.request({**{key: body[key] for key in _ALIKE if key in body}, **named}, path)


def add_documents(request: RequestFacts, documents: Any) -> None:
    """Documents that the answer is to rest on, as parts of the user's last message, whose answer that is."""
    parts: list[Part] = [{"type": "document", "document": document} for document in elements(documents)]
    asking = [message for message in request.messages if message["role"] == "user"]
    if asking:
        asking[-1]["parts"].extend(parts)
