"""Messages of Ollama's, which are OpenAI's but for thinking, images and the names of tools."""

from __future__ import annotations

from typing import Any

from otel_llm.protocols import media, openai_chat_messages
from otel_llm.protocols.facts import Message, Part
from otel_llm.protocols.values import elements, text


def read_message(message: dict[str, Any], default_role: str) -> Message:
    """A message with all of its parts. A tool's result is named by the tool, and in newer versions by the id of the call."""
    known: dict[str, Any] = {key: message[key] for key in ("role", "content", "tool_calls", "tool_call_id") if key in message}
    alike = {**known, "reasoning": message.get("thinking"), "name": message.get("tool_name") or message.get("name")}
    read = openai_chat_messages.read_message(alike, default_role)
    return {**read, "parts": [*read["parts"], *read_images(message.get("images"))]}


def read_images(images: Any) -> list[Part]:
    """Images are bare base64, of any kind of picture."""
    return [media.blob("image", None, image) for each in elements(images) if (image := text(each))]
