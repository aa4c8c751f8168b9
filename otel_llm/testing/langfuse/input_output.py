"""Input and output of an observation: many conventions are read, the first that is there wins and the others are lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from otel_llm.testing.langfuse import javascript
from otel_llm.testing.langfuse.spans import Attributes, Event, Span

Content = tuple[Any, Any]

_OBSERVATION: Final = ("langfuse.observation.input", "langfuse.observation.output")
_TRACE: Final = ("langfuse.trace.input", "langfuse.trace.output")
_MESSAGES: Final = ("gen_ai.input.messages", "gen_ai.output.messages")
_INSTRUCTIONS: Final = "gen_ai.system_instructions"
_TOOL_CALL: Final = ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result")
_DETAILS_EVENT: Final = "gen_ai.client.inference.operation.details"
_MESSAGE_EVENTS: Final = tuple(f"gen_ai.{role}.message" for role in ("system", "user", "assistant", "tool"))
#: Attributes of other instrumentations, by priority; names for the input, names for the output.
_PAIRS: Final = (
    (("gcp.vertex.agent.llm_request",), ("gcp.vertex.agent.llm_response",)),
    (("gcp.vertex.agent.tool_call_args",), ("gcp.vertex.agent.tool_response",)),
    (("prompt",), ("all_messages_events",)),
    (("lk.input_text", "lk.user_transcript", "lk.chat_ctx"), ("lk.function_tool.output", "lk.response.text")),
    (("events",), ()),
    (("mlflow.spanInputs",), ("mlflow.spanOutputs",)),
    (("traceloop.entity.input",), ("traceloop.entity.output",)),
    (("input.value",), ("output.value",)),
    (("input",), ("output",)),
    (("tool_arguments",), ("tool_response",)),
)
#: Attribute trees spelt out in dotted names (``llm.input_messages.0.message.role``).
_TREES: Final = (("gen_ai.prompt", "gen_ai.completion"), ("llm.input_messages", "llm.output_messages"))

_READ_NAMES: Final = frozenset(
    (
        *_OBSERVATION,
        *_TRACE,
        *_MESSAGES,
        *_TOOL_CALL,
        _INSTRUCTIONS,
        *(name for pair in _PAIRS for side in pair for name in side),
    )
)
_READ_PREFIXES: Final = tuple(prefix for pair in _TREES for prefix in pair)


def is_content(name: str) -> bool:
    """Whether an attribute belongs to input or output, and so is kept out of the metadata even where another one won."""
    return name in _READ_NAMES or name.startswith(_READ_PREFIXES)


def observation_content(span: Span) -> tuple[str, str]:
    """Input and output of the observation as stored: strings as they were sent, anything else as JSON; empty if absent."""
    return _stored(_read(span))


def trace_content(span: Span) -> tuple[str, str]:
    """Input and output that a root span gives to its trace; each side of ``langfuse.trace.*`` goes before the observation's."""
    sent = [span.first(*names) for names in zip(_TRACE, _OBSERVATION, strict=True)]
    if sent != [None, None]:
        return _stored((sent[0], sent[1]))
    return observation_content(span)


def _stored(content: Content) -> tuple[str, str]:
    given, made = ("" if value is None else javascript.text(value) for value in content)
    return given, made


def _read(span: Span) -> Content:
    sent = tuple(span.attributes.get(name) for name in _OBSERVATION)
    if sent != (None, None):  # one of them hides the other's alternatives too, and so does an empty string
        return sent[0], sent[1]
    readers: tuple[Callable[[Span], Content | None], ...] = (_details_event, _message_events, _attribute_pairs, _trees)
    for reader in readers:
        if (content := reader(span)) is not None:
            return content
    return _conventions(span.attributes)


def _details_event(span: Span) -> Content | None:
    for event in span.events:
        if event.name == _DETAILS_EVENT and any(javascript.truthy(event.attributes.get(name)) for name in _MESSAGES):
            return _conventions(event.attributes)
    return None


