"""The admins' choice of models through InsForge, for ``OTEL_LLM_MODELS=insforge``.

The history is written by the triggers of the tables' migration, so that it also has what others change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_llm.errors import ConfigurationError, DeliveryError
from otel_llm.models.store import Change, Override, agent_of, model_of
from otel_llm_insforge.answers import Fault, fault_of, reason_of
from otel_llm_insforge.rest import credential
from otel_llm_insforge.settings import Connection

_CONFIG: Final = "agent_model_config"
_HISTORY: Final = "agent_model_history"
_TIMEOUT_S: Final = 5.0
_PAGE_ROWS: Final = 500
_REMEDIES: Final = {
    Fault.SCHEMA: "the tables are missing or differ: run otel_llm/models/migrations/agent_model_config.postgresql.sql there",
    Fault.ROW: "the row was refused",
}
Parameters = Sequence[tuple[str, str]]


def from_environment() -> InsForgeModelStore:
    """The store that ``INSFORGE_BASE_URL`` and ``INSFORGE_API_KEY`` name. Raises ConfigurationError naming all faults."""
    connection = Connection(database_url=None)
    if not (connection.base_url or connection.api_key):
        raise ConfigurationError(["OTEL_LLM_MODELS=insforge needs INSFORGE_BASE_URL and INSFORGE_API_KEY"])
    faults = connection.faults()
    if faults:
        raise ConfigurationError(faults)
    return InsForgeModelStore(str(connection.base_url), connection.key)


class InsForgeModelStore:
    """The tables ``agent_model_config`` and ``agent_model_history`` behind an InsForge."""

    def __init__(self, base_url: str, key: Callable[[], str]) -> None:
        self._root = f"{base_url.rstrip('/')}/api/database/records"
        self._key = key

    @property
    def address(self) -> str:
        """The URL under which the table is."""
        return f"{self._root}/{_CONFIG}"

    def active(self) -> Mapping[str, Override]:
        """The overrides that hold, by agent."""
        found: dict[str, Override] = {}
        last = 0
        while True:
            page = self._rows(
                "GET",
                _CONFIG,
                [("is_active", "eq.true"), ("id", f"gt.{last}"), ("order", "id.asc"), ("limit", str(_PAGE_ROWS))],
            )
            found |= {row["agent_name"]: _override(row) for row in page}
            if len(page) < _PAGE_ROWS:
                return found
            last = page[-1]["id"]

    def set(self, agent_name: str, model_id: str, *, by: str | None) -> Override:
        """Make ``model_id`` the agent's model; of two at once the later one wins, and the history has both."""
        agent, model = agent_of(agent_name), model_of(model_id)
        for row in self._rows("GET", _CONFIG, [("agent_name", f"eq.{agent}"), ("is_active", "eq.true")]):
            if row["model_id"] == model:
                return _override(row)
        new = {"agent_name": agent, "model_id": model, "is_active": True, "set_by": by}
        (row,) = self._rows("POST", _CONFIG, [("on_conflict", "agent_name")], [new], "resolution=merge-duplicates")
        return _override(row)

    def unset(self, agent_name: str, *, by: str | None) -> bool:
        """Go back to what the code says; False if there was no override."""
        holds = [("agent_name", f"eq.{agent_of(agent_name)}"), ("is_active", "eq.true")]
        return bool(self._rows("PATCH", _CONFIG, holds, {"is_active": False, "set_by": by}))

    def history(self, agent_name: str | None = None, limit: int = 100) -> list[Change]:
        """The changes, latest first, of one agent or of all."""
        wanted = [] if agent_name is None else [("agent_name", f"eq.{agent_of(agent_name)}")]
        rows = self._rows("GET", _HISTORY, [*wanted, ("order", "id.desc"), ("limit", str(limit))])
        return [
            Change(row["agent_name"], row["old_model"], row["new_model"], row["set_by"], _moment(row["at"])) for row in rows
        ]

    def close(self) -> None:
        """Nothing is kept open: each use has a connection of its own, so none is shared across a fork."""

    def _rows(
        self, method: str, table: str, parameters: Parameters, body: Any = None, prefer: str = ""
    ) -> list[dict[str, Any]]:
        """The rows of an answer. Raises DeliveryError, without any text of the answer."""
        preferences = ",".join(filter(None, (prefer, "return=representation")))
        try:
            with suppress_instrumentation(), httpx.Client(timeout=_TIMEOUT_S) as client:
                answer = client.request(
                    method,
                    f"{self._root}/{table}",
                    params=list(parameters),
                    headers={"Prefer": preferences, **credential(self._key())},
                    json=body,
                )
        except httpx.RequestError as error:
            raise DeliveryError(f"InsForge cannot be reached for {table}: {type(error).__name__}") from error
        fault = fault_of(answer.status_code, answer.content)
        if fault is not None:
            reason = reason_of(fault, answer.status_code, answer.content)
            raise DeliveryError(f"{table} of InsForge: {reason.replace(fault.value, _REMEDIES.get(fault, fault.value))}")
        return _decoded(table, answer)


def _decoded(table: str, answer: httpx.Response) -> list[dict[str, Any]]:
    try:
        rows = answer.json()
    except ValueError as error:
        raise DeliveryError(f"{table} of InsForge: the answer is no JSON: check INSFORGE_BASE_URL") from error
    wanted = {"id", "agent_name", "set_by"}
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.keys() >= wanted for row in rows):
        raise DeliveryError(f"{table} of InsForge: {_REMEDIES[Fault.SCHEMA]}")
    return rows


def _override(row: Mapping[str, Any]) -> Override:
    created, updated = _moment(row["created_at"]), _moment(row["updated_at"])
    return Override(row["agent_name"], row["model_id"], row["is_active"], row["set_by"], created, updated)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
