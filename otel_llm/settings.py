"""Settings of the core, from the environment; every fault is reported at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from otel_llm.content import CAPTURE_VARIABLE, CaptureMode
from otel_llm.content_policy import ContentMode
from otel_llm.content_settings import ContentSettings, Mode
from otel_llm.delivery.settings import DeliveryVariables
from otel_llm.errors import ConfigurationError
from otel_llm.metric_settings import MetricVariables
from otel_llm.models.place import LONGEST_REFRESH_S, REFRESH_S, REFRESH_VARIABLE
from otel_llm.models.place import VARIABLE as MODELS_VARIABLE
from otel_llm.price_table import VARIABLE as PRICES_VARIABLE
from otel_llm.price_table import PriceTable, read_price_table
from otel_llm.propagation_hosts import PROPAGATE_TO_VARIABLE, parse_propagation_hosts
from otel_llm.providers import parse_provider_hosts
from otel_llm.setting_faults import faults_of


class Settings(ContentSettings, DeliveryVariables, MetricVariables):
    """What the environment says. OpenTelemetry's own names where they exist, ``OTEL_LLM_*`` for ours."""

    model_config = SettingsConfigDict(
        extra="ignore", populate_by_name=True, env_ignore_empty=True, arbitrary_types_allowed=True
    )

    disabled: bool = Field(default=False, validation_alias="OTEL_SDK_DISABLED")
    #: Names of exporters and destinations; None: every destination that is configured.
    exporters: Annotated[tuple[str, ...] | None, NoDecode] = Field(default=None, validation_alias="OTEL_TRACES_EXPORTER")
    otlp_protocol: str = Field(
        default="http/protobuf",
        validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"),
    )
    content: CaptureMode = Field(default=CaptureMode.NO_CONTENT, validation_alias=CAPTURE_VARIABLE)
    #: Of the local store.
    local_content: Mode = Field(default=ContentMode.FULL, validation_alias="OTEL_LLM_LOCAL_CONTENT")
    provider_hosts: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict, validation_alias="OTEL_LLM_PROVIDER_HOSTS"
    )

    #: Hosts that may learn of traces.
    propagate_to: Annotated[tuple[str, ...], NoDecode] = Field(default=(), validation_alias=PROPAGATE_TO_VARIABLE)
    #: The user's own prices, read from the file.
    prices: PriceTable | None = Field(default=None, validation_alias=PRICES_VARIABLE)

    #: Where admins choose the models of agents; None: in the state directory, looked for when it is first needed.
    models: SecretStr | None = Field(default=None, validation_alias=MODELS_VARIABLE)
    models_refresh_s: float = Field(default=REFRESH_S, gt=0, le=LONGEST_REFRESH_S, validation_alias=REFRESH_VARIABLE)

    @field_validator("exporters", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @field_validator("content", mode="before")
    @classmethod
    def _mode(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return CaptureMode(value.strip().upper())
        except ValueError:
            words = ", ".join(mode.value for mode in CaptureMode)
            hint = "; to record content on spans, say SPAN_ONLY" if value.strip().lower() in ("true", "1", "yes", "on") else ""
            raise ValueError(f"must be one of {words}{hint}") from None

    @field_validator("prices", mode="before")
    @classmethod
    def _price_table(cls, value: Any) -> Any:
        return _read(value, read_price_table)

    @field_validator("provider_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: Any) -> Any:
        return _read(value, parse_provider_hosts)

    @field_validator("propagate_to", mode="before")
    @classmethod
    def _propagation_hosts(cls, value: Any) -> Any:
        return _read(value, parse_propagation_hosts)


def _read(value: Any, reader: Callable[[str], Any]) -> Any:
    """What ``reader`` makes of a text; its faults become faults of the setting."""
    try:
        return reader(value) if isinstance(value, str) else value
    except ConfigurationError as error:
        raise ValueError("; ".join(error.faults)) from error


def read_settings() -> Settings:
    """The settings of this process. Raises ConfigurationError that names every fault."""
    try:
        return Settings()
    except ValidationError as error:
        raise ConfigurationError(faults_of(error)) from None
