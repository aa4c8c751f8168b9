"""OpenAI's text completions, before chat. ``POST .../completions``; streams are server-sent chunks up to ``[DONE]``.

A completion is a chat completion whose choices have a text in place of a message, so the reading of chat completions serves it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import otel_llm.protocols.openai_chat as openai_chat
from otel_llm import semconv
from otel_llm.protocols.facts import Message, Part, RequestFacts, ResponseFacts
from otel_llm.protocols.values import mapping, mappings, text

__all__ = ["NAME", "OPERATION", "Fold", "matches", "request", "response"]

NAME: Final = "openai_completions"
OPERATION: Final = semconv.TEXT_COMPLETION


def matches(body: Any) -> bool:
    """A model and a prompt: a text, texts, or tokens."""
    body = mapping(body)
    return text(body.get("model")) is not None and bool(body.get("prompt")) and isinstance(body["prompt"], str | list)


def request(body: Any, path: str) -> RequestFacts:
    """Facts of a request, one message for each prompt; the model of an Azure deployment may be in the path only."""
    body = mapping(body)
    after = _suffix(body.get("suffix"))
    return replace(
        openai_chat.request(body, path),
        operation=OPERATION,
        messages=[_message(prompt, after) for prompt in _prompts(body.get("prompt"))],
    )


def _prompts(prompt: Any) -> list[Any]:
    """Each prompt: a text or a list of tokens."""
    if prompt is None:
        return []
    listed = isinstance(prompt, list) and not _is_tokens(prompt)
    return list(prompt) if listed else [prompt]


def _is_tokens(prompt: Any) -> bool:
    return isinstance(prompt, list) and bool(prompt) and all(isinstance(token, int) for token in prompt)


def _message(prompt: Any, after: list[Part]) -> Message:
    if isinstance(prompt, str):
        part: Part = {"type": "text", "content": prompt}
    elif _is_tokens(prompt):
        part = {"type": "tokens", "count": len(prompt)}
    else:
        part = {"type": "unknown", "content": prompt}
    return {"role": "user", "parts": [part, *after]}


def _suffix(suffix: Any) -> list[Part]:
    """The text that comes after the completion, if it is to be filled in between."""
    return [{"type": "suffix", "content": suffix}] if isinstance(suffix, str) and suffix else []


def response(body: Any) -> ResponseFacts:
    """Facts of a completion, of as much of it as arrived, or of an error body."""
    return openai_chat.response(_as_chat(mapping(body), "message"))


def _as_chat(body: dict[str, Any], key: str) -> dict[str, Any]:
    """A completion as one of chat, or with ``delta`` as ``key`` a chunk as one of chat."""
    if "choices" not in body:
        return body
    choices = [
        {**choice, key: {"content": choice["text"]}} if "text" in choice else choice for choice in mappings(body["choices"])
    ]
    return {**body, "choices": choices}


class Fold(openai_chat.Fold):
    """The completion so far; ``done`` once ``[DONE]`` was seen."""

    __slots__ = ()

    def feed(self, event: Any) -> None:
        """Take a chunk; anything that is no chunk is ignored."""
        super().feed(_as_chat(event, "delta") if isinstance(event, dict) else event)

    def body(self) -> dict[str, Any]:
        """The completion that a call without streaming would have returned."""
        body = super().body()
        if "choices" in body:
            body["choices"] = [_as_completion(choice) for choice in body["choices"]]
        return body


def _as_completion(choice: dict[str, Any]) -> dict[str, Any]:
    """A choice with its text in the place that it has here, if it came as a text."""
    message = choice["message"]
    if message.keys() - {"content"}:
        return choice
    rest = {key: value for key, value in choice.items() if key != "message"}
    return {"text": message.get("content"), **rest}
