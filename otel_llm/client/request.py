"""What is asked of a model, in no provider's words but for the messages, which are OpenAI's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypedDict

#: ``{"role": "user", "content": "..."}``, as OpenAI's chat completions have it, tools and images included.
ChatMessage: TypeAlias = Mapping[str, Any]
#: ``{"name": ..., "description": ..., "parameters": <JSON schema>}``, or OpenAI's ``{"type": "function", "function": {...}}``, or a
#: tool of the provider's own, which is sent as it is.
Tool: TypeAlias = Mapping[str, Any]


class Options(TypedDict, total=False):
    """What each call may say beside its question."""

    #: ``provider:model`` for this call alone; then neither default nor override count.
    model: str | None
    #: Whose model it is to be; None: of the agent that is at work.
    agent: str | None
    tools: Sequence[Tool] | None
    #: ``auto``, ``none``, ``required``, or a tool's name.
    tool_choice: str | None
    temperature: float | None
    #: Bound of the answer.
    max_tokens: int | None
    #: Seconds until there must be an answer, retries included; of a stream, until it begins, and between its pieces.
    timeout_s: float | None
    #: Further fields of the request, in the words of whichever provider is asked.
    extra: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Question:
    """One request, before it is put into a provider's words."""

    messages: tuple[ChatMessage, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    #: JSON schema of the answer; None: free text.
    schema: Mapping[str, Any] | None = None
    stream: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


def conversation(system: str | None, user: str, image_urls: Sequence[str] = ()) -> tuple[ChatMessage, ...]:
    """The messages of a single question."""
    content: Any = user
    if image_urls:
        images = [{"type": "image_url", "image_url": {"url": url}} for url in image_urls]
        content = [*images, *([{"type": "text", "text": user}] if user else [])]
    asked: ChatMessage = {"role": "user", "content": content}
    return (asked,) if system is None else ({"role": "system", "content": system}, asked)


def function_of(tool: Tool) -> Mapping[str, Any] | None:
    """Name, description and parameters of a tool that the application runs; None for a tool of the provider's own."""
    function = tool.get("function")
    if isinstance(function, Mapping):
        return function
    return tool if "parameters" in tool or tool.get("type") is None else None


def question_of(messages: Sequence[ChatMessage], options: Options) -> Question:
    """The question with what of the options belongs to it. Raises TypeError for an option that there is none."""
    if unknown := set(options) - set(Options.__annotations__):
        raise TypeError(f"no such option: {', '.join(sorted(unknown))}; there are {', '.join(Options.__annotations__)}")
    return Question(
        messages=tuple(messages),
        tools=tuple(options.get("tools") or ()),
        tool_choice=options.get("tool_choice"),
        temperature=options.get("temperature"),
        max_tokens=options.get("max_tokens"),
        extra=options.get("extra") or {},
    )
