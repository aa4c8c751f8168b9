"""Messages of OpenAI's chat completions, asked and answered, as messages of the conventions.

History and answers have one shape, so one reading serves both. Whatever is unknown is passed on as it was sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from otel_llm.protocols import media
from otel_llm.protocols.facts import Message, Part
from otel_llm.protocols.framing import decode_json
from otel_llm.protocols.values import mapping, mappings, text

#: Names of the same thing with different vendors; some send the same text under two of them.
REASONING_KEYS: Final = ("reasoning_content", "reasoning")

_AUDIO_TYPES: Final = {"mp3": "audio/mpeg"}


def read_message(message: dict[str, Any], default_role: str) -> Message:
    """A message with all of its parts: reasoning first, then what was said, then tool calls."""
    role = text(message.get("role")) or default_role
    if role in ("tool", "function"):
        parts = [_tool_result(message)]
    else:
        parts = _reasoning(message)
        for key, read_parts in _PARTS.items():
            if value := message.get(key):
                parts += read_parts(value)
    read: Message = {"role": role, "parts": parts}
    if name := text(message.get("name")):
        read["name"] = name
    return read


# --- content ----------------------------------------------------------------------------------------------------------


def read_content(content: Any) -> list[Part]:
    """Parts of a message's content: a string, or a list of content parts of any kind."""
    if isinstance(content, str):
        return [{"type": "text", "content": content}]
    if isinstance(content, dict):
        content = [content]
    return [_content_part(part) for part in content] if isinstance(content, list) else []


def _content_part(part: Any) -> Part:
    if isinstance(part, str):
        return {"type": "text", "content": part}
    if not isinstance(part, dict):
        return {"type": "unknown", "content": part}
    kind = text(part.get("type")) or "unknown"
    read = _READERS.get(kind)
    return (read(part) if read else None) or {**part, "type": kind}


def _text(part: dict[str, Any]) -> Part | None:
    said = part.get("text")
    return {"type": "text", "content": said} if isinstance(said, str) else None


def _said_refusal(part: dict[str, Any]) -> Part | None:
    refusal = part.get("refusal")
    return {"type": "refusal", "content": refusal} if isinstance(refusal, str) else None


def _thinking(part: dict[str, Any]) -> Part | None:
    """Mistral's reasoning: a list of text parts, or a string."""
    thinking = part.get("thinking")
    if isinstance(thinking, list):
        thinking = "".join(piece["text"] for piece in mappings(thinking) if isinstance(piece.get("text"), str))
    return {"type": "reasoning", "content": thinking} if isinstance(thinking, str) else None


def _url_of(key: str, modality: str) -> Callable[[dict[str, Any]], Part | None]:
    def read(part: dict[str, Any]) -> Part | None:
        target = part.get(key)
        url = text(target.get("url") if isinstance(target, dict) else target)
        return media.located(modality, url) if url else None

    return read


def _input_audio(part: dict[str, Any]) -> Part | None:
    audio = part.get("input_audio")
    if isinstance(audio, str):  # Mistral: a URL or bare base64
        return media.located("audio", audio) if ":" in audio else media.blob("audio", None, audio)
    data, kind = text(mapping(audio).get("data")), text(mapping(audio).get("format"))
    return media.blob("audio", kind and _AUDIO_TYPES.get(kind, f"audio/{kind}"), data) if data else None


def _file(part: dict[str, Any]) -> Part | None:
    given = mapping(part.get("file")) or part
    if file_id := text(given.get("file_id")):
        return media.file("document", file_id)
    data = text(given.get("file_data"))
    return media.located("document", data) if data else None


_READERS: Final[dict[str, Callable[[dict[str, Any]], Part | None]]] = {
    "text": _text,
    "refusal": _said_refusal,
    "thinking": _thinking,
    "image_url": _url_of("image_url", "image"),
    "video_url": _url_of("video_url", "video"),
    "audio_url": _url_of("audio_url", "audio"),
    "document_url": _url_of("document_url", "document"),
    "input_audio": _input_audio,
    "file": _file,
}


# --- beside the content -----------------------------------------------------------------------------------------------


