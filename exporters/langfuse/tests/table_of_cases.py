"""The ways in which a plain GenAI span goes wrong on its way into Langfuse, as data: the spans, and what is looked at.

``python exporters/langfuse/tests/table_of_cases.py`` writes docs/langfuse.md; test_table_of_cases.py holds each row, in both write
paths.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from handmade import START_NS, TRACE_ID, make_span
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext, TraceFlags

Row = dict[str, Any]

AGENT, CALL, OTHER = 0xA000000000000001, 0xB000000000000002, 0xC000000000000003
#: For ``plain_dual``: the older path shows nothing, not the same as the newer one.
NOTHING = object()
PARIS = "Weather in Paris?"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@dataclass(frozen=True, slots=True)
class Stored:
    """What the server holds."""

    rows: list[Row]
    traces: list[Row]
    #: Bytes at its media store.
    media: int = 0

    @property
    def row(self) -> Row:
        """The row of the call."""
        return next((row for row in self.rows if row["id"] == f"{CALL:016x}"), {})

    @property
    def trace(self) -> Row:
        """The trace."""
        return self.traces[0] if self.traces else {}


@dataclass(frozen=True, slots=True)
class Case:
    """One way to go wrong: ``see`` picks from the stored rows what ``plain`` and ``ours`` show in the table."""

    number: int
    what: str
    spans: Callable[[], Sequence[ReadableSpan]]
    #: What of the rows (and trace rows) is looked at, for the table.
    field: str
    see: Callable[[Stored], Any]
    plain: Any
    ours: Any
    #: What the older write path shows of a plain span, where that differs.
    plain_dual: Any = None
    #: What of the spans otel-llm records itself, where that is more than other emitters tell.
    recorded: Callable[[], Sequence[ReadableSpan]] | None = None


def message(role: str, *parts: Any, **more: Any) -> dict[str, Any]:
    """A message of the conventions; text stands for a text part."""
    return {"role": role, "parts": [text(part) if isinstance(part, str) else part for part in parts], **more}


def text(content: str) -> dict[str, Any]:
    """A text part."""
    return {"type": "text", "content": content}


ASKED = json.dumps([message("user", PARIS)])
ANSWERED = json.dumps([message("assistant", "Sunny.", finish_reason="stop")])
CHAT: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
SONNET = CHAT | {
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": "claude-sonnet-4-5",
    "gen_ai.response.model": "claude-sonnet-4-5",
}
CONTENT: dict[str, Any] = {"gen_ai.input.messages": ASKED, "gen_ai.output.messages": ANSWERED}


def call(*more: dict[str, Any], **span: Any) -> Callable[[], list[ReadableSpan]]:
    """One call with the attributes of a chat and more; None takes one away."""
    attributes: dict[str, Any] = dict(CHAT)
    for given in more:
        attributes |= given
    kept = {name: value for name, value in attributes.items() if value is not None}
    return lambda: [make_span(kept, span_id=CALL, **span)]


def lone(attributes: dict[str, Any], **span: Any) -> Callable[[], list[ReadableSpan]]:
    """One span with these attributes alone."""
    return lambda: [make_span(attributes, span_id=CALL, **span)]


def field(name: str) -> Callable[[Stored], Any]:
    """A field of the call's row."""
    return lambda stored: stored.row.get(name)


def told(*names: str) -> Callable[[Stored], Any]:
    """Metadata of the call's row that stands under names of its own."""
    return lambda stored: {name: stored.row.get("metadata", {}).get(name) for name in names}


def _messages(stored: Stored) -> list[dict[str, Any]]:
    read = json.loads(stored.row["input"])
    found: list[dict[str, Any]] = read["messages"] if isinstance(read, dict) else read
    return found


def _wrong_types() -> list[ReadableSpan]:
    return [make_span(CHAT | {"langfuse.version": 3, "langfuse.observation.prompt.name": "p"}, span_id=CALL)]


