"""Where lists of models come from: OpenRouter, and a local Ollama."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
from pydantic_core import from_json

from otel_llm.errors import DeliveryError
from otel_llm.models.catalogue_file import Snapshot
from otel_llm.models.choice import SHARED_KEY_VARIABLE
from otel_llm.models.offers import Offers, ollama_offers, openrouter_offers

#: OpenRouter's base URL; Ollama's own variable, a host with or without scheme and port.
OPENROUTER_VARIABLE: Final = "OPENROUTER_BASE_URL"
OLLAMA_VARIABLE: Final = "OLLAMA_HOST"

_OPENROUTER: Final = "https://openrouter.ai/api/v1"
_OLLAMA: Final = "127.0.0.1:11434"
_LARGEST_BODY: Final = 64_000_000
_TIMEOUT: Final = httpx.Timeout(15, connect=4)


@dataclass(frozen=True, slots=True)
class CatalogueSource:
    """One provider's list: where it is, how it is read, and how long it holds."""

    provider: str
    url: str
    read: Callable[[object], Offers]
    max_age: timedelta
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: Whether a list without a model is one.
    may_be_empty: bool = False
    #: Whether the environment's proxies are used.
    proxied: bool = True
    #: What to do if it is not there.
    remedy: str = ""

    @property
    def shown_url(self) -> str:
        """The URL without credentials."""
        try:
            return str(httpx.URL(self.url).copy_with(userinfo=b"", query=None))
        except httpx.InvalidURL:
            return f"the URL of {self.provider}"

    def fetch(self) -> Snapshot:
        """Ask the provider; takes seconds at worst. Raises DeliveryError that says what was wrong, and what to do."""
        try:
            body = from_json(self._fetched())
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DeliveryError(f"{self.shown_url} cannot be reached ({type(error).__name__}). {self.remedy}") from error
        except ValueError:
            body = None
        offers = self.read(body)
        if offers is None or not (offers[0] or self.may_be_empty):
            raise DeliveryError(f"{self.shown_url} did not answer with a list of models. {self.remedy}")
        return Snapshot(self.shown_url, datetime.now(UTC), *offers)

    def _fetched(self) -> bytes:
        body = bytearray()
        with (
            httpx.Client(timeout=_TIMEOUT, trust_env=self.proxied) as client,
            client.stream("GET", self.url, headers=self.headers) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise DeliveryError(f"{self.shown_url} answered with HTTP {response.status_code}. {self.remedy}")
            for piece in response.iter_bytes():
                body += piece
                if len(body) > _LARGEST_BODY:
                    raise DeliveryError(f"{self.shown_url} answered with more than {_LARGEST_BODY:,} bytes")
        return bytes(body)


def sources_of(environ: Mapping[str, str] = os.environ) -> tuple[CatalogueSource, ...]:
    """OpenRouter and Ollama as the environment has them."""
    key = environ.get(SHARED_KEY_VARIABLE, "").strip()
    openrouter = environ.get(OPENROUTER_VARIABLE, "").strip().rstrip("/") or _OPENROUTER
    return (
        CatalogueSource(
            "openrouter",
            f"{openrouter}/models",
            openrouter_offers,
            timedelta(days=1),
            headers={"authorization": f"Bearer {key}"} if key else {},
            remedy=f"Look at {OPENROUTER_VARIABLE}, {SHARED_KEY_VARIABLE} and the network.",
        ),
        CatalogueSource(
            "ollama",
            f"{ollama_url(environ.get(OLLAMA_VARIABLE, ''))}/api/tags",
            ollama_offers,
            timedelta(0),
            may_be_empty=True,
            proxied=False,
            remedy=f"Start it with `ollama serve`, or say in {OLLAMA_VARIABLE} where it is.",
        ),
    )


def ollama_url(host: str) -> str:
    """The URL of ``$OLLAMA_HOST``: scheme and port may be missing; an address to listen on is one to call."""
    scheme, _, rest = (host.strip().rstrip("/") or _OLLAMA).rpartition("://")
    name, _, path = rest.partition("/")
    if name.startswith("0.0.0.0"):  # noqa: S104  (not listened on, but replaced)
        name = "127.0.0.1" + name.removeprefix("0.0.0.0")  # noqa: S104  (as above)
    has_port = ":" in name.rpartition("]")[2]
    if scheme != "https" and not has_port:
        name += ":11434"
    if name.startswith(":"):
        name = f"127.0.0.1{name}"
    return f"{scheme or 'http'}://{name}" + (f"/{path}" if path else "")
