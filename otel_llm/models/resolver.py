"""Which model a call is to use: what the code says, or what an admin has chosen for the agent that makes it."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import semconv as sc
from otel_llm.errors import ConfigurationError
from otel_llm.identity import current_identity
from otel_llm.models.choice import OPENROUTER, SHARED_KEY_VARIABLE, ModelChoice, chosen_model
from otel_llm.models.overrides import OpenStore, Overrides, Wait
from otel_llm.models.place import REFRESH_S, open_existing_store, refresh_seconds
from otel_llm.models.store import ModelStore, Override, model_of

_logger = logging.getLogger(__name__)
#: Seconds that the first call of a process waits for the store, at most.
_FIRST_LOAD_S: Final = 2.0


class ModelResolver:
    """Says for each call which model to use. Keyed by the agent of the current context, so it works wherever a call is made.

    Safe for use by several threads and tasks, and in forked processes.
    """

    def __init__(
        self,
        store: ModelStore | OpenStore | None,
        *,
        refresh_s: float = REFRESH_S,
        first_load_s: float = _FIRST_LOAD_S,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Event.wait,
    ) -> None:
        """``store`` may be a function that gives it, called when first needed; None: the code has its way."""
        self._given = store
        self._store: ModelStore | None = None
        self._environ = environ
        self._warned: set[tuple[str, str]] = set()
        self._overrides = Overrides(self._opened, refresh_s=refresh_s, first_load_s=first_load_s, clock=clock, wait=wait)

    def _opened(self) -> ModelStore | None:
        if self._store is None:
            self._store = self._given() if callable(self._given) else self._given
        return self._store

    @property
    def age_s(self) -> float | None:
        """Seconds since the store last answered; None if it never did."""
        return self._overrides.age_s

    def start(self) -> None:
        """Begin to load, so that the first call need not wait."""
        self._overrides.start()

    def resolve(self, default: str, *, agent: str | None = None) -> ModelChoice:
        """The model for ``agent``, by default the one of the current context; ``default`` is what the code says.

        Raises ConfigurationError if ``default`` is not of the form ``provider:model``.
        """
        name = agent or current_agent()
        choice = chosen_model(default, "default", agent=name)
        override = None if name is None else self._overrides.current().get(name)
        return choice if override is None else self._overridden(choice, override)

    def _overridden(self, choice: ModelChoice, override: Override) -> ModelChoice:
        if not self._environ.get(SHARED_KEY_VARIABLE, "").strip():
            self._warn(
                "", "Overrides of models are ignored: they go through OpenRouter, and %s is not set", SHARED_KEY_VARIABLE
            )
            return choice
        try:
            model = model_of(override.model_id)
        except ConfigurationError as error:
            self._warn(override.agent_name, "An override is ignored, of agent %r: %s", override.agent_name, error.faults[0])
            return choice
        return ModelChoice(
            OPENROUTER, model, SHARED_KEY_VARIABLE, "override", choice.default, agent=choice.agent, set_by=override.set_by
        )

    def _warn(self, subject: str, message: str, *arguments: str) -> None:
        """Once for each subject and cause."""
        if (subject, arguments[-1]) not in self._warned:
            self._warned.add((subject, arguments[-1]))
            _logger.warning(message, *arguments)

    def close(self) -> None:
        """Ask the store no more; the last choices go on to hold."""
        self._overrides.stop()
        if self._store is not None:
            self._store.close()


def current_agent() -> str | None:
    """The agent that the current context belongs to: of the current span, whoever opened it, else of the identity around it."""
    span = trace.get_current_span()
    name = (span.attributes or {}).get(sc.AGENT_NAME) if isinstance(span, ReadableSpan) else None
    return name if isinstance(name, str) and name else current_identity().agent


_lock = threading.Lock()
_current: ModelResolver | None = None


def current_resolver() -> ModelResolver:
    """The process's resolver: as ``configure(models=...)`` said, else by ``OTEL_LLM_MODELS``."""
    global _current
    if _current is None:
        with _lock:
            if _current is None:
                _current = ModelResolver(open_existing_store, refresh_s=refresh_seconds())
    return _current


def use_resolver(resolver: ModelResolver | None) -> None:
    """Make it the process's own; None: back to what the environment says. The one before is closed."""
    global _current
    with _lock:
        before, _current = _current, resolver
    if before is not None and before is not resolver:
        before.close()


def _renew_lock() -> None:
    """A forked child may find it held by a thread that it does not have."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