def _below_http() -> list[ReadableSpan]:
    pipeline = {
        "otel_llm.pipeline.name": "support",
        "otel_llm.pipeline.span_id": f"{CALL:016x}",
        "otel_llm.ancestor.span_id": "",
    }
    return [make_span(CHAT | pipeline, span_id=CALL, parent=OTHER)]


def _with_http_and_database() -> list[ReadableSpan]:
    http = {"http.request.method": "POST", "url.full": "https://api.openai.com/v1/chat/completions"}
    return [
        make_span(CHAT, span_id=CALL),
        make_span(http, name="POST", span_id=OTHER, parent=CALL),
        make_span({"db.system.name": "postgresql"}, name="SELECT", span_id=AGENT, parent=CALL),
    ]


def _event(name: str, **attributes: Any) -> Event:
    return Event(name, attributes, timestamp=START_NS + 1_000_000)


def _tool_call() -> dict[str, Any]:
    asked = {"type": "tool_call", "id": "c1", "name": "get_weather", "arguments": {"city": "Paris"}}
    return {"gen_ai.output.messages": json.dumps([message("assistant", asked, finish_reason="tool_call")])}


_TOOLS = json.dumps([{"type": "function", "name": "get_weather", "parameters": {}}, {"type": "web_search"}])
_IMAGE = {"type": "blob", "modality": "image", "mime_type": "image/png", "content": PIXEL}
_URI = {"type": "uri", "modality": "image", "uri": "https://example.com/a.png"}
_AGENT = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.name": "writer",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
_FAILED = {"error.type": "RateLimitError", "gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}
_LINKED = Link(SpanContext(TRACE_ID + 1, OTHER, is_remote=False, trace_flags=TraceFlags(1)))

CASES = [
    Case(
        1,
        "system instructions with an image among them",
        call(CONTENT, {"gen_ai.system_instructions": json.dumps([text("Be brief."), _URI])}),
        "system message",
        lambda stored: _messages(stored)[0]["content"],
        "Be brief.\n[object Object]",
        [{"type": "text", "text": "Be brief."}, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}],
    ),
    Case(
        2,
        "system instructions with messages that a length limit has cut",
        call(CONTENT, {"gen_ai.system_instructions": json.dumps([text("Be brief.")]), "gen_ai.input.messages": ASKED[:40]}),
        "input",
        field("input"),
        ASKED[:40],
        f"Be brief.\n{ASKED[:40]}",
    ),
    Case(
        3,
        "messages in the conventions' parts",
        call(CONTENT),
        "input",
        field("input"),
        ASKED,
        '{"messages":[{"role":"user","content":"Weather in Paris?"}]}',
    ),
    Case(
        4,
        "messages as structured values",
        call({"gen_ai.input.messages": json.loads(ASKED)}),
        "input holds OTLP's own values",
        lambda stored: "kvlistValue" in str(stored.row.get("input")) or "stringValue" in str(stored.row.get("input")),
        True,
        False,
    ),
    Case(
        5,
        "messages in a log event only (so they stay of others' spans; what otel-llm records has them on the span)",
        call(),
        "input",
        field("input"),
        None,
        '{"messages":[{"role":"user","content":"Weather in Paris?"}]}',
        recorded=call(CONTENT),
    ),
    Case(
        6,
        "tool calls among the answer's parts",
        call(CONTENT, _tool_call()),
        "tool calls",
        field("tool_call_names"),
        None,
        ["get_weather"],
    ),
    Case(
        7,
        "a tool without a name among the definitions",
        call(CONTENT, {"gen_ai.tool.definitions": _TOOLS}),
        "tool definitions",
        lambda stored: sorted(stored.row.get("tool_definitions") or {}),
        [],
        ["get_weather"],
    ),
    Case(
        8,
        "gen_ai.prompt.name",
        call(CONTENT, {"gen_ai.prompt.name": "greeting"}),
        "input",
        field("input"),
        '{"name":"greeting"}',
        '{"messages":[{"role":"user","content":"Weather in Paris?"}]}',
    ),
    Case(
        9,
        "attributes named input, output, prompt ...",
        call(CONTENT, {"input": "an order", "output": "a receipt"}),
        "output",
        field("output"),
        "a receipt",
        '{"role":"assistant","content":"Sunny."}',
    ),
    Case(
        10,
        "cached tokens within the input",
        call({"gen_ai.usage.cache_read.input_tokens": 600}),
        "usage",
        field("usage_details"),
        {"input": 400, "input_cached_tokens": 600, "output": 100, "total": 1100},
        {"input": 400, "input_cached_tokens": 600, "output": 100, "total": 1100},
    ),
    Case(
        11,
        "cached tokens beside the input, as Anthropic counts",
        call(
            SONNET,
            {
                "gen_ai.usage.input_tokens": 300,
                "gen_ai.usage.cache_read.input_tokens": 600,
                "gen_ai.usage.cache_creation.input_tokens": 100,
            },
        ),
        "usage",
        field("usage_details"),
        {"input": 0, "input_cached_tokens": 600, "input_cache_creation": 100, "output": 100, "total": 800},
        {"input": 300, "input_cached_tokens": 600, "input_cache_creation": 100, "output": 100, "total": 1100},
    ),
    Case(
        12,
        "reasoning tokens of a model that Langfuse has no price for them",
        call(SONNET, {"gen_ai.usage.reasoning.output_tokens": 40}),
        "output buckets",
        lambda stored: {name: count for name, count in stored.row["usage_details"].items() if name.startswith("output")},
        {"output": 60, "output_reasoning_tokens": 40},
        {"output": 100},
    ),
    Case(
        13,
        "a failed call without usage",
        call(CONTENT, _FAILED, error="429"),
        "tokens counted and charged by the server",
        lambda stored: bool(stored.row.get("tokenised_by_server")),
        True,
        False,
        plain_dual=False,
    ),
    Case(
        14,
        "another vendor's name for reasoning tokens",
        call({"gen_ai.usage.reasoning_tokens": 40}),
        "total tokens",
        lambda stored: stored.row["usage_details"]["total"],
        1140,
        1100,
    ),
    Case(
        15,
        "a model that Langfuse has no price for",
        call(
            {
                "gen_ai.provider.name": "deepseek",
                "gen_ai.request.model": "deepseek-chat",
                "gen_ai.response.model": "deepseek-chat",
            }
        ),
        "a cost is known",
        lambda stored: bool(stored.row.get("cost_details", {}).get("total") or stored.row.get("server_would_price")),
        False,
        True,
    ),
    Case(
        16,
        "the service tier that was used",
        call({"openai.response.service_tier": "priority"}),
        "parameters that prices depend on",
        lambda stored: (stored.row.get("model_parameters") or {}).get("service_tier"),
        None,
        "priority",
    ),
    Case(
        17,
        "an exception",
        call(
            {"error.type": "ValueError"},
            events=(_event("exception", **{"exception.type": "ValueError", "exception.message": "no such city"}),),
        ),
        "level, message, exception",
        lambda stored: [
            stored.row["level"],
            stored.row.get("status_message"),
            stored.row["metadata"].get("exception.type") or stored.row["metadata"].get("exception", {}),
        ],
        ["DEFAULT", None, {}],
        ["ERROR", "ValueError: no such city", "ValueError"],
    ),
    Case(
        18,
        "time to the first chunk",
        call({"gen_ai.response.time_to_first_chunk": 0.25}),
        "completion start",
        lambda stored: "completion_start_time" in stored.row,
        False,
        True,
    ),
    Case(
        19,
        "embeddings",
        lone(
            {
                "gen_ai.operation.name": "embeddings",
                "gen_ai.request.model": "text-embedding-3-small",
                "gen_ai.usage.input_tokens": 5,
                "gen_ai.request.encoding_formats": ("float",),
                "gen_ai.embeddings.dimension.count": 256,
            }
        ),
        "type, parameters",
        lambda stored: [stored.row["type"], stored.row.get("model_parameters")],
        ["EMBEDDING", {"encoding_formats": '["float"]'}],
        ["EMBEDDING", None],
    ),
    Case(
        20,
        "a tool",
        lone(
            {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "get_weather",
                "gen_ai.tool.call.arguments": '{"city":"Paris"}',
                "gen_ai.tool.call.result": '"Sunny."',
            },
            name="execute_tool get_weather",
        ),
        "type, name, input, output",
        lambda stored: [stored.row[name] for name in ("type", "name", "input", "output")],
        ["TOOL", "get_weather", '{"city":"Paris"}', '"Sunny."'],
        ["TOOL", "get_weather", '{"city":"Paris"}', '"Sunny."'],
    ),
    Case(
        21,
        "an agent that carries the sum of its calls",
        lone(_AGENT, name="invoke_agent writer"),
        "type, usage",
        lambda stored: [stored.row["type"], stored.row.get("usage_details")],
        ["AGENT", None],
        ["AGENT", None],
    ),
    Case(
        22,
        "a remote agent, whose calls are not seen",
        lone(_AGENT | {"server.address": "agents.example.com"}, name="invoke_agent writer"),
        "type, usage",
        lambda stored: [stored.row["type"], stored.row.get("usage_details")],
        ["AGENT", None],
        ["AGENT", {"input": 1000, "output": 100, "total": 1100}],
    ),
    Case(
        23,
        "a tool that carries the sum of the calls within",
        lone(_AGENT | {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "ask_writer"}),
        "usage",
        field("usage_details"),
        {"input": 1000, "output": 100, "total": 1100},
        None,
    ),
    Case(
        24,
        "a retrieval with a model",
        lone(
            {
                "gen_ai.operation.name": "retrieval",
                "gen_ai.request.model": "text-embedding-3-small",
                "gen_ai.retrieval.query.text": "refunds",
                "gen_ai.retrieval.documents": '[{"id":"7"}]',
            },
            name="retrieval manuals",
        ),
        "type, input, output",
        lambda stored: [stored.row.get(name) for name in ("type", "input", "output")],
        ["GENERATION", None, None],
        ["RETRIEVER", "refunds", '[{"id":"7"}]'],
    ),
    Case(
        25,
        "guardrails and evaluators",
        lambda: [
            make_span({"gen_ai.operation.name": "apply_guardrail"}, name="apply_guardrail pii", span_id=CALL),
            make_span({"gen_ai.operation.name": "evaluate"}, name="evaluate tone", span_id=OTHER),
        ],
        "types",
        lambda stored: sorted(row["type"] for row in stored.rows),
        ["SPAN", "SPAN"],
        ["EVALUATOR", "GUARDRAIL"],
    ),
    Case(
        26,
        "the agent's name",
        call({"gen_ai.agent.name": "writer"}),
        "metadata, tags",
        lambda stored: [stored.row["metadata"].get("agent_name"), stored.trace.get("tags")],
        [None, None],
        ["writer", ["agent:writer"]],
    ),
    Case(
        27,
        "a conversation's id below the root",
        call({"gen_ai.conversation.id": "c-7"}, parent=OTHER),
        "session",
        lambda stored: stored.trace.get("session_id"),
        "c-7",
        "c-7",
        plain_dual=NOTHING,
    ),
    Case(
        28,
        "enduser.id",
        call({"enduser.id": "42"}),
        "user",
        lambda stored: stored.trace.get("user_id"),
        None,
        "42",
    ),
    Case(
        29,
        "an image as base64",
        call({"gen_ai.input.messages": json.dumps([message("user", "What is it?", _IMAGE)])}),
        "base64 in the input, bytes at the media store",
        lambda stored: [PIXEL in (stored.row.get("input") or ""), stored.media],
        [True, 0],
        [False, 70],
    ),
    Case(
        30,
        "events of the application's own, and links",
        call({}, events=(_event("cache miss", key="k"),), links=(_LINKED,)),
        "metadata",
        lambda stored: [name for name in ("events", "links") if name in stored.row["metadata"]],
        [],
        ["events", "links"],
    ),
    Case(
        31,
        "a root that is not exported (an HTTP server's)",
        _below_http,
        "trace name",
        lambda stored: stored.trace.get("name") or stored.trace.get("trace_name"),
        None,
        "support",
    ),
    Case(
        32,
        "HTTP and database spans in the trace",
        _with_http_and_database,
        "observations",
        lambda stored: len(stored.rows),
        3,
        1,
    ),
    Case(
        33,
        'the environment "Prod EU"',
        call(resource={"deployment.environment.name": "Prod EU"}),
        "environment",
        field("environment"),
        "default",
        "prod-eu",
    ),
    Case(
        34,
        "finish reasons, response id, provider",
        call({"gen_ai.response.finish_reasons": ("stop",), "gen_ai.response.id": "r1"}),
        "metadata",
        told("finish_reasons", "response_id", "provider"),
        {"finish_reasons": None, "response_id": None, "provider": None},
        {"finish_reasons": "stop", "response_id": "r1", "provider": "openai"},
    ),
    Case(
        35,
        "request attributes that are no parameters of the model",
        call({"gen_ai.request.temperature": 0.5, "gen_ai.request.stream": True}),
        "model parameters",
        field("model_parameters"),
        {"temperature": 0.5, "stream": "true"},
        {"temperature": 0.5},
    ),
    Case(
        36,
        "a version that is a number, a prompt without one",
        _wrong_types,
        "observations",
        lambda stored: len(stored.rows),
        1,
        1,
        plain_dual=0,
    ),
    Case(
        37,
        "tokens by modality, cache writes by their new name",
        call({"gen_ai.usage.text.input_tokens": 1000, "gen_ai.usage.cache_write.input_tokens": 14}),
        "total tokens",
        lambda stored: stored.row["usage_details"]["total"],
        2114,
        1100,
    ),
]


