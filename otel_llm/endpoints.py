"""Which HTTP requests are calls of a model, whose, and in which protocol, told from the URL alone.

Most requests of an application are none; telling that costs one look at the end of the path.
"""

from __future__ import annotations

import logging
import os
import re
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
    """The end of a path, and in which protocol it speaks."""

    ending: str
    protocol: str
    #: Assumed for unknown hosts.
    provider: str
    #: At the hosts of other providers, and at unknown ones, the path means something else.
    only: bool = False
    #: What the path must hold besides.
    holding: str = ""
    #: The same path serves other things too, so the body decides even at a known host.
    shared: bool = False


#: The first row that fits counts, so longer endings stand before those that they end in.
_PATHS: Final = (
    _Path("/chat/completions", "openai_chat", "openai"),
    _Path("/v1/messages", "anthropic_messages", "anthropic"),
    _Path("/responses", "openai_responses", "openai"),
    _Path("/responses/compact", "openai_responses", "openai"),
    _Path(":generateContent", "gemini", "gcp.gemini"),
    _Path(":streamGenerateContent", "gemini", "gcp.gemini"),
    _Path(":embedContent", "gemini_embeddings", "gcp.gemini"),
    _Path(":batchEmbedContents", "gemini_embeddings", "gcp.gemini"),
    _Path(":predict", "gemini_embeddings", "gcp.vertex_ai", only=True, shared=True),
    _Path(":rawPredict", "anthropic_messages", "gcp.vertex_ai", holding="/publishers/anthropic/"),
    _Path(":streamRawPredict", "anthropic_messages", "gcp.vertex_ai", holding="/publishers/anthropic/"),
    _Path("/interactions", "gemini_interactions", "gcp.gemini", only=True),
    _Path("/api/chat", "ollama_chat", "ollama", only=True),
    _Path("/api/generate", "ollama_generate", "ollama", only=True),
    _Path("/api/embed", "ollama_embed", "ollama", only=True),
    _Path("/api/embeddings", "ollama_embed", "ollama", only=True),
    _Path("/v2/chat", "cohere_chat", "cohere"),
    _Path("/v1/chat", "cohere_chat_v1", "cohere", only=True),
    _Path("/v1/chat", "openai_chat", "writer", only=True),
    _Path("/v2/embed", "cohere_embed", "cohere"),
    _Path("/v1/embed", "cohere_embed", "cohere", only=True),
    _Path("/v1/complete", "anthropic_complete", "anthropic"),
    _Path("/embeddings", "openai_embeddings", "openai"),
    _Path("/completions", "openai_completions", "openai"),
)
_ENDINGS: Final = tuple(path.ending + slash for path in _PATHS for slash in ("", "/"))
#: Not a generation, though the path looks like one.
_NO_CALL: Final = "/count-tokens:"
_FETCH: Final = re.compile(r"/responses/(resp_|gen-)[\w-]+$")


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
    if method == "GET":
        return _fetch(host, path, port) if _FETCH.search(path) else None
    if method != "POST" or not path.endswith(_ENDINGS) or _NO_CALL in path:
        return None
    provider = provider_at(host, port)
    path = path.rstrip("/")
    for known in _PATHS:
        if path.endswith(known.ending) and known.holding in path and (provider == known.provider or not known.only):
            certain = provider is not None and not known.shared
            return Endpoint(provider or known.provider, PROTOCOLS[known.protocol], certain)
    return None


def _fetch(host: str, path: str, port: int | None) -> Endpoint:
    """Reading a response that was generated before: no generation, and so without tokens."""
    return Endpoint(provider_at(host, port) or "openai", PROTOCOLS["openai_responses_fetch"], certain=True)


def _normal(host: str) -> str:
    return host.lower().rstrip(".")


def provider_at(host: str, port: int | None = None) -> str | None:
    """Who serves models at a host, configured or known; None for any other. ``port`` is None where it is the default."""
    if _configured is None:
        configure_hosts(_environment_hosts())
    assert _configured is not None
    host = _normal(host)
    return _configured.find(host, port) or _known.find(host, port)


def _environment_hosts() -> dict[str, str]:
    """Read at the first model call. A faulty value is ignored here; ``configure()`` reports it as an error."""
    try:
        return parse_provider_hosts(os.environ.get(PROVIDER_HOSTS_VARIABLE, ""))
    except ConfigurationError as error:
        _log.warning("%s is ignored: %s", PROVIDER_HOSTS_VARIABLE, "; ".join(error.faults))
        return {}
