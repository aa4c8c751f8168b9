"""The resolver of this process, by what ``configure`` is given."""

from __future__ import annotations

from typing import TypeAlias

from pydantic import SecretStr

from otel_llm.errors import ConfigurationError
from otel_llm.models.place import open_store
from otel_llm.models.resolver import ModelResolver, use_resolver
from otel_llm.models.store import ModelStore

#: A resolver, a store, or a place as ``OTEL_LLM_MODELS`` names it.
ModelsGiven: TypeAlias = ModelResolver | ModelStore | str


def use_models(given: ModelsGiven | None, place: SecretStr | None, refresh_s: float) -> None:
    """Use what is ``given``, else what the environment says, and begin to load it. Nothing said: it is looked for when first needed.

    Raises ConfigurationError, or MissingExtraError.
    """
    if given is None:
        given = place.get_secret_value() if place is not None else None
    if given is not None:
        resolver = _resolver(given, refresh_s)
        use_resolver(resolver)
        resolver.start()


def _resolver(given: ModelsGiven, refresh_s: float) -> ModelResolver:
    if isinstance(given, ModelResolver):
        return given
    if isinstance(given, str):
        return ModelResolver(open_store(given), refresh_s=refresh_s)
    if not callable(getattr(given, "active", None)):
        raise ConfigurationError(["models must be a database's URL, the path of a .yaml file, a store or a resolver"])
    return ModelResolver(given, refresh_s=refresh_s)
