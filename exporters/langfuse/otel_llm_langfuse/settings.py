"""Settings of the Langfuse destination, from the environment or from arguments."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

import httpx
from pydantic import AliasChoices, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from otel_llm.content_policy import ContentMode
from otel_llm.content_settings import MASK_VARIABLE, MAX_CHARS_VARIABLE, ContentSettings, Mode
from otel_llm.errors import ConfigurationError
from otel_llm_langfuse.mapping import MappingSettings

VARIABLES: Final = {
    "via": "OTEL_LLM_LANGFUSE_VIA",
    "public_key": "LANGFUSE_PUBLIC_KEY",
    "secret_key": "LANGFUSE_SECRET_KEY",
    "base_url": "LANGFUSE_BASE_URL",
    "environment": "LANGFUSE_TRACING_ENVIRONMENT",
    "release": "LANGFUSE_RELEASE",
    "timeout_s": "LANGFUSE_TIMEOUT",
    "sample_rate": "LANGFUSE_SAMPLE_RATE",
    "content": "OTEL_LLM_LANGFUSE_CONTENT",
    "content_max_chars": MAX_CHARS_VARIABLE,
    "mask": MASK_VARIABLE,
    "media": "OTEL_LLM_LANGFUSE_MEDIA",
    "spans": "OTEL_LLM_LANGFUSE_SPANS",
    "drop": "OTEL_LLM_LANGFUSE_DROP",
    "daily_observations": "OTEL_LLM_LANGFUSE_DAILY_OBSERVATIONS",
}

#: Types of observations that may be left out. Calls of models are not among them: their cost would be missing.
Droppable = Literal["agent", "chain", "evaluator", "event", "guardrail", "retriever", "span", "tool"]


class LangfuseSettings(ContentSettings):
    """Where and how to send. Arguments win over the environment; empty variables count as not set."""

    model_config = SettingsConfigDict(
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        validate_by_name=True,
        validate_default=True,
        str_strip_whitespace=True,
    )

    #: OTLP/HTTP endpoint of a collector that the spans go to instead of to Langfuse. It has the keys, so there need be none here.
    via: Annotated[str | None, Field(validation_alias="OTEL_LLM_LANGFUSE_VIA")] = None
    public_key: Annotated[str | None, Field(validation_alias="LANGFUSE_PUBLIC_KEY")] = None
    secret_key: Annotated[SecretStr | None, Field(validation_alias="LANGFUSE_SECRET_KEY")] = None
    base_url: Annotated[str, Field(validation_alias=AliasChoices("LANGFUSE_BASE_URL", "LANGFUSE_HOST"))] = (
        "https://cloud.langfuse.com"
    )
    environment: Annotated[str | None, Field(validation_alias="LANGFUSE_TRACING_ENVIRONMENT")] = None
    release: Annotated[str | None, Field(validation_alias="LANGFUSE_RELEASE")] = None
    timeout_s: Annotated[float, Field(validation_alias="LANGFUSE_TIMEOUT", gt=0, allow_inf_nan=False)] = 10.0
    #: Share of traces that are sent, by trace id, so whole traces or nothing of them.
    sample_rate: Annotated[float, Field(validation_alias="LANGFUSE_SAMPLE_RATE", ge=0, le=1)] = 1.0
    content: Annotated[Mode, Field(validation_alias="OTEL_LLM_LANGFUSE_CONTENT")] = ContentMode.FULL
    #: What becomes of images, audio and files in messages.
    media: Annotated[Literal["upload", "keep", "reference"], Field(validation_alias="OTEL_LLM_LANGFUSE_MEDIA")] = "upload"
    spans: Annotated[Literal["genai", "all"], Field(validation_alias="OTEL_LLM_LANGFUSE_SPANS")] = "genai"
    drop: Annotated[frozenset[Droppable], NoDecode, Field(validation_alias="OTEL_LLM_LANGFUSE_DROP")] = frozenset()
    #: Observations a day from which on a warning is due; None: no plan limit to mind.
    daily_observations: Annotated[int | None, Field(validation_alias="OTEL_LLM_LANGFUSE_DAILY_OBSERVATIONS", ge=1)] = None

    @classmethod
    def load(cls, **arguments: Any) -> Self:
        """Read and check the settings; arguments that are None do not count.

        Raises ConfigurationError with all faults at once; no fault tells a key.
        """
        try:
            return cls(**{name: value for name, value in arguments.items() if value is not None})
        except ValidationError as error:
            faults = [_fault(fault) for fault in error.errors(include_input=False, include_url=False)]
        raise ConfigurationError(faults)  # out here, so that pydantic's error, which quotes the keys, is not its context

    @property
    def configured(self) -> bool:
        """Whether spans can be sent: to Langfuse with its keys, or to a collector that has them."""
        return self.via is not None or self.has_keys

    @property
    def has_keys(self) -> bool:
        """Whether Langfuse itself can be spoken to, as scores and media must."""
        return self.public_key is not None and self.secret_key is not None

    def within_timeout(self, timeout_s: float) -> float:
        """Seconds for a request that may take ``timeout_s``: the own timeout shortens that if it was set; its default does not."""
        return min(timeout_s, self.timeout_s) if "timeout_s" in self.model_fields_set else timeout_s

    @property
    def mapping(self) -> MappingSettings:
        """The part that the mapping needs."""
        return MappingSettings(environment=self.environment, release=self.release, content=self.policy(self.content))

    @field_validator("drop", mode="before")
    @classmethod
    def _kinds(cls, value: Any) -> Any:
        return frozenset(word.strip().lower() for word in value.split(",") if word.strip()) if isinstance(value, str) else value

    @field_validator("public_key")
    @classmethod
    def _public(cls, value: str | None) -> str | None:
        if value is not None and value.startswith("sk-lf-"):
            raise ValueError("holds a secret key (sk-lf-...); it takes the public key (pk-lf-...)")
        return value

    @field_validator("secret_key")
    @classmethod
    def _secret(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        public_is_fine = "public_key" in info.data
        public = info.data.get("public_key")
        if value is None and info.data.get("via") is not None:
            return None  # the public key alone says whose spans these are
        if value is None and (public is not None or not public_is_fine):
            raise ValueError("is not set, but LANGFUSE_PUBLIC_KEY is; set both or neither")
        if value is not None and value.get_secret_value().startswith("pk-lf-"):
            raise ValueError("holds a public key (pk-lf-...); it takes the secret key (sk-lf-...)")
        if value is not None and public_is_fine and public is None:
            raise ValueError("is set, but LANGFUSE_PUBLIC_KEY is not; set both or neither")
        return value

    @field_validator("base_url", "via")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            url = httpx.URL(value)
        except (httpx.InvalidURL, ValueError):
            raise ValueError("is not a URL") from None
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError("must begin with http:// or https:// and name a host")
        if url.userinfo or url.query or url.fragment:
            raise ValueError("must hold no credentials, query or fragment")
        return value.rstrip("/")


def _fault(error: Any) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    return f"{VARIABLES.get(name, name)} {error['msg'].removeprefix('Value error, ')}"
