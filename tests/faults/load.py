"""Spans as an application makes them: agents with calls of a model, 5 KB each."""

from __future__ import annotations

import json
import os
import random
import time
from array import array
from pathlib import Path
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.trace import Span, format_span_id, format_trace_id, set_span_in_context

#: Calls of each agent's run.
_CALLS = 50
_PROMPT_BYTES = 4_200
_ANSWER_BYTES = 500
_WORDS = [f"{random.Random(number).getrandbits(24):06x}" for number in range(2_000)]


def _text(number: int, size: int) -> str:
    return " ".join(random.Random(number).choices(_WORDS, k=size // 7))


_PROMPTS = [json.dumps([{"role": "user", "parts": [{"type": "text", "content": _text(n, _PROMPT_BYTES)}]}]) for n in range(64)]
_ANSWERS = [
    json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": _text(n, _ANSWER_BYTES)}]}]) for n in range(64)
]


class Load:
    """Makes spans, and writes down the ids of each as soon as it has ended, into a file that survives the process.

    A line holds the id that Langfuse gets, the one that InsForge gets, the end in nanoseconds since 1970, and the process.
    """

    def __init__(self, provider: TracerProvider, ids: Path) -> None:
        self._tracer = provider.get_tracer("otel-llm.faults")
        self._ids = os.open(ids, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._costs_ns = array("q")
        #: Exceptions that reached the application.
        self.failures = 0

    def make(self, spans: int, *, rate: float = 0.0, poison: int = -1, big: int = -1, big_bytes: int = 0) -> dict[str, Any]:
        """Make calls, ``rate`` a second (0: as fast as can be), and an agent's span around each fifty.

        The one numbered ``poison`` is called so; the one numbered ``big`` has a prompt of ``big_bytes``. What it cost the thread
        that makes them is told in microseconds a call.
        """
        self._costs_ns = array("q")
        begin = time.perf_counter()
        agent: Span | None = None
        for number in range(spans):
            if number % _CALLS == 0:
                self._end(agent)
                agent = self._agent()
            prompt = _text(0, big_bytes) if number == big else _PROMPTS[number % 64]
            self._call(agent, number, prompt, "poison" if number == poison else "gpt-4o-mini")
            ahead_s = begin + number / rate - time.perf_counter() if rate else 0.0
            if ahead_s > 0.0:
                time.sleep(ahead_s)
        self._end(agent)
        costs = sorted(self._costs_ns) or [0]
        return {
            "seconds": round(time.perf_counter() - begin, 2),
            "p50_us": costs[len(costs) // 2] // 1000,
            "p99_us": costs[len(costs) * 99 // 100] // 1000,
            "failures": self.failures,
        }

    def _agent(self) -> Span:
        attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "bot", "user.id": "42"}
        return self._tracer.start_span("invoke_agent bot", context=Context(), attributes=attributes)

    def _call(self, agent: Span | None, number: int, prompt: str, model: str) -> None:
        context = Context() if agent is None else set_span_in_context(agent, Context())
        begin = time.perf_counter_ns()
        try:
            span = self._tracer.start_span(f"chat {model}", context=context)
            span.set_attributes(
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": "openai",
                    "gen_ai.request.model": model,
                    "gen_ai.response.model": model,
                    "gen_ai.usage.input_tokens": 1_000 + number,
                    "gen_ai.usage.output_tokens": 100,
                    "gen_ai.input.messages": prompt,
                    "gen_ai.output.messages": _ANSWERS[number % 64],
                }
            )
            span.end()
        except Exception:
            self.failures += 1
            return
        self._costs_ns.append(time.perf_counter_ns() - begin)
        self._note(span, format_span_id(span.get_span_context().span_id))

    def _end(self, agent: Span | None) -> None:
        if agent is not None:
            agent.end()
            self._note(agent, format_trace_id(agent.get_span_context().trace_id))

    def _note(self, span: Span, insforge_id: str) -> None:
        ended = span.end_time if isinstance(span, ReadableSpan) else 0
        os.write(self._ids, f"{format_span_id(span.get_span_context().span_id)} {insforge_id} {ended} {os.getpid()}\n".encode())
