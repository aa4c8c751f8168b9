"""The deliveries to Langfuse that run in this process, for what is said beside the spans."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan

from otel_llm import semconv as sc
from otel_llm.delivery.queue import Delivery
from otel_llm.delivery.running import deliveries_to
from otel_llm.errors import ConfigurationError
from otel_llm_langfuse.current import Here
from otel_llm_langfuse.destination import LangfuseDestination
from otel_llm_langfuse.settings import LangfuseSettings


def langfuse_deliveries() -> list[Delivery]:
    """Those of ``configure()``, and those of exporters."""
    return deliveries_to(LangfuseDestination)


def project_for(settings: LangfuseSettings | None, place: Here | None) -> str | None:
    """Name of the project that something is meant for: that of ``settings``, else that of the current span; None for the default."""
    if settings is None:
        return None if place is None else place.attributes.get(sc.PROJECT)
    return next(
        (_destination(found).selection.route.project for found in langfuse_deliveries() if _meant(found, settings)), None
    )


def settings_of(delivery: Delivery) -> LangfuseSettings:
    """The settings of one of :func:`langfuse_deliveries`."""
    return _destination(delivery).settings


def deliver(span: ReadableSpan, settings: LangfuseSettings | None = None) -> None:
    """Offer a span to each project's delivery, or to that of ``settings``. Raises ConfigurationError without one."""
    projects: dict[tuple[str, str | None], Delivery] = {}
    for delivery in langfuse_deliveries():
        its = settings_of(delivery)
        if settings is None or _meant(delivery, settings):
            projects.setdefault((its.base_url, its.public_key), delivery)
    if not projects:
        which = "Langfuse" if settings is None else f"the project of key {settings.public_key}"
        raise ConfigurationError(
            [
                f"nothing in this process delivers to {which}: set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY and call "
                "otel_llm.configure(), or add a LangfuseExporter to the tracer provider"
            ]
        )
    for delivery in projects.values():
        delivery.offer(span)


def _meant(delivery: Delivery, settings: LangfuseSettings) -> bool:
    its = settings_of(delivery)
    return (its.base_url, its.public_key) == (settings.base_url, settings.public_key)


def _destination(delivery: Delivery) -> LangfuseDestination:
    destination = delivery.destination
    assert isinstance(destination, LangfuseDestination)
    return destination
