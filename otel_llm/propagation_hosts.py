"""The hosts that may learn of a trace: services of one's own, named one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from otel_llm.errors import ConfigurationError

#: Environment variable: ``api.internal.example,*.svc.cluster.local``.
PROPAGATE_TO_VARIABLE: Final = "OTEL_LLM_PROPAGATE_TO"

_HOST: Final = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[?[0-9a-f]*:[0-9a-f:.]+\]?")


class PropagationHosts:
    """Exact hosts, and ``*.suffix`` for all hosts below one."""

    __slots__ = ("_exact", "_suffixes")

    def __init__(self, hosts: Iterable[str] = ()) -> None:
        given = tuple(hosts)
        self._exact = frozenset(host for host in given if not host.startswith("*"))
        self._suffixes = tuple(host[1:] for host in given if host.startswith("*"))

    def allow(self, host: str) -> bool:
        """Whether ``host``, in lower case, is one of them."""
        return host in self._exact or host.endswith(self._suffixes)


def parse_propagation_hosts(given: str | Iterable[str]) -> tuple[str, ...]:
    """Hosts in lower case, from a list or from text separated by commas. Raises ConfigurationError naming every fault."""
    entries = given.split(",") if isinstance(given, str) else given
    hosts = tuple(filter(None, (str(entry).strip().lower().rstrip(".") for entry in entries)))
    faults = [
        f"{PROPAGATE_TO_VARIABLE}: {host.rpartition('@')[2]!r} is no host: write a name, or *.suffix, without scheme, port and path"
        for host in hosts
        if not _HOST.fullmatch(host)
    ]
    if faults:
        raise ConfigurationError(faults)
    return tuple(host.strip("[]") for host in hosts)
