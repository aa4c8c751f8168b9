"""Whether a legacy row and a Langfuse observation tell the same."""

from __future__ import annotations

from collections.abc import Mapping

from otel_llm_insforge.observations import Observation, epoch_ms
from otel_llm_insforge.rows import TRACES, Row
from otel_llm_insforge.text import clean_text


def agree(seen: Observation, row: Row, span_names: Mapping[str, str]) -> bool:
    """Same start and end to the millisecond, same success, and names that belong together."""
    columns = row.columns
    return (
        epoch_ms(columns["start_time"]) == seen.start_ms
        and (seen.end_ms is None or epoch_ms(columns["end_time"]) == seen.end_ms)
        and columns["success"] == seen.success
        and (_pipeline_agrees(seen, columns["pipeline_name"]) if row.table == TRACES else _span_agrees(seen, row, span_names))
    )


def _pipeline_agrees(seen: Observation, pipeline_name: str) -> bool:
    return seen.subject is None or clean_text(seen.subject.removeprefix("pipeline:"), 50) == pipeline_name


def _span_agrees(seen: Observation, row: Row, span_names: Mapping[str, str]) -> bool:
    """Langfuse names calls by model and the legacy tables by provider, so for calls only the kind can be compared."""
    name = row.columns["span_name"]
    if seen.kind is None or name == seen.name:
        return True
    if seen.kind != "llm" and seen.subject is not None:
        plain = f"{seen.kind}:{seen.subject}"
        return bool(name == clean_text(span_names.get(plain, plain), 100))
    prefix = f"{seen.kind}:"
    return name.startswith(prefix) or name in {new for old, new in span_names.items() if old.startswith(prefix)}
