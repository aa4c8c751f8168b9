"""What an observation says about its trace: user, session, tags, metadata, name, environment, release, version."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from otel_llm import semconv as sc
from otel_llm_langfuse import names
from otel_llm_langfuse.readers import Given, names_under, text, texts
from otel_llm_langfuse.resources import ENVIRONMENT, told_by

_LONGEST_ENVIRONMENT: Final = 40
#: What the tags of a span are told by.
TAGGING: Final = frozenset({names.TRACE_TAGS, names.TRACE_TAGS_OLD, sc.TAGS, sc.AGENT_NAME})


def trace_attributes(given: Given, resource: Given, *, environment: str | None, release: str | None) -> dict[str, Any]:
    """Trace attributes of one span. ``environment`` and ``release`` come from the settings and win over the resource's."""
    common = told_by(resource)
    known: dict[str, Any] = {
        sc.USER_ID: text(given, sc.USER_ID),
        sc.SESSION_ID: text(given, sc.SESSION_ID, sc.CONVERSATION_ID),
        names.TRACE_NAME: _name(given),
        names.TRACE_TAGS: tags_of(given),
        names.ENVIRONMENT: _environment(given, environment, common.environment),
        names.RELEASE: release or common.release,
        names.VERSION: common.version,
        **_metadata(given),
    }
    return {name: value for name, value in known.items() if value}


@lru_cache(maxsize=64)
def normalised_environment(value: str) -> str | None:
    """In Langfuse's form, ``[a-z0-9_-]{1,40}`` and not beginning with "langfuse"; anything else it would call "default"."""
    allowed = re.sub(r"[^a-z0-9_-]+", "-", value.strip().lower())
    return re.sub(r"^(langfuse[-_]*)+", "", allowed)[:_LONGEST_ENVIRONMENT] or None


def _environment(given: Given, setting: str | None, of_resource: str | None) -> str | None:
    found = text(given, names.ENVIRONMENT) or setting or text(given, *ENVIRONMENT) or of_resource
    return None if found is None else normalised_environment(found)


def _name(given: Given) -> str | None:
    """That of the trace's first pipeline."""
    own = text(given, sc.PIPELINE_NAME) if given.get(sc.PIPELINE_PRIMARY) is not False else None
    return text(given, sc.TRACE_NAME) or own


def tags_of(given: Given) -> list[str]:
    """The tags that a span tells: those that were asked for, and that of its agent."""
    if TAGGING.isdisjoint(given):
        return []
    agent = text(given, sc.AGENT_NAME)
    asked = [*texts(given, names.TRACE_TAGS), *texts(given, names.TRACE_TAGS_OLD), *texts(given, sc.TAGS)]
    return list(dict.fromkeys([*asked, f"agent:{agent}"] if agent else asked))


def _metadata(given: Given) -> dict[str, str | None]:
    return {
        f"{names.TRACE_METADATA_PREFIX}{name.removeprefix(sc.METADATA_PREFIX)}": text(given, name)
        for name in names_under(given, sc.METADATA_PREFIX)
    }