def _message_events(span: Span) -> Content | None:
    given = [_with_role(event) for event in span.events if event.name in _MESSAGE_EVENTS]
    made = [event.attributes for event in span.events if event.name == "gen_ai.choice"]
    if given or made:
        return given or None, made[0] if len(made) == 1 else made or None
    prompt = next((event.attributes for event in span.events if event.name == "gen_ai.content.prompt"), None)
    completion = next((event.attributes for event in span.events if event.name == "gen_ai.content.completion"), None)
    if prompt is None and completion is None:
        return None
    return _tree(prompt or {}, "gen_ai.prompt") or prompt, _tree(completion or {}, "gen_ai.completion") or completion


def _with_role(event: Event) -> Attributes:
    return {"role": event.name.removeprefix("gen_ai.").removesuffix(".message"), **event.attributes}


def _attribute_pairs(span: Span) -> Content | None:
    for names_in, names_out in _PAIRS:
        content = span.first(*names_in), span.first(*names_out)
        if names_in == ("events",):
            content = _logfire_events(content[0])
        if content != (None, None):
            return content
    return None


def _logfire_events(value: Any) -> Content:
    """One attribute holds all messages; the choice among them is the output."""
    events = [event for event in _as_list(value) if isinstance(event, dict)]
    choice = next((event for event in events if event.get("event.name") == "gen_ai.choice"), None)
    return [event for event in events if event.get("event.name") != "gen_ai.choice"] or None, choice


def _as_list(value: Any) -> list[Any]:
    decoded = javascript.parsed(value)
    return decoded if isinstance(decoded, list) else []


def _trees(span: Span) -> Content | None:
    """Prefixes without a dot behind them: ``gen_ai.prompt.name`` of the conventions is taken for a prompt, too."""
    for prefixes in _TREES:
        if any(name.startswith(prefixes) for name in span.attributes):
            return _tree(span.attributes, prefixes[0]), _tree(span.attributes, prefixes[1])
    return None


def _tree(attributes: Attributes, prefix: str) -> Any:
    if javascript.truthy(whole := attributes.get(prefix)):
        return whole
    root: dict[str, Any] = {}
    for name, value in attributes.items():
        if name.startswith(prefix):
            *path, last = name.removeprefix(f"{prefix}.").split(".")
            node = root
            for step in path:
                child = node.setdefault(step, {})
                node = child if isinstance(child, dict) else {}
            node[last] = value
    return _with_arrays(root)


def _with_arrays(node: Any) -> Any:
    """Objects whose keys are all numbers are arrays."""
    if not isinstance(node, dict):
        return node
    children = {key: _with_arrays(child) for key, child in node.items()}
    if children and all(key.isdecimal() for key in children):
        return [children[key] for key in sorted(children, key=int)]
    return children


def _conventions(attributes: Attributes) -> Content:
    given, made = (attributes.get(name) for name in _MESSAGES)
    if javascript.truthy(given) or javascript.truthy(made):
        return _with_instructions(given, attributes.get(_INSTRUCTIONS)), made
    given, made = (attributes.get(name) for name in _TOOL_CALL)
    return given, made


def _with_instructions(messages: Any, instructions: Any) -> Any:
    """The instructions as a first message, unless the messages are no JSON array or have a system message of their own."""
    decoded = javascript.parsed(messages)
    if not javascript.truthy(instructions) or not isinstance(decoded, list):
        return messages
    if any(isinstance(message, dict) and message.get("role") == "system" for message in decoded):
        return messages
    said = _instructions_text(javascript.parsed(instructions))
    return javascript.stringify([{"role": "system", "content": said}, *decoded]) if said else messages


def _instructions_text(instructions: Any) -> str:
    parts = instructions if isinstance(instructions, list) else [instructions]
    return "\n".join(_part_text(part) for part in parts)


def _part_text(part: Any) -> str:
    content = part.get("content") if isinstance(part, dict) else part
    if isinstance(content, str):
        return content
    return "[object Object]" if isinstance(part, dict) else javascript.text(part)
