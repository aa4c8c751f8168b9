"""Cohere's older chat. ``POST /v1/chat``; streams are a JSON object a line (or an event) from ``stream-start`` to ``stream-end``.

https://docs.cohere.com/v1/reference/chat
"""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv
from otel_llm.protocols.cohere_answer import read_finish_reason, read_usage
from otel_llm.protocols.cohere_chat_v1_fold import Fold
from otel_llm.protocols.cohere_chat_v1_messages import read_message, read_result, read_tool
from otel_llm.protocols.cohere_request import add_documents, read_request
from otel_llm.protocols.facts import Message, RequestFacts, ResponseFacts
from otel_llm.protocols.failure import failure
from otel_llm.protocols.values import mapping, mappings, text

__all__ = ["NAME", "OPERATION", "Fold", "matches", "request", "response"]

NAME: Final = "cohere_chat_v1"
OPERATION: Final = semconv.CHAT


def matches(body: Any) -> bool:
    """A message on its own. The model is not asked for: it has a default."""
    return isinstance(mapping(body).get("message"), str)


def request(body: Any, path: str) -> RequestFacts:
    """Facts of a request: what was said before, the new message, and the outcomes of tools."""
    body = mapping(body)
    asked = read_request({key: value for key, value in body.items() if key not in ("messages", "tools")}, path)
    if conversation := text(body.get("conversation_id")):
        asked.attributes[semconv.CONVERSATION_ID] = conversation
    if preamble := text(body.get("preamble")):
        asked.system = [{"type": "text", "content": preamble}]
    asked.messages = _read_messages(body)
    asked.tools = [read_tool(tool) for tool in mappings(body.get("tools"))]
    add_documents(asked, body.get("documents"))
    return asked


def _read_messages(body: dict[str, Any]) -> list[Message]:
    """The message may be empty where the outcomes of tools are the news."""
    messages = [read_message(message, "user") for message in mappings(body.get("chat_history"))]
    if body.get("message"):
        messages.append(read_message({"message": body["message"]}, "user"))
    if results := mappings(body.get("tool_results")):
        messages.append({"role": "tool", "parts": [read_result(result) for result in results]})
    return messages


def response(body: Any) -> ResponseFacts:
    """Facts of an answer, of as much of it as arrived, or of an error body. Cohere does not say which model answered."""
    body = mapping(body)
    reason = read_finish_reason(body)
    messages = []
    if "text" in body or "tool_calls" in body:
        messages = [read_message({"message": body.get("text"), "tool_calls": body.get("tool_calls")}, "assistant")]
    if reason:
        messages = [{**message, "finish_reason": reason} for message in messages]
    return ResponseFacts(
        id=text(body.get("response_id")) or text(body.get("generation_id")),
        finish_reasons=(reason,) if reason else (),
        usage=read_usage(mapping(body.get("meta"))),
        messages=messages,
        error=failure(body),
    )
