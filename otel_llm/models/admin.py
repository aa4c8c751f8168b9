"""What must hold before an override is set, whoever sets it: the command line, or a page."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Final

from otel_llm.errors import ConfigurationError
from otel_llm.models.choice import SHARED_KEY_VARIABLE
from otel_llm.models.store import ModelStore, Override, agent_of, model_of

#: Ways to route a model, which no list has as models of their own.
_VARIANTS: Final = frozenset({"exacto", "extended", "floor", "nitro", "online", "thinking"})


class UnlistedModelError(ConfigurationError):
    """The model is not among those that OpenRouter is known to list."""


def has_shared_key(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether overrides can be used at all."""
    return bool(environ.get(SHARED_KEY_VARIABLE, "").strip())


def set_model(
    store: ModelStore,
    agent_name: str,
    model: str,
    *,
    by: str | None,
    known: Collection[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Override:
    """Make ``model`` the agent's. ``known`` are the ids that OpenRouter lists; empty: nobody knows.

    Raises ConfigurationError that says why an override cannot be, UnlistedModelError if it is not ``known``, and DeliveryError of the
    store.
    """
    agent, wanted = agent_of(agent_name), model_of(model)
    if not has_shared_key(environ):
        raise ConfigurationError(
            [
                f"an override goes through OpenRouter, whatever provider the agent uses, and {SHARED_KEY_VARIABLE} is not set here"
            ]
        )
    if known and wanted not in known and not _is_variant(wanted, known):
        raise UnlistedModelError([f"OpenRouter lists no model {wanted!r}"])
    return store.set(agent, wanted, by=by)


def _is_variant(model: str, known: Collection[str]) -> bool:
    base, _, variant = model.rpartition(":")
    return variant in _VARIANTS and base in known
