"""One row of the user's price table: which calls it is for, and its prices."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from otel_llm.rates import REQUEST, TOKEN_PRICES, Prices, applicable

_Usd = Annotated[Decimal | None, Field(ge=0, allow_inf_nan=False)]
_NS: Final = 1_000_000_000


class PriceRow(BaseModel):
    """Prices in USD per million tokens; ``request`` in USD per call. What has no price has that of which it is a part."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_by_name=True, str_strip_whitespace=True)

    #: A provider's name in the conventions (``openai``, ``azure.ai.openai``, ``openrouter``); None: any.
    provider: Annotated[str | None, Field(min_length=1)] = None
    #: A name, or a pattern with ``*``, ``?`` and ``[...]``; upper and lower case are the same.
    model: Annotated[str, Field(min_length=1)]
    #: From when on, and until when (exclusive) the prices hold, by the start of a call; a date is its midnight in UTC.
    since: Annotated[datetime | None, Field(validation_alias="from")] = None
    until: datetime | None = None
    #: None: any tier.
    service_tier: str | None = None
    #: The row is for calls whose input, cached tokens included, is longer than this.
    above_input_tokens: Annotated[int | None, Field(ge=0)] = None
    #: Whether the row wins even over the cost that the provider itself reports.
    override_provider: bool = False

    input: _Usd = None
    output: _Usd = None
    cache_read: _Usd = None
    cache_write: _Usd = None
    cache_write_1h: _Usd = None
    input_audio: _Usd = None
    output_audio: _Usd = None
    cache_read_audio: _Usd = None
    input_image: _Usd = None
    output_image: _Usd = None
    cache_read_image: _Usd = None
    reasoning: _Usd = None
    request: _Usd = None

    @field_validator("since", "until", mode="before")
    @classmethod
    def _midnight(cls, value: Any) -> Any:
        return datetime.combine(value, time()) if type(value) is date else value

    @field_validator("since", "until")
    @classmethod
    def _in_utc(cls, value: datetime | None) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.prices:
            raise ValueError("has no price")
        missing = [name for name in ("input", "output") if name not in self.prices]
        if missing and self.prices.keys() != {REQUEST}:
            raise ValueError(f"has no price of {' and '.join(missing)}; say 0 for what costs nothing")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError("ends before it begins: `until` must be later than `from`")
        return self

    @cached_property
    def prices(self) -> dict[str, Decimal]:
        """The prices that the row has, by name."""
        named = {name: getattr(self, name) for name in (*TOKEN_PRICES, REQUEST)}
        return {name: price for name, price in named.items() if price is not None}

    @cached_property
    def rates(self) -> Prices | None:
        """The price of each part of a call's tokens."""
        return applicable(self.prices)

    def fits(self, at_ns: int, service_tier: str | None, input_tokens: int) -> bool:
        """Whether the row is for a call that started then (nanoseconds since 1970), in that tier, with that many tokens of input."""
        return (
            (self.since is None or at_ns >= _nanoseconds(self.since))
            and (self.until is None or at_ns < _nanoseconds(self.until))
            and (self.service_tier is None or self.service_tier == service_tier)
            and (self.above_input_tokens is None or input_tokens > self.above_input_tokens)
        )


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * _NS
