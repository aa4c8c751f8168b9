"""What a declarative configuration may say under the name of our instrumentor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from otel_llm.content import CaptureMode
from otel_llm.endpoints import configure_hosts
from otel_llm.errors import ConfigurationError
from otel_llm.headers import propagate_to
from otel_llm.propagation_hosts import parse_propagation_hosts
from otel_llm.providers import parse_provider_hosts


@dataclass(frozen=True, slots=True)
class InstrumentorOptions:
    """The options, each in place of its environment variable; None: what that variable says.

    The names are those of ``configure``; ``provider_hosts`` maps hosts to providers, as ``OTEL_LLM_PROVIDER_HOSTS`` does.
    """

    content: str | None = None
    provider_hosts: dict[str, str] | None = None
    propagate_to: list[str] | None = None
    #: The path of a file, or rows as in one.
    prices: str | list[dict[str, Any]] | None = None

    def apply(self) -> CaptureMode | None:
        """Use these from now on; returns what of messages is recorded on spans. Raises ConfigurationError that names every fault."""
        faults: list[str] = []
        mode = None
        for step in (self._mode, self._hosts, self._propagation, self._prices):
            try:
                mode = step() or mode
            except ConfigurationError as error:
                faults += error.faults
        if faults:
            raise ConfigurationError(faults)
        return mode

    def _mode(self) -> CaptureMode | None:
        try:
            return None if self.content is None else CaptureMode(str(self.content).strip().upper())
        except ValueError:
            words = ", ".join(mode.value for mode in CaptureMode)
            raise ConfigurationError([f"content is {self.content!r}; it must be one of {words}"]) from None

    def _hosts(self) -> None:
        if self.provider_hosts is not None:
            configure_hosts(parse_provider_hosts(",".join(f"{host}={name}" for host, name in self.provider_hosts.items())))

    def _propagation(self) -> None:
        if self.propagate_to is not None:
            propagate_to(parse_propagation_hosts(self.propagate_to))

    def _prices(self) -> None:
        if self.prices is not None:
            from otel_llm.price_table import read_price_table, use_price_table  # takes long to load, and few give prices here

            use_price_table(read_price_table(self.prices))
