"""What was chosen and why, put on whatever span records the call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from opentelemetry import context as otel_context
from opentelemetry.util.types import AttributeValue

from otel_llm import semconv as sc
from otel_llm.identity import current_identity, with_identity
from otel_llm.models.choice import ModelChoice


@contextmanager
def stamped(choice: ModelChoice, *, fallback_from: str | None = None) -> Iterator[None]:
    """Around one request: its span says what ``choice`` is. ``fallback_from`` is the model that failed before, as ``provider:model``.

    For blocks that do not yield to others: not around the items of a generator.
    """
    identity = current_identity()
    attributes = {**identity.attributes, **attributes_of(choice, fallback_from)}
    token = otel_context.attach(with_identity(replace(identity, attributes=attributes)))
    try:
        yield
    finally:
        otel_context.detach(token)


def attributes_of(choice: ModelChoice, fallback_from: str | None = None) -> dict[str, AttributeValue]:
    """The choice as attributes of a span."""
    attributes: dict[str, AttributeValue] = {sc.MODEL_SOURCE: choice.source, sc.MODEL_DEFAULT: choice.default}
    if choice.set_by is not None:
        attributes[sc.MODEL_SET_BY] = choice.set_by
    if fallback_from is not None:
        attributes[sc.MODEL_FALLBACK_FROM] = fallback_from
    return attributes
