"""A call inside another library's GenAI invocation: handed to opentelemetry-util-genai, which enriches that invocation's own span."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Span
from opentelemetry.util.genai.handler import TelemetryHandler
from opentelemetry.util.genai.types import Error, InputMessage, OutputMessage

from otel_llm import semconv as sc
from otel_llm.content import CaptureMode
from otel_llm.version import SCOPE, __version__

if TYPE_CHECKING:
    from otel_llm.emit import Outcome, Target
    from otel_llm.metrics import CallMetrics

#: Attribute of the conventions -> setter of an inference invocation.
_SETTERS: Final = {
    sc.REQUEST_TEMPERATURE: "temperature",
    sc.REQUEST_TOP_P: "top_p",
    sc.REQUEST_TOP_K: "top_k",
    sc.REQUEST_FREQUENCY_PENALTY: "frequency_penalty",
    sc.REQUEST_PRESENCE_PENALTY: "presence_penalty",
    sc.REQUEST_MAX_TOKENS: "max_tokens",
    sc.REQUEST_STOP_SEQUENCES: "stop_sequences",
    sc.REQUEST_SEED: "seed",
    sc.REQUEST_CHOICE_COUNT: "request_choice_count",
    sc.REQUEST_REASONING_LEVEL: "reasoning_level",
    sc.OUTPUT_TYPE: "output_type",
    sc.RESPONSE_ID: "response_id",
    sc.RESPONSE_MODEL: "response_model_name",
    sc.RESPONSE_FINISH_REASONS: "finish_reasons",
    sc.USAGE_INPUT_TOKENS: "input_tokens",
    sc.USAGE_OUTPUT_TOKENS: "output_tokens",
    sc.USAGE_CACHE_READ: "cache_read_input_tokens",
    sc.USAGE_CACHE_WRITE: "cache_write_input_tokens",
    sc.USAGE_REASONING: "thinking_tokens",
}
#: Known to the invocation in other ways: the model at its start, streaming and its timing by what we set on its data.
_ELSEWHERE: Final = frozenset({sc.REQUEST_MODEL, sc.REQUEST_STREAM, sc.RESPONSE_TIME_TO_FIRST_CHUNK})


@functools.lru_cache(maxsize=1)
def _telemetry() -> TelemetryHandler:
    return TelemetryHandler(instrumentation_scope_name=SCOPE, instrumentation_scope_version=__version__)


class InsideInvocation:
    """A call whose span is another library's."""

    context: Context | None = None

    def __init__(self, target: Target, mode: CaptureMode, span: Span, metrics: CallMetrics) -> None:
        self._target = target
        self._span = span
        self._metrics = metrics
        self._content = mode is not CaptureMode.NO_CONTENT
        self._invocation = _telemetry().inference(
            target.provider,
            request_model=target.model,
            server_address=target.server_address,
            server_port=target.server_port,
            operation_name=target.operation,
        )

    def finish(self, outcome: Outcome) -> None:
        """Hand over what is known. What the outer library set itself wins; the span stays its own to end.

        What an invocation has no setter for goes onto the span: of the attributes of an inner invocation util-genai (1.3b0) loses all
        where the outer library has put its own in their place, as the official instrumentation of Anthropic does.
        """
        invocation, further = self._invocation, dict[str, Any]()
        for name, value in outcome.for_another_span().items():
            setter = _SETTERS.get(name)
            if setter is not None:
                setattr(invocation, setter, value)
            elif name not in _ELSEWHERE:
                further[name] = value
        self._add(further)
        if outcome.request.stream:
            invocation.data.request_stream = True
            invocation.data.response_time_to_first_chunk = outcome.first_chunk_s
        if self._content:
            self._hand_over_content(outcome)
        if outcome.failure is None:
            invocation.stop()
        else:
            kind = str(outcome.attributes.get(sc.ERROR_TYPE, "error"))
            invocation.fail(Error(message=outcome.failure, type=kind))
        if self._metrics.measured:
            self._metrics.record_cost({**self._target.attributes, **outcome.told}, outcome.response.usage)

    def _add(self, further: dict[str, Any]) -> None:
        there = self._span.attributes or {} if isinstance(self._span, ReadableSpan) else {}
        self._span.set_attributes({name: value for name, value in further.items() if name not in there})

    def _hand_over_content(self, outcome: Outcome) -> None:
        """Messages keep their parts as decoded JSON: they are serialised by the same rules as util-genai's own parts."""
        invocation, request, response = self._invocation, outcome.request, outcome.response
        invocation.input_messages = [InputMessage(str(m.get("role", "")), _parts(m)) for m in request.messages]
        invocation.output_messages = [
            OutputMessage(str(m.get("role", "")), _parts(m), m.get("finish_reason")) for m in response.messages
        ]
        invocation.system_instruction = cast(Any, request.system)
        invocation.tool_definitions = cast(Any, request.tools)


def _parts(message: dict[str, Any]) -> list[Any]:
    return list(message.get("parts") or ())
