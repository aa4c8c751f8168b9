"""The user's own prices: for models that no list has, or at the rates of a contract."""

from __future__ import annotations

import json
import logging
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import translate
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic import TypeAdapter, ValidationError

from otel_llm.errors import ConfigurationError
from otel_llm.price_row import PriceRow
from otel_llm.rates import Prices

_logger = logging.getLogger(__name__)

#: Environment variable that names the file, TOML or JSON by its suffix.
VARIABLE: Final = "OTEL_LLM_PRICES"
_ROWS: Final = "prices"
_MODELS_IN_MIND: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class PriceTable:
    """Rows in order of precedence: of those that fit a call the first one counts."""

    rows: tuple[PriceRow, ...] = ()
    _patterns: tuple[re.Pattern[str], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_patterns", tuple(re.compile(translate(row.model.lower())) for row in self.rows))

    def rows_of(self, provider: str, models: Sequence[str]) -> tuple[PriceRow, ...]:
        """The rows for a model by any of its names."""
        return tuple(
            row
            for row, pattern in zip(self.rows, self._patterns, strict=True)
            if row.provider in (None, provider) and any(pattern.match(name.lower()) for name in models)
        )


#: What ``configure(prices=...)`` takes: a file, or rows as in one.
PricesGiven: TypeAlias = str | os.PathLike[str] | Sequence[Mapping[str, Any]] | PriceTable

_EMPTY: Final = PriceTable()
_configured: PriceTable | None = None


def read_price_table(given: PricesGiven) -> PriceTable:
    """Read a file of prices, or check given rows. Raises ConfigurationError that names every fault of every row."""
    if isinstance(given, PriceTable):
        return given
    place = given if isinstance(given, str | os.PathLike) else "prices"
    try:
        rows = _rows_in(Path(given).expanduser()) if isinstance(given, str | os.PathLike) else list(given)
        return PriceTable(_checked(rows))
    except (OSError, ValueError) as error:
        raise ConfigurationError([f"{place}: {fault}" for fault in _faults(error)]) from None


def use_price_table(table: PriceTable | None) -> None:
    """Price the calls of this process by ``table``; None: by the file that the environment names, if it does."""
    global _configured
    _configured = table
    _from_environment.cache_clear()


def own_prices(
    provider: str, models: tuple[str, ...], *, at_ns: int, service_tier: str | None, input_tokens: int, overriding: bool
) -> Prices | None:
    """The price of each part of a call by the first row that fits it; ``overriding``: only rows that win over the provider's."""
    table = _from_environment() if _configured is None else _configured
    if not table.rows:
        return None
    for row in _rows_of(table, provider, models):
        if row.fits(at_ns, service_tier, input_tokens) and (row.override_provider or not overriding):
            return row.rates
    return None


@lru_cache(maxsize=_MODELS_IN_MIND)
def _rows_of(table: PriceTable, provider: str, models: tuple[str, ...]) -> tuple[PriceRow, ...]:
    return table.rows_of(provider, models)


@cache
def _from_environment() -> PriceTable:
    """The table of a process that only has exporters and never called ``configure``: its faults go to the log."""
    path = os.environ.get(VARIABLE)
    if not path:
        return _EMPTY
    try:
        return read_price_table(path)
    except ConfigurationError as error:
        _logger.warning("The price table of %s is not used: %s", VARIABLE, "; ".join(error.faults))
        return _EMPTY


def _rows_in(path: Path) -> list[Any]:
    """Rows of a file. Raises OSError or ValueError."""
    text = path.read_text(encoding="utf-8")
    loads: Callable[..., Any] = json.loads if path.suffix.lower() == ".json" else tomllib.loads
    found = loads(text, parse_float=Decimal)
    rows = found.get(_ROWS) if isinstance(found, dict) and found.keys() <= {_ROWS} else found
    if not isinstance(rows, list):
        raise ValueError(  # noqa: TRY004  (a fault of the file)
            f"must hold nothing but a list of tables named {_ROWS}, [[{_ROWS}]] in TOML"
        )
    return rows


def _checked(rows: list[Any]) -> tuple[PriceRow, ...]:
    return tuple(TypeAdapter(list[PriceRow]).validate_python(rows))


def _faults(error: OSError | ValueError) -> list[str]:
    """One line per fault; rows are counted from 1."""
    if isinstance(error, OSError):
        return [f"cannot be read: {error.strerror or error}"]
    if not isinstance(error, ValidationError):
        return [str(error)]
    return [
        f"row {fault['loc'][0] + 1 if isinstance(fault['loc'][0], int) else fault['loc'][0]}: "
        + "".join(f"{part}: " for part in fault["loc"][1:])
        + fault["msg"].removeprefix("Value error, ")
        for fault in error.errors()
    ]