PAGE = """\
# What Langfuse stores of a GenAI span

Langfuse takes OpenTelemetry spans, but reads much of what the GenAI conventions say in its own way, or not at all. Below, one row a
case: the same span sent by OpenTelemetry's own OTLP exporter, and by otel-llm's destination, and what stands in Langfuse afterwards.
Each row is a [test](../exporters/langfuse/tests/test_table_of_cases.py) in both of the server's write paths, the newer one
(`x-langfuse-ingestion-version: 4`) and the older one, against `FakeLangfuse`, which is held to what Langfuse 4.16 was measured to
store. Where the older path shows something else of a plain span, it stands in brackets.

| # | a span with | looked at | plain OTLP exporter | otel-llm |
|---|---|---|---|---|
{rows}

What is sent, and how each field comes about: [the package's page](../exporters/langfuse/README.md).
"""


def page() -> str:
    """docs/langfuse.md."""
    return PAGE.format(rows="\n".join(map(_row, CASES)))


def _row(case: Case) -> str:
    plain = _shown(case.plain)
    if case.plain_dual is not None:
        plain += f" ({_shown(None if case.plain_dual is NOTHING else case.plain_dual)})"
    return f"| {case.number} | {case.what} | {case.field} | {plain} | {_shown(case.ours)} |"


def _shown(value: Any) -> str:
    if value is None or value in ([], {}):
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value)
    return "`" + text.replace("\n", " / ").replace("|", "\\|") + "`"


if __name__ == "__main__":
    Path(__file__).parents[3].joinpath("docs", "langfuse.md").write_text(page())
