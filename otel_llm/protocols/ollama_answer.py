"""What Ollama says of an answer beside its content; in a stream, the last line does."""

from __future__ import annotations

from typing import Any

from otel_llm.protocols.facts import Message, ResponseFacts, Usage
from otel_llm.protocols.failure import failure
from otel_llm.protocols.values import count, text


def read_answer(body: dict[str, Any], message: Message | None) -> ResponseFacts:
    """Facts of an answer with this message, if it has one. Ollama gives no id.

    A count that is not there is unknown: that of the prompt is left out where the prompt was cached.
    """
    reason = text(body.get("done_reason"))
    if message is not None and reason:
        message = {**message, "finish_reason": reason}
    return ResponseFacts(
        model=text(body.get("model")),
        finish_reasons=(reason,) if reason else (),
        usage=Usage(input_tokens=count(body.get("prompt_eval_count")), output_tokens=count(body.get("eval_count"))),
        messages=[] if message is None else [message],
        error=failure(body),
    )
