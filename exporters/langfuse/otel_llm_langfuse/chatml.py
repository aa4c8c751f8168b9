"""Messages of the conventions as chat messages in OpenAI's form, the one that Langfuse reads tools and tool calls from."""

from __future__ import annotations

from typing import Any

from otel_llm.content import json_text
from otel_llm.recent import LONG, Recent, RecentLists
from otel_llm_langfuse.parts import as_content, content_part, tool_call, tool_definition, tool_message
from otel_llm_langfuse.readers import as_text, parsed_json

ChatMessage = dict[str, Any]


def chat_input(system: Any, messages: Any, tools: Any) -> str | None:
    """``{"messages": [...], "tools": [...]}`` as JSON text, system instructions first.

    Each argument is an attribute's value: JSON text of the conventions' form, or None. Messages that cannot be read (a limit
    on attribute lengths cuts JSON in the middle) are kept as the text they are, after that of the system instructions.
    """
    if system is None and messages is None and tools is None:
        return None
    asked = None if messages is None else _messages_text(messages)
    if messages is not None and asked is None:
        first = () if system is None else (as_content(_instructions(system)),)
        return "\n".join([*first, as_text(messages) or ""])
    told = ",".join(text for text in (None if system is None else _system_text(system), asked) if text)
    definitions = parsed_json(tools)
    if not isinstance(definitions, list) or not definitions:
        return f'{{"messages":[{told}]}}'
    return f'{{"messages":[{told}],"tools":{json_text([tool_definition(tool) for tool in definitions])}}}'


def recent_texts() -> list[str]:
    """Long texts that the last inputs contain and the next ones are likely to contain too."""
    return [*_recent_systems.all_made(), *_recent_messages.beginnings.all_made()]


def chat_output(messages: Any) -> str | None:
    """One chat message as JSON text; of several choices, ``{"choices": [{"index", "message", "finish_reason"}]}``."""
    if messages is None:
        return None
    read = parsed_json(messages)
    if not _is_messages(read):
        return as_text(messages)
    answers = [(message, chat_messages(message)[-1]) for message in read]
    if len(answers) == 1:
        return json_text(answers[0][1])
    choices = [
        {"index": index, "message": answer, "finish_reason": message.get("finish_reason")}
        for index, (message, answer) in enumerate(answers)
    ]
    return json_text({"choices": choices}) if choices else None


def chat_messages(message: ChatMessage) -> list[ChatMessage]:
    """The chat messages of one message: each tool's answer is one of its own. A message without parts is in that form already."""
    parts = message.get("parts")
    if not isinstance(parts, list):
        return [message]
    answers: list[ChatMessage] = []
    calls: list[Any] = []
    thoughts: list[str] = []
    content: list[Any] = []
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "tool_call_response":
            answers.append(tool_message(part))
        elif kind == "tool_call":
            calls.append(tool_call(part))
        elif kind == "reasoning":
            thoughts.append(as_content(part.get("content")))
        else:
            content.append(content_part(part) if isinstance(part, dict) else part)
    if answers and not (calls or thoughts or content):
        return answers
    return [*answers, _message(message, content, calls, thoughts)]


def _message(message: ChatMessage, content: list[Any], calls: list[Any], thoughts: list[str]) -> ChatMessage:
    made: ChatMessage = {"role": message.get("role"), "content": _content(content)}
    if message.get("name") is not None:
        made["name"] = message["name"]
    if thoughts:
        made["reasoning_content"] = "\n".join(thoughts)
    if calls:
        made["tool_calls"] = calls
    return made


def _content(parts: list[Any]) -> Any:
    """Nothing, the text of a single text part, or the list of parts."""
    if not parts:
        return None
    only = parts[0]
    if len(parts) == 1 and isinstance(only, dict) and only.get("type") == "text" and "text" in only:
        return only["text"]
    return parts


def _system_text(system: Any) -> str:
    """JSON text of the system message."""
    is_long = isinstance(system, str) and len(system) > LONG
    known = _recent_systems.made_of(system) if is_long else None
    if known is not None:
        return known
    made = json_text({"role": "system", "content": _instructions(system)})
    if is_long:
        _recent_systems.remember(system, made)
    return made


def _instructions(system: Any) -> Any:
    """The content of the system message; what is not a list of parts is its text."""
    parts = parsed_json(system)
    if not isinstance(parts, list):
        return as_text(system)
    return _content([content_part(part) if isinstance(part, dict) else part for part in parts])


def _messages_text(messages: Any) -> str | None:
    """JSON texts of the chat messages, with commas between them; None for what cannot be read."""
    if isinstance(messages, str):
        return _recent_messages.made_of(messages)
    read = parsed_json(messages)
    return _chat_text(read) if isinstance(read, list) else None


def _chat_text(messages: list[Any]) -> str | None:
    if not _is_messages(messages):
        return None
    return json_text([made for message in messages for made in chat_messages(message)])[1:-1]


def _is_messages(read: Any) -> bool:
    return isinstance(read, list) and all(isinstance(message, dict) for message in read)


#: System instructions as they came -> the system message as JSON text.
_recent_systems: Recent[str, str] = Recent()
_recent_messages = RecentLists(parsed_json, _chat_text)
