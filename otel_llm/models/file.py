"""The admins' choices in a YAML file, for those without a database. Needs the extra ``models``.

::

    agents:
      strategist: anthropic/claude-sonnet-4.5          # written by hand
      memory: {model: openai/gpt-5-mini, set_by: eve}  # as otel-llm writes it, with times
    history: [...]
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from otel_llm.errors import ConfigurationError, DeliveryError
from otel_llm.models.store import Change, Override, agent_of, model_of

try:
    import fcntl
except ImportError:  # Windows: two writers at the same instant may lose one change
    fcntl = None  # type: ignore[assignment]

#: Of the whole history, which is read with each refresh.
_CHANGES_KEPT: Final = 1_000
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


class FileStore:
    """Written whole and put in place at once, so that a reader never sees half of it; writers take turns by a file beside it."""

    def __init__(self, path: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._now = now

    @property
    def address(self) -> str:
        """The file's path."""
        return str(self._path)

    def active(self) -> Mapping[str, Override]:
        """The overrides that hold, by agent; none where there is no file."""
        return {name: found for name, found in self._read()[0].items() if found.is_active}

    def set(self, agent_name: str, model_id: str, *, by: str | None) -> Override:
        """Make ``model_id`` the agent's model. Comments in the file are lost."""
        agent, model = agent_of(agent_name), model_of(model_id)
        with self._writing() as (overrides, changes):
            before, now = overrides.get(agent), self._now()
            old = before.model_id if before is not None and before.is_active else None
            if before is None or old != model:
                overrides[agent] = Override(agent, model, True, by, before.created_at if before else now, now)
                changes.append(Change(agent, old, model, by, now))
        return overrides[agent]

    def unset(self, agent_name: str, *, by: str | None) -> bool:
        """Go back to what the code says; False if there was no override."""
        agent = agent_of(agent_name)
        with self._writing() as (overrides, changes):
            before, now = overrides.get(agent), self._now()
            if before is None or not before.is_active:
                return False
            overrides[agent] = Override(agent, before.model_id, False, by, before.created_at, now)
            changes.append(Change(agent, before.model_id, None, by, now))
        return True

    def history(self, agent_name: str | None = None, limit: int = 100) -> list[Change]:
        """The changes made through otel-llm, latest first; of those by hand nobody tells. The last 1,000 are kept."""
        wanted = None if agent_name is None else agent_of(agent_name)
        return [change for change in reversed(self._read()[1]) if wanted in (None, change.agent_name)][:limit]

    def close(self) -> None:
        """Nothing is kept open."""

    def _read(self) -> tuple[dict[str, Override], list[Change]]:
        try:
            text = self._path.read_text("utf-8")
        except FileNotFoundError:
            return {}, []
        except (OSError, UnicodeDecodeError) as error:
            raise DeliveryError(f"{self._path} cannot be read ({type(error).__name__}): check its permissions") from error
        try:
            return _decoded(yaml.safe_load(text) or {})
        except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise ConfigurationError([f"{self._path}: not of the form 'agents: {{NAME: MODEL}}' ({_where(error)})"]) from error

    @contextlib.contextmanager
    def _writing(self) -> Iterator[tuple[dict[str, Override], list[Change]]]:
        """What is there, to be changed; written at the end if it was."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._turn():
                overrides, changes = self._read()
                known = len(changes)
                yield overrides, changes
                if len(changes) > known:
                    self._replace(_encoded(overrides, changes[-_CHANGES_KEPT:]))
        except OSError as error:
            raise DeliveryError(f"{self._path} cannot be written ({type(error).__name__}): check its permissions") from error

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        with open(self._path.with_name(f".{self._path.name}.lock"), "a", opener=_private) as lock:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _replace(self, text: str) -> None:
        """A link stays one: what it leads to is replaced."""
        target = self._path.resolve()
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with open(descriptor, "w", encoding="utf-8") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            os.chmod(name, mode)
            os.replace(name, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _decoded(content: Mapping[str, Any]) -> tuple[dict[str, Override], list[Change]]:
    """Raises what wrong content makes it raise."""
    agents = content.get("agents") or {}
    overrides = [_override(agent_of(str(name)), given) for name, given in agents.items()]
    changes = [
        Change(str(row["agent"]), _text(row.get("from")), _text(row.get("to")), _text(row.get("by")), _moment(row.get("at")))
        for row in content.get("history") or ()
    ]
    return {override.agent_name: override for override in overrides}, changes


def _override(name: str, given: Any) -> Override:
    row: Mapping[str, Any] = {"model": given} if isinstance(given, str) else given
    created, updated = _moment(row.get("created_at")), _moment(row.get("updated_at"))
    return Override(name, str(row["model"]), bool(row.get("active", True)), _text(row.get("set_by")), created, updated)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _moment(value: Any) -> datetime:
    """YAML has times of its own, without a zone where none is written; what nobody dated is of 1970."""
    if value is None:
        return _EPOCH
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _encoded(overrides: Mapping[str, Override], changes: list[Change]) -> str:
    agents = {
        name: {
            "model": found.model_id,
            "active": found.is_active,
            "set_by": found.set_by,
            "created_at": found.created_at.isoformat(),
            "updated_at": found.updated_at.isoformat(),
        }
        for name, found in sorted(overrides.items())
    }
    history = [
        {
            "agent": change.agent_name,
            "from": change.old_model,
            "to": change.new_model,
            "by": change.set_by,
            "at": change.at.isoformat(),
        }
        for change in changes
    ]
    return yaml.safe_dump({"agents": agents, "history": history}, sort_keys=False, allow_unicode=True)


def _where(error: Exception) -> str:
    """The place of a fault, without quoting the file."""
    mark = getattr(error, "problem_mark", None)
    return type(error).__name__ if mark is None else f"line {mark.line + 1}"
