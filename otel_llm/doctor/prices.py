"""Whether calls can be priced."""

from __future__ import annotations

import os

from otel_llm.doctor.finding import Finding, Level
from otel_llm.doctor.installed import Installed
from otel_llm.errors import ConfigurationError
from otel_llm.price_table import VARIABLE, read_price_table
from otel_llm.pricing import noted_unpriced_models


def price_findings(installed: Installed) -> list[Finding]:
    """The price list, the user's own table, and the models that both lack."""
    return [_price_list(installed), *_own_table(), *_unpriced()]


def _price_list(installed: Installed) -> Finding:
    version = installed.versions.get("genai-prices")
    if version is None:
        what = "no price list is installed: calls cost only what providers report"
        return Finding(Level.WARNING, "prices", what, "pip install 'otel-llm[prices]'")
    return Finding(Level.OK, "prices", f"genai-prices {version}")


def _own_table() -> list[Finding]:
    path = os.environ.get(VARIABLE)
    if not path:
        return []
    try:
        read_price_table(path)
    except ConfigurationError as error:
        return [Finding(Level.FAULT, VARIABLE, f"cannot be used: {fault}", "Mend that file") for fault in error.faults]
    return [Finding(Level.OK, VARIABLE, "the price table can be read")]


def _unpriced() -> list[Finding]:
    """As noted by any process of this user."""
    return [
        Finding(
            Level.WARNING,
            "prices",
            f"{noted.provider} {noted.model} has no price (last seen {noted.last_seen:%Y-%m-%d}): its calls cost only what the "
            "provider reports",
            "Update genai-prices, or put the model into a price table of your own",
        )
        for noted in noted_unpriced_models()
    ]
