"""Which HTTP requests are calls of a model, whose, and in which protocol, told from the URL alone.

Most requests of an application are none; telling that costs one look at the end of the path.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from otel_llm.errors import ConfigurationError
from otel_llm.protocols import PROTOCOLS, Protocol
from otel_llm.providers import PROVIDER_HOSTS_VARIABLE, PROVIDERS, parse_provider_hosts

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a call goes. Not ``certain``: the host is unknown, so the request body must match the protocol too."""

    provider: str
    protocol: Protocol
    certain: bool


@dataclass(frozen=True, slots=True)
class _Path:
    """The end of a path; ``provider`` is assumed for unknown hosts. ``only``: at other hosts the path means something else."""

    ending: str
    protocol: str
    provider: str
    only: bool = False


_PATHS: Final = (
    _Path("/chat/completions", "openai_chat", "openai"),
    _Path("/v1/messages", "anthropic_messages", "anthropic"),
    _Path("/v1/chat", "openai_chat", "writer", only=True),
)
_ENDINGS: Final = tuple(path.ending + slash for path in _PATHS for slash in ("", "/"))


class _Hosts:
    """Rows of host and provider. Found first: ``name:port``, then the name, then patterns, then ``*:port``."""

    __slots__ = ("_exact", "_patterns")

    def __init__(self, rows: Mapping[str, str]) -> None:
        self._exact = {host: name for host, name in rows.items() if "*" not in host or host.startswith("*:")}
        starred = (host for host in rows if host not in self._exact)
        longest_first = sorted(starred, key=len, reverse=True)
        self._patterns = tuple((*host.split("*"), rows[host]) for host in longest_first)

    def find(self, host: str, port: int | None) -> str | None:
        with_port = f"{host}:{port}"
        return (
            self._exact.get(with_port)
            or self._exact.get(host)
            or self._match(with_port)
            or self._match(host)
            or self._exact.get(f"*:{port}")
        )

    def _match(self, host: str) -> str | None:
        for start, end, name in self._patterns:
            if len(host) > len(start) + len(end) and host.startswith(start) and host.endswith(end):
                return name
        return None


_known: Final = _Hosts({host: provider.name for provider in PROVIDERS for host in provider.hosts})
_configured: _Hosts | None = None


def configure_hosts(hosts: Mapping[str, str]) -> None:
    """Use these hosts, as from ``parse_provider_hosts``, before the known ones and in place of the environment's."""
    global _configured
    _configured = _Hosts(hosts)


def recognise(method: str, host: str, path: str, port: int | None = None) -> Endpoint | None:
    """The model call that a request is, or None. ``path`` is without the query; ``port`` is None where it is the default."""
    if method != "POST" or not path.endswith(_ENDINGS):
        return None
    provider = _provider_at(host.lower().rstrip("."), port)
    path = path.rstrip("/")
    for known in _PATHS:
        if path.endswith(known.ending) and (provider == known.provider or not known.only):
            return Endpoint(provider or known.provider, PROTOCOLS[known.protocol], certain=provider is not None)
    return None


def _provider_at(host: str, port: int | None) -> str | None:
    if _configured is None:
        configure_hosts(_environment_hosts())
    assert _configured is not None
    return _configured.find(host, port) or _known.find(host, port)


def _environment_hosts() -> dict[str, str]:
    """Read at the first model call. A faulty value is ignored here; ``configure()`` reports it as an error."""
    try:
        return parse_provider_hosts(os.environ.get(PROVIDER_HOSTS_VARIABLE, ""))
    except ConfigurationError as error:
        _log.warning("%s is ignored: %s", PROVIDER_HOSTS_VARIABLE, "; ".join(error.faults))
        return {}