def _reasoning(message: dict[str, Any]) -> list[Part]:
    """Reasoning once, although it may be sent as a text and, in detail, again."""
    for key in REASONING_KEYS:
        if (told := message.get(key)) and isinstance(told, str):
            return [{"type": "reasoning", "content": told}]
    if "reasoning_details" not in message:
        return []
    details = mappings(message["reasoning_details"])
    pieces = (detail.get("text") or detail.get("summary") for detail in details)
    return [{"type": "reasoning", "content": piece} for piece in pieces if isinstance(piece, str)]


def _images(images: Any) -> list[Part]:
    return read_content(mappings(images))


def _refusal(refusal: Any) -> list[Part]:
    return [{"type": "refusal", "content": refusal}] if isinstance(refusal, str) else []


def _audio(audio: Any) -> list[Part]:
    """Spoken output: the sound, and what it says as text. In a history it is only referred to by id."""
    audio = mapping(audio)
    data, transcript, reference = text(audio.get("data")), text(audio.get("transcript")), text(audio.get("id"))
    parts: list[Part] = []
    if data:
        parts.append(media.blob("audio", None, data))
    elif reference:
        parts.append(media.file("audio", reference))
    if transcript:
        parts.append({"type": "text", "content": audio["transcript"]})
    return parts


def _provider_tools(tools: Any) -> list[Part]:
    """Tools that the provider itself ran (Groq's compound models), each call with its outcome."""
    parts: list[Part] = []
    for tool in mappings(tools):
        kind = text(tool.get("type")) or "tool"
        name = text(tool.get("name")) or kind
        call = {"type": kind, "arguments": _arguments(tool.get("arguments"))}
        parts.append({"type": "server_tool_call", "name": name, "server_tool_call": call})
        if tool.get("output") is not None:
            outcome = {"type": kind, "output": tool["output"]}
            parts.append({"type": "server_tool_call_response", "server_tool_call_response": outcome})
    return parts


def _tool_calls(calls: Any) -> list[Part]:
    return [part for call in mappings(calls) if (part := _tool_call(call))]


def _function_call(function: Any) -> list[Part]:
    part = _called(None, mapping(function))
    return [part] if part else []


def _tool_call(call: dict[str, Any]) -> Part | None:
    call_id, kind = text(call.get("id")), text(call.get("type"))
    custom, function = mapping(call.get("custom")), mapping(call.get("function"))
    if custom and (kind == "custom" or not function):
        return {"type": "tool_call", "id": call_id, "name": text(custom.get("name")) or "", "arguments": custom.get("input")}
    if function or not kind or kind == "function":
        return _called(call_id, function)
    return {"type": "tool_call", "id": call_id, "name": kind, "arguments": call}


def _called(call_id: str | None, function: dict[str, Any]) -> Part | None:
    """A call of a function; None for the empty one that some vendors send in place of none."""
    name, arguments = text(function.get("name")), function.get("arguments")
    if not (call_id or name or arguments):
        return None
    return {"type": "tool_call", "id": call_id, "name": name or "", "arguments": _arguments(arguments)}


def _arguments(arguments: Any) -> Any:
    """Arguments as JSON where they are JSON, else the text; none at all is the empty object."""
    if arguments is None:
        return {}
    if not isinstance(arguments, str):
        return arguments
    if not arguments.strip():
        return {}
    try:
        return decode_json(arguments, nan=False)
    except ValueError:
        return arguments


def _tool_result(message: dict[str, Any]) -> Part:
    """The outcome of a tool: its text, or its parts if it has several kinds of them."""
    content = message.get("content")
    response = read_content(content) if isinstance(content, list) else content
    return {"type": "tool_call_response", "id": text(message.get("tool_call_id")), "response": response}


#: What a message may hold, in the order of its parts.
_PARTS: Final[dict[str, Callable[[Any], list[Part]]]] = {
    "content": read_content,
    "images": _images,  # OpenRouter
    "refusal": _refusal,
    "audio": _audio,
    "executed_tools": _provider_tools,
    "tool_calls": _tool_calls,
    "function_call": _function_call,
}
