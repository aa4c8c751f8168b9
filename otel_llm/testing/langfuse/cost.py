"""Cost of an observation: what the client sent, and whether the server would work it out itself."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from otel_llm.testing.langfuse import javascript
from otel_llm.testing.langfuse.model import is_suppressed
from otel_llm.testing.langfuse.spans import Span

Cost = dict[str, float]

_DETAILS: Final = "langfuse.observation.cost_details"
_TOTALS: Final = ("gen_ai.usage.cost", "llm.cost.total")
#: Families of the price list that a server ships with. Its 167 entries are finer; amounts are not emulated.
_PRICED: Final = re.compile(
    r"(openai/)?(gpt-(?!oss)|chatgpt-|o[134]($|-)|text-embedding-|text-davinci-|ft:gpt-).*"
    r"|(anthropic/)?((eu|us|apac|global)\.)?(anthropic\.)?claude-[^./]*"
    r"|(google(ai)?/)?gemini-.*",
    re.IGNORECASE,
)


def is_priced(model: str) -> bool:
    """Whether the server's own price list knows the model. Then it can also count its tokens."""
    return _PRICED.fullmatch(model) is not None


def client_cost(span: Span, *, strict: bool) -> Cost:
    """Cost in USD as the client sent it; empty if it did not.

    Numbers only. Other values are ignored where the schema is strict (the dual path), and become 0 where it is not.
    """
    details = {} if is_suppressed(span) else _details(span)
    if strict:
        return _with_total({name: value for name, value in details.items() if _is_amount(value) and value >= 0})
    return _with_total({name: value if _is_amount(value) else 0 for name, value in details.items()})


def _details(span: Span) -> dict[str, Any]:
    if (document := span.first(_DETAILS)) is not None:
        try:
            decoded = javascript.parse(document)
            return decoded if isinstance(decoded, dict) else {}
        except ValueError:  # no JSON: as if it had not been sent
            pass
    total = next((span.attributes[name] for name in _TOTALS if span.attributes.get(name) is not None), None)
    return {} if total is None else {"total": total}


def _is_amount(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _with_total(amounts: Cost) -> Cost:
    """A missing total is filled in only where nothing but input and output was sent."""
    if amounts and amounts.keys() <= {"input", "output"}:
        return {**amounts, "total": sum(amounts.values())}
    return amounts
