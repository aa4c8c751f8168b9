"""What a resource tells of its spans. The same few resources come with every span, and reading the SDK's mappings takes long."""

from __future__ import annotations

from typing import Final, NamedTuple

from otel_llm.projects import named_project
from otel_llm_langfuse import names
from otel_llm_langfuse.readers import Given, text

#: In the order in which they count.
ENVIRONMENT: Final = (names.ENVIRONMENT, "deployment.environment.name", "deployment.environment")
_MOST_RESOURCES: Final = 64


class Told(NamedTuple):
    """What holds for all spans of a resource."""

    environment: str | None
    release: str | None
    version: str | None
    project: str | None


#: By the identities of the attributes, which are held here, so that an identity is not given away meanwhile.
_told: dict[int, tuple[Given, Told]] = {}


def told_by(resource: Given) -> Told:
    """What the attributes of a resource tell; they do not change."""
    known = _told.get(id(resource))
    if known is None:
        if len(_told) >= _MOST_RESOURCES:
            _told.clear()
        known = _told[id(resource)] = (resource, _read(resource))
    return known[1]


def _read(resource: Given) -> Told:
    return Told(
        environment=text(resource, *ENVIRONMENT),
        release=text(resource, names.RELEASE),
        version=text(resource, names.VERSION, "service.version"),
        project=named_project(resource),
    )
