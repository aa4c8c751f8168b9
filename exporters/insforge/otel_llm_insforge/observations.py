"""Langfuse observations, in the form of ``GET /api/public/v2/observations``, as far as a legacy row can be compared with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from otel_llm import semconv as sc
from otel_llm_insforge.ids import is_span_id, is_trace_id, span_uuid

#: The operation that a span's name starts with by the conventions -> the prefix of the legacy ``span_name``.
_PREFIXES: Final = {
    sc.INVOKE_AGENT: "agent",
    sc.INVOKE_WORKFLOW: "workflow",
    sc.EXECUTE_TOOL: "tool",
    sc.EMBEDDINGS: "llm",
    **dict.fromkeys(sc.INFERENCE_OPERATIONS, "llm"),
}
_PREFIX_OF_TYPE: Final = {"AGENT": "agent", "TOOL": "tool", "GENERATION": "llm", "EMBEDDING": "llm"}


@dataclass(frozen=True, slots=True)
class Observation:
    """One observation; times in whole milliseconds since 1970, as exact as Langfuse keeps them."""

    id: str
    trace_id: str
    parent_id: str | None
    type: str
    name: str
    start_ms: int
    end_ms: int | None
    success: bool

    @property
    def identity(self) -> str:
        """Its ``span_id`` in the legacy tables: span ids alone are unique within a trace only."""
        return span_uuid(int(self.trace_id, 16), self.id)

    @property
    def parent_identity(self) -> str | None:
        """The ``span_id`` of its parent."""
        return None if self.parent_id is None else span_uuid(int(self.trace_id, 16), self.parent_id)

    @property
    def kind(self) -> str | None:
        """``agent``, ``workflow``, ``tool`` or ``llm``; None where neither name nor type tells."""
        operation, _, rest = self.name.partition(" ")
        return _PREFIXES[operation] if rest and operation in _PREFIXES else _PREFIX_OF_TYPE.get(self.type)

    @property
    def subject(self) -> str | None:
        """The name of what was run, if the observation is named by the conventions (``invoke_agent <name>``)."""
        operation, _, rest = self.name.partition(" ")
        return rest if rest and operation in _PREFIXES else None

    @property
    def opens_pipelines(self) -> bool:
        """Whether this could be the root of a pipeline: an agent or a workflow."""
        return self.kind in {"agent", "workflow"} or self.type == "CHAIN"


def parse_observations(items: Iterable[Mapping[str, Any]]) -> tuple[dict[str, Observation], int]:
    """Observations by identity, and the number of those that cannot be read."""
    found: dict[str, Observation] = {}
    unreadable = 0
    for item in items:
        try:
            observation = _parse(item)
        except (KeyError, TypeError, ValueError):
            unreadable += 1
        else:
            found[observation.identity] = observation
    return found, unreadable


def _parse(item: Mapping[str, Any]) -> Observation:
    end, trace_id, parent = item.get("endTime"), item["traceId"], item.get("parentObservationId")
    if not is_span_id(item["id"]) or not is_trace_id(trace_id):
        raise ValueError("not the ids of an OpenTelemetry span")
    return Observation(
        id=item["id"],
        trace_id=trace_id,
        parent_id=parent if is_span_id(parent) else None,
        type=str(item.get("type") or ""),
        name=str(item.get("name") or ""),
        start_ms=epoch_ms(item["startTime"]),
        end_ms=None if end is None else epoch_ms(end),
        success=item.get("level") != "ERROR",
    )


def epoch_ms(moment: str | datetime) -> int:
    """Whole milliseconds since 1970, cut and not rounded, by integers."""
    time = moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)
    since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000 + since.microseconds // 1_000
