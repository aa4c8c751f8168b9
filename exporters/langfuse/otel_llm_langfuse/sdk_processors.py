"""The span processors of Langfuse's own SDK: where they are, what they send, and how they leave otel-llm's spans to otel-llm.

Nothing is imported of the SDK. Its clients and processors are looked at only if the application itself has loaded it, and by names
that may go: where the predicate of a processor cannot be reached, the spans are left to that processor.
"""

from __future__ import annotations

import contextlib
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm.projects import client_key
from otel_llm.tracing import stamped_providers
from otel_llm_langfuse import names

_CLIENTS: Final = "langfuse._client.resource_manager"
_PROCESSOR: Final = "LangfuseSpanProcessor"
#: An argument of the processor's constructor, ``should_export_span``, under the name that it keeps it by.
_PREDICATE: Final = "_should_export_span"

Predicate = Callable[[ReadableSpan], bool]
#: Whether a span, meant for the project of a public key, is otel-llm's to send.
Claim = Callable[[str, ReadableSpan], bool]


@dataclass(slots=True, eq=False)
class Rival:
    """A processor that sends to Langfuse by itself."""

    public_key: str
    #: Its tracer provider, which need not live on for this.
    _provider: weakref.ref[Any]
    #: Which spans it would send, were it alone.
    asked: Predicate
    #: Whether it can be made to leave spans out.
    gives_way: bool
    #: Unix time in nanoseconds at which it was not yet there.
    absent_ns: int
    #: The user has been told of it.
    is_known: bool = False

    @property
    def provider(self) -> Any:
        """Its tracer provider; None once that is gone."""
        return self._provider()

    def would_send(self, span: ReadableSpan) -> bool:
        """Whether it would send ``span``, were it alone. Spans of the SDK's own clients it sends if they have its key."""
        scope = span.instrumentation_scope
        if scope is not None and scope.name == names.SDK_SCOPE and client_key(span) != self.public_key:
            return False
        try:
            return bool(self.asked(span))
        except Exception:  # noqa: BLE001  (a predicate of the application's; the SDK does not send then)
            return False

    def sees(self, span: ReadableSpan) -> bool:
        """Whether ``span`` is of its tracer provider, and ended when it was there."""
        provider = self.provider
        return provider is not None and span.resource is provider.resource and (span.end_time or 0) >= self.absent_ns


class SDKProcessors:
    """Those of this process that can be seen. ``claim`` says which spans they are to leave out."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._met: WeakKeyDictionary[Any, Rival] = WeakKeyDictionary()
        self._seen: dict[int, Any] = {}
        self._looked_ns = 0

    @property
    def rivals(self) -> list[Rival]:
        """Those met so far."""
        processors = [processor for known in self._met.keyrefs() if (processor := known()) is not None]
        return [rival for processor in processors if (rival := self._met.get(processor)) is not None]

    def look(self, public_keys: Iterable[str]) -> list[Rival]:
        """Those that have come since the last look. Takes a microsecond where nothing has changed."""
        before, self._looked_ns = self._looked_ns, time.time_ns()
        if _CLIENTS not in sys.modules:
            return []
        providers = _providers(public_keys)
        now = {id(provider): _processors(provider) for provider in providers}
        if now == self._seen:
            return []
        self._seen = now
        return [self._meet(provider, processor, before) for provider in providers for processor in self._new(provider)]

    def _new(self, provider: Any) -> Iterator[Any]:
        return (found for found in _processors(provider) if _sends_by_itself(found) and found not in self._met)

    def _meet(self, provider: Any, processor: Any, absent_ns: int) -> Rival:
        asked = getattr(processor, _PREDICATE, None)
        rival = Rival(processor.public_key, weakref.ref(provider), asked if callable(asked) else _any, False, absent_ns)
        if callable(asked):
            with contextlib.suppress(AttributeError):
                setattr(processor, _PREDICATE, self._predicate(rival.public_key, asked))
                rival.gives_way = True
        self._met[processor] = rival
        return rival

    def _predicate(self, public_key: str, asked: Predicate) -> Predicate:
        """The processor's own, but for spans that are claimed.

        It also asks as a span starts, to know whether the spans below have a parent in Langfuse; they have, whoever sends it.
        """
        return lambda span: not (span.end_time is not None and self._claim(public_key, span)) and asked(span)


def is_shared(provider: Any) -> bool:
    """Whether the spans of ``provider`` come to otel-llm too, as far as that is known before any has come."""
    return provider in (trace.get_tracer_provider(), *stamped_providers())


def _providers(public_keys: Iterable[str]) -> list[Any]:
    """Tracer providers whose processors can be seen: the global one, those that otel-llm uses, and those of the keys' clients."""
    clients = getattr(getattr(sys.modules.get(_CLIENTS), "LangfuseResourceManager", None), "_instances", {})
    of_clients = [getattr(clients.get(key), "tracer_provider", None) for key in public_keys]
    found = [trace.get_tracer_provider(), *stamped_providers(), *of_clients]
    return list({id(provider): provider for provider in found if hasattr(provider, "resource")}.values())


def _processors(provider: Any) -> tuple[Any, ...]:
    """Its span processors, for which the SDK of OpenTelemetry has no public name."""
    found = getattr(getattr(provider, "_active_span_processor", None), "_span_processors", ())
    return found if isinstance(found, tuple) else ()


def _sends_by_itself(processor: Any) -> bool:
    """Whether it is of Langfuse's SDK, and its exporter is not otel-llm's."""
    if not any(kind.__name__ == _PROCESSOR for kind in type(processor).__mro__) or not hasattr(processor, "public_key"):
        return False
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # large, and loaded by the SDK if at all

    exporter = getattr(processor, "span_exporter", None)
    while (inner := getattr(exporter, "_exporter", None)) is not None:
        exporter = inner
    return isinstance(exporter, OTLPSpanExporter)


def _any(_: ReadableSpan) -> bool:
    return True
