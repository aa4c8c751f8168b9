"""Settings of a delivery, from the environment."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationError

from otel_llm.delivery.destination import Destination
from otel_llm.delivery.queue import MAX_BYTES, MAX_SPANS, SEND_TIMEOUT_S, Delivery
from otel_llm.delivery.spool.settings import SpoolVariables
from otel_llm.errors import ConfigurationError
from otel_llm.setting_faults import faults_of


class DeliveryVariables(SpoolVariables):
    """How much waits in memory and on disk for each destination, and how long a request may take."""

    queue_max_bytes: Annotated[int, Field(validation_alias="OTEL_LLM_QUEUE_MAX_BYTES", ge=1_000_000)] = MAX_BYTES
    queue_max_spans: Annotated[int, Field(validation_alias="OTEL_LLM_QUEUE_MAX_SPANS", ge=1)] = MAX_SPANS
    send_timeout_s: Annotated[float, Field(validation_alias="OTEL_LLM_SEND_TIMEOUT", gt=0, le=600)] = SEND_TIMEOUT_S

    def delivery_to(self, destination: Destination) -> Delivery:
        """A delivery with these settings."""
        return Delivery(
            destination,
            spool=self.spool,
            max_bytes=self.queue_max_bytes,
            max_spans=self.queue_max_spans,
            timeout_s=self.send_timeout_s,
        )


def delivery_from_environment(destination: Destination) -> Delivery:
    """A delivery as the environment says. Raises ConfigurationError that names every fault."""
    try:
        return DeliveryVariables().delivery_to(destination)
    except ValidationError as error:
        raise ConfigurationError(faults_of(error)) from None
