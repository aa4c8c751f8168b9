"""Which destinations there are: none, one or several of a kind, and the faults of all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.delivery import Delivered, Limits
from otel_llm.destinations import configured_destinations, named
from otel_llm.errors import ConfigurationError


class Nowhere:
    """A destination that takes nothing."""

    limits = Limits()

    def __init__(self, name: str) -> None:
        self.name = name

    def encode(self, span: ReadableSpan) -> bytes | None:
        return None

    def send(self, records: Sequence[bytes], *, timeout_s: float) -> Delivered:
        return Delivered()

    def close(self) -> None:
        pass


class Entry:
    """An entry point."""

    def __init__(self, name: str, from_environment: Callable[[], Any]) -> None:
        self.name = name
        self._from_environment = from_environment

    def load(self) -> Callable[[], Any]:
        return self._from_environment


def faulty(*faults: str) -> Callable[[], Any]:
    def from_environment() -> Any:
        raise ConfigurationError(list(faults))

    return from_environment


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Installs entry points of destinations, and no others."""

    def install(**entries: Callable[[], Any]) -> None:
        found = [Entry(name, from_environment) for name, from_environment in entries.items()]

        def entry_points(group: str, name: str | None = None) -> list[Entry]:
            return [e for e in found if group == "otel_llm_destination" and name in (None, e.name)]

        monkeypatch.setattr("otel_llm.destinations.entry_points", entry_points)

    return install


def test_one_kind_may_have_none_one_or_several(installed: Callable[..., None]) -> None:
    installed(
        absent=lambda: None,
        empty=list,
        one=lambda: Nowhere("one"),
        several=lambda: [Nowhere("several"), Nowhere("several.acme")],
    )
    assert [destination.name for destination in configured_destinations()] == ["one", "several", "several.acme"]


def test_with_none_there_is_the_local_store(installed: Callable[..., None]) -> None:
    installed(absent=lambda: None, empty=list)
    assert [destination.name for destination in configured_destinations()] == ["local"]


def test_the_faults_of_all_are_told_at_once(installed: Callable[..., None]) -> None:
    installed(first=faulty("A is wrong"), fine=lambda: Nowhere("fine"), second=faulty("B is wrong", "C is wrong"))
    with pytest.raises(ConfigurationError) as raised:
        configured_destinations()
    assert raised.value.faults == ("A is wrong", "B is wrong", "C is wrong")


def test_a_name_stands_for_all_of_its_kind(installed: Callable[..., None]) -> None:
    installed(several=lambda: [Nowhere("several"), Nowhere("several.acme")], other=lambda: Nowhere("other"))
    destinations, exporters = named(["several"], "http/protobuf")
    assert ([destination.name for destination in destinations], exporters) == (["several", "several.acme"], [])


@pytest.mark.parametrize("nothing", [lambda: None, list])
def test_a_name_without_settings_is_a_fault(installed: Callable[..., None], nothing: Callable[[], Any]) -> None:
    installed(several=nothing)
    with pytest.raises(ConfigurationError, match="'several', but its settings are not in the environment"):
        named(["several"], "http/protobuf")
