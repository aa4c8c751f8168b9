"""Input tokens that leave the cache out, counted in.

The conventions count what was read from and written to a cache as input. So do, as of the versions this was tried with, the official
instrumentations of OpenAI and Anthropic, Anthropic's own tracing, OpenInference and OpenLLMetry (both for either vendor). Others pass
on Anthropic's or Bedrock's own counts, which leave it out. It shows in the total, or in a cache that is larger than the input.
"""

from __future__ import annotations

from typing import Any, Final

from otel_llm import semconv as sc
from otel_llm.dialects.numbers import whole

#: Read for the arithmetic above, and then of no use.
TOTALS: Final = ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total", "ai.usage.totalTokens")


def repair(told: dict[str, Any]) -> None:
    """Make the input inclusive of the cache; of an embedding, the total is the input."""
    totals = [whole(told.pop(name)) for name in TOTALS if name in told]
    total = next((found for found in totals if found is not None), None)
    asked, answered = whole(told.get(sc.USAGE_INPUT_TOKENS)), whole(told.get(sc.USAGE_OUTPUT_TOKENS))
    if asked is None:
        if total is not None and told.get(sc.OPERATION_NAME) == sc.EMBEDDINGS:
            told[sc.USAGE_INPUT_TOKENS] = total
        return
    cached = (whole(told.get(sc.USAGE_CACHE_READ)) or 0) + (whole(told.get(sc.USAGE_CACHE_WRITE)) or 0)
    if cached and (cached > asked or total == asked + (answered or 0) + cached):
        told[sc.USAGE_INPUT_TOKENS] = asked + cached
