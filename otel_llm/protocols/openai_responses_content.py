"""Content of messages and of tool outcomes in OpenAI's responses, as parts of the conventions."""

from __future__ import annotations

from typing import Any, Final

from otel_llm.protocols import media
from otel_llm.protocols.facts import Part
from otel_llm.protocols.openai_chat_messages import read_content as read_chat_content
from otel_llm.protocols.values import text

#: Texts of this API, by kind, and the parts that they become.
_TEXTS: Final = {
    "input_text": "text",
    "output_text": "text",
    "summary_text": "reasoning",
    "reasoning_text": "reasoning",
}


def read_content(content: Any) -> list[Part]:
    """Parts of a content: a string, or a list of content parts. What chat completions have too is read as there."""
    if not isinstance(content, list):
        return read_chat_content(content)
    return [part for each in content for part in _content_part(each)]


def _content_part(part: Any) -> list[Part]:
    kind = text(part.get("type")) if isinstance(part, dict) else None
    if kind in _TEXTS and isinstance(part.get("text"), str):
        return [{"type": _TEXTS[kind], "content": part["text"]}]
    if kind in ("input_image", "computer_screenshot") and (image := _image(part)):
        return [image]
    if kind == "input_file" and (file := _file(part)):
        return [file]
    return read_chat_content([part])


def _image(part: dict[str, Any]) -> Part | None:
    if file_id := text(part.get("file_id")):
        return media.file("image", file_id)
    url = text(part.get("image_url"))
    return media.located("image", url) if url else None


def _file(part: dict[str, Any]) -> Part | None:
    """A file by its id, by its URL, or inline as a data URI or bare base64."""
    file_id, url, data = (text(part.get(key)) for key in ("file_id", "file_url", "file_data"))
    if file_id:
        return media.file("document", file_id)
    if url or (data and data.startswith("data:")):
        return media.located("document", url or data or "")
    return media.blob("document", None, data) if data else None
