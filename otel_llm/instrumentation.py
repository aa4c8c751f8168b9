"""The seam: ``Client.send`` and ``AsyncClient.send`` of httpx and httpx2, and aiohttp's one way out.

This is the only module that patches anything.

A library that is imported later is patched then; one that is never imported costs nothing.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Collection
from dataclasses import fields
from types import ModuleType
from typing import Any, Final

import wrapt
from opentelemetry._logs import LoggerProvider
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # re-exported implicitly
from opentelemetry.instrumentation.utils import unwrap
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from otel_llm.aiohttp_seam import around_request
from otel_llm.content import CaptureMode, capture_mode, mode_in_force, use_mode
from otel_llm.emit import Emitter
from otel_llm.guard import guarded
from otel_llm.httpx_seam import around_async_send, around_send
from otel_llm.instrumentor_options import InstrumentorOptions
from otel_llm.rewriting import Resolver, overriding, overriding_async
from otel_llm.rewriting_requests import requests_of_aiohttp, requests_of_httpx
from otel_llm.tracing import tracer, use_provider

_HTTPX: Final[dict[str, Callable[..., Any]]] = {"Client.send": around_send, "AsyncClient.send": around_async_send}
_LIBRARIES: Final[dict[str, dict[str, Callable[..., Any]]]] = {
    "httpx": _HTTPX,
    "httpx2": _HTTPX,
    "aiohttp": {"ClientSession._request": around_request},
}


class _Seam:
    """The state of the instrumentation: by what it records (None: off), and which libraries are patched."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.emitter: Emitter | None = None
        #: Whose overrides are applied to requests; None: requests stay as they are.
        self.resolver: Resolver | None = None
        self.patched: dict[str, ModuleType] = {}
        self.hooked = False


_seam = _Seam()


def instrument(
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    *,
    content: CaptureMode | None = None,
    resolver: Resolver | None = None,
) -> None:
    """Record each LLM call made through httpx, httpx2 or aiohttp, by any SDK or by hand, also by clients that exist already.

    Providers default to the global ones, also if those are set later. ``content`` defaults to what
    ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` says. Calling it again replaces providers, content and resolver;
    the seam stays one.

    With a ``resolver``, requests of an agent that an admin has chosen another model for get that model, where they go to OpenRouter or
    to the provider of that model. Without one, nothing of a request is ever changed.
    """
    with _seam.lock:
        use_provider(tracer_provider)
        tracer()
        use_mode(content or capture_mode())
        _seam.emitter = Emitter(mode_in_force(), meter_provider, logger_provider)
        _seam.resolver = resolver
        for name in _LIBRARIES:
            if name in sys.modules:
                _patch(sys.modules[name])
        if not _seam.hooked:
            _seam.hooked = True
            for name in _LIBRARIES:
                wrapt.register_post_import_hook(_patch, name)


def uninstrument() -> None:
    """Stop recording and restore the libraries. Streams that are being read are recorded to their end."""
    with _seam.lock:
        _seam.emitter = _seam.resolver = None
        use_provider(None)
        use_mode(None)
        for name, library in _seam.patched.items():
            for method in _LIBRARIES[name]:
                owner, attribute = method.split(".")
                unwrap(getattr(library, owner), attribute)
        _seam.patched.clear()


def instrument_client(client: Any) -> None:
    """Record the calls of this one client of httpx or httpx2, without patching its library.

    Raises TypeError for anything that is no such client.
    """
    library = _library_of(client)
    emitter = Emitter(capture_mode())
    around = around_async_send if isinstance(client, library.AsyncClient) else around_send
    client.send = wrapt.FunctionWrapper(client.send, around(library, lambda: emitter))


class LLMInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # untyped there
    """For ``opentelemetry-instrument`` and declarative configuration: loaded without arguments, settings from the environment.

    What a declarative configuration says wins over the environment.
    """

    #: What such a configuration may say; the SDK checks it, and gives it to ``instrument`` as keyword arguments.
    configuration = InstrumentorOptions

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: the libraries are patched if and when they are imported."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        providers = ("tracer_provider", "meter_provider", "logger_provider")
        options = {each.name: kwargs.get(each.name) for each in fields(InstrumentorOptions)}
        content = InstrumentorOptions(**options).apply()
        instrument(**{name: kwargs.get(name) for name in providers}, content=content)

    def _uninstrument(self, **kwargs: Any) -> None:
        uninstrument()


@guarded
def _patch(library: ModuleType) -> None:
    """Patch a library once; called when it is imported, or now if it is imported already."""
    with _seam.lock:
        if _seam.emitter is None or library.__name__ in _seam.patched:
            return
        _seam.patched[library.__name__] = library
        for method, around in _LIBRARIES[library.__name__].items():
            recording = around(library, _emitter)
            wrapt.wrap_function_wrapper(library, method, _overriding(library, method, recording))


def _overriding(library: ModuleType, method: str, recording: Callable[..., Any]) -> Callable[..., Any]:
    """``recording`` of requests that have the model of an override, where one is to be applied."""
    if _LIBRARIES[library.__name__] is not _HTTPX:
        return overriding_async(recording, requests_of_aiohttp(library), _resolver)
    override = overriding_async if method.startswith("Async") else overriding
    return override(recording, requests_of_httpx(library), _resolver)


def _emitter() -> Emitter | None:
    return _seam.emitter


def _resolver() -> Resolver | None:
    return _seam.resolver


def _library_of(client: Any) -> ModuleType:
    for kind in type(client).__mro__:
        name = kind.__module__.partition(".")[0]
        if _LIBRARIES.get(name) is _HTTPX:
            return importlib.import_module(name)
    raise TypeError(f"{type(client).__name__} is no client of httpx or httpx2")
