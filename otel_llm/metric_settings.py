"""Where metrics go, from the environment, in OpenTelemetry's own names."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import AliasChoices, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

EXPORTERS: Final = "OTEL_METRICS_EXPORTER"
PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
#: Where Langfuse takes spans, and no metrics; often given as the endpoint for all signals.
_NO_METRICS: Final = "/api/public/otel"


class MetricVariables(BaseSettings):
    """Whether metrics are exported, to where and how. Intervals, headers and the like are read by OpenTelemetry's own exporters."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True, env_ignore_empty=True)

    #: Names of exporters; None: OTLP if there is an endpoint.
    metric_exporters: Annotated[tuple[str, ...] | None, NoDecode, Field(validation_alias=EXPORTERS)] = None
    metric_endpoint: Annotated[
        str | None, Field(validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"))
    ] = None
    metric_protocol: Annotated[str, Field(validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", PROTOCOL))] = (
        "http/protobuf"
    )

    @property
    def has_metric_endpoint(self) -> bool:
        """Whether there is an endpoint that takes metrics."""
        return self.metric_endpoint is not None and not self.metric_endpoint.rstrip("/").endswith(_NO_METRICS)

    @field_validator("metric_exporters", mode="before")
    @classmethod
    def _exporters(cls, value: Any) -> Any:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value
