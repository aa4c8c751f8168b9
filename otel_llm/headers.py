"""Traces across services: ``traceparent`` in headers to services of one's own, and never to vendors of LLMs."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otel_llm.carriers import Carrier, carrier_of
from otel_llm.endpoints import provider_at
from otel_llm.errors import ConfigurationError
from otel_llm.propagation_hosts import PROPAGATE_TO_VARIABLE, PropagationHosts, parse_propagation_hosts

H = TypeVar("H", bound=MutableMapping[str, str])
#: Headers of a request or a message: a mapping, or pairs as ASGI and Kafka have them, in text or bytes; None: there are none.
Headers: TypeAlias = Mapping[Any, Any] | Iterable[tuple[Any, Any]] | None

_logger = logging.getLogger(__name__)
_NAME: Final = "traceparent"
_propagator: Final = TraceContextTextMapPropagator()
_allowed: PropagationHosts | None = None


def propagate_to(hosts: Iterable[str]) -> None:
    """Let these hosts, as from ``parse_propagation_hosts``, learn of traces, in place of the environment's."""
    global _allowed
    _allowed = PropagationHosts(hosts)


def inject(headers: H, url: object) -> H:
    """Add ``traceparent``, and nothing else, to the headers of a request to ``url``; returns them.

    They stay as they are unless the host is on the list (``OTEL_LLM_PROPAGATE_TO``, ``configure(propagate_to=[...])``), which is
    empty at first. Hosts of LLM vendors are never told, whatever the list says. A client that follows a redirect takes its headers
    along.
    """
    span = trace.get_current_span().get_span_context()
    if span.is_valid and _may_learn(url):
        for name in [name for name in headers if name.lower() == _NAME]:
            del headers[name]
        headers[_NAME] = carrier_of(span, None).traceparent or ""
    return headers


def extract(headers: Headers) -> Carrier:
    """Where a request or a message comes from, by its ``traceparent``: ``with otel_llm.extract(request.headers).attach(): ...``.

    Without a valid one the work begins a trace of its own. For whom it is done is for the receiver to say, before or after.
    """
    found = _propagator.extract(_by_name(headers), context=Context())
    return carrier_of(trace.get_current_span(found).get_span_context(), None)


def _may_learn(url: object) -> bool:
    try:
        parts = urlsplit(str(url))
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return False
    return bool(host) and _hosts().allow(host) and provider_at(host, port) is None


def _hosts() -> PropagationHosts:
    if _allowed is None:
        propagate_to(_environment_hosts())
    assert _allowed is not None
    return _allowed


def _environment_hosts() -> tuple[str, ...]:
    """Read at the first use. A faulty value is ignored here; ``configure()`` reports it as an error."""
    try:
        return parse_propagation_hosts(os.environ.get(PROPAGATE_TO_VARIABLE, ""))
    except ConfigurationError as error:
        _logger.warning("%s is ignored: %s", PROPAGATE_TO_VARIABLE, "; ".join(error.faults))
        return ()


def _by_name(headers: Headers) -> dict[str, str]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
    return {_text(name).lower(): _text(value) for name, value in pairs}


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
