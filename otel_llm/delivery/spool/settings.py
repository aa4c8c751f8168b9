"""Settings of the disk queue, from the environment."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from otel_llm.delivery.spool.access import MAX_AGE_S, MAX_BYTES, SpoolSettings
from otel_llm.delivery.spool.disk import Overflow
from otel_llm.delivery.spool.place import SpoolPlace, spool_place

_PREFIX: Final = "OTEL_LLM_SPOOL_"
#: 10 years: longer is a slip, and the milliseconds of far longer do not fit into SQLite's integers.
LONGEST_AGE_S: Final = 10 * 365 * 86_400


def _in_seconds(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError("must be a number of seconds, such as 259200 for 72 hours") from None


class SpoolVariables(BaseSettings):
    """How much waits on disk for each destination, for how long, and what gives way when that is full."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True, env_ignore_empty=True)

    spool_max_bytes: Annotated[int, Field(validation_alias=f"{_PREFIX}MAX_BYTES", ge=1_000_000)] = MAX_BYTES
    spool_max_age_s: Annotated[
        float, BeforeValidator(_in_seconds), Field(validation_alias=f"{_PREFIX}MAX_AGE", gt=0, le=LONGEST_AGE_S)
    ] = MAX_AGE_S
    spool_overflow: Annotated[Overflow, Field(validation_alias=f"{_PREFIX}OVERFLOW")] = Overflow.DROP_OLDEST

    @property
    def spool(self) -> SpoolSettings | None:
        """The disk queue that the environment asks for; None: memory alone."""
        place = spool_place()
        return None if place is None else self.spool_at(place)

    def spool_at(self, place: SpoolPlace) -> SpoolSettings:
        """The same settings for a given place."""
        return SpoolSettings(place, self.spool_max_bytes, self.spool_max_age_s, self.spool_overflow)
