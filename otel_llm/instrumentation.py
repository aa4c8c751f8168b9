"""The seam: ``Client.send`` and ``AsyncClient.send`` of httpx and httpx2. The only module that patches anything.

All SDKs on these libraries pass through ``send``, whatever transport they use below it. A library that is imported later is patched
then. Nothing of a request or response is changed but the response's stream, which is teed.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable, Collection
from types import ModuleType
from typing import Any, Final

import wrapt
from opentelemetry import context as otel_context
from opentelemetry._logs import LoggerProvider
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]  # re-exported implicitly
from opentelemetry.instrumentation.utils import is_instrumentation_enabled, unwrap
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from otel_llm import call as recording
from otel_llm.call import Call
from otel_llm.content import CaptureMode, capture_mode
from otel_llm.emit import Emitter
from otel_llm.guard import guarded
from otel_llm.tee import tee_types
from otel_llm.tracing import tracer, use_provider

_LIBRARIES: Final = ("httpx", "httpx2")


class _Seam:
    """The state of the instrumentation: by what it records (None: off), and which libraries are patched."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.emitter: Emitter | None = None
        self.patched: dict[str, ModuleType] = {}
        self.hooked = False


_seam = _Seam()


def instrument(
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    *,
    content: CaptureMode | None = None,
) -> None:
    """Record each LLM call made through httpx or httpx2, by any SDK or by hand, also by clients that exist already.

    Providers default to the global ones, also if those are set later. ``content`` defaults to what
    ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` says. Calling it again replaces providers and content; the seam stays one.
    """
    with _seam.lock:
        use_provider(tracer_provider)
        tracer()
        _seam.emitter = Emitter(content or capture_mode(), meter_provider, logger_provider)
        for name in _LIBRARIES:
            if name in sys.modules:
                _patch(sys.modules[name])
        if not _seam.hooked:
            _seam.hooked = True
            for name in _LIBRARIES:
                wrapt.register_post_import_hook(_patch, name)


def uninstrument() -> None:
    """Stop recording and restore both libraries. Streams that are being read are recorded to their end."""
    with _seam.lock:
        _seam.emitter = None
        use_provider(None)
        for library in _seam.patched.values():
            unwrap(library.Client, "send")
            unwrap(library.AsyncClient, "send")
        _seam.patched.clear()


def instrument_client(client: Any) -> None:
    """Record the calls of this one client of httpx or httpx2, without patching its library.

    Raises TypeError for anything that is no such client.
    """
    library = _library_of(client)
    emitter = Emitter(capture_mode())
    around = _around_async if isinstance(client, library.AsyncClient) else _around_sync
    client.send = wrapt.FunctionWrapper(client.send, around(library, lambda: emitter))


class LLMInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # untyped there
    """For ``opentelemetry-instrument`` and declarative configuration: loaded without arguments, settings from the environment."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """None: the libraries are patched if and when they are imported."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        known = ("tracer_provider", "meter_provider", "logger_provider")
        instrument(**{name: kwargs.get(name) for name in known})

    def _uninstrument(self, **kwargs: Any) -> None:
        uninstrument()


def _patch(library: ModuleType) -> None:
    """Patch a library once; called when it is imported, or now if it is imported already."""
    with _seam.lock:
        if _seam.emitter is None or library.__name__ in _seam.patched:
            return
        _seam.patched[library.__name__] = library
        wrapt.wrap_function_wrapper(library, "Client.send", _around_sync(library, _emitter))
        wrapt.wrap_function_wrapper(library, "AsyncClient.send", _around_async(library, _emitter))


def _emitter() -> Emitter | None:
    return _seam.emitter


def _library_of(client: Any) -> ModuleType:
    for kind in type(client).__mro__:
        name = kind.__module__.partition(".")[0]
        if name in _LIBRARIES:
            return importlib.import_module(name)
    raise TypeError(f"{type(client).__name__} is no client of httpx or httpx2")


def _around_sync(library: ModuleType, emitter: Callable[[], Emitter | None]) -> Callable[..., Any]:
    tee, _ = tee_types(library)

    def send(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = _start(emitter(), args, kwargs)
        if call is None:
            return wrapped(*args, **kwargs)
        token = None if call.context is None else otel_context.attach(call.context)
        try:
            response = wrapped(*args, **kwargs)
        except BaseException as error:
            call.failed(error)
            raise
        finally:
            if token is not None:
                otel_context.detach(token)
        _watch(call, response, tee)
        return response

    return send


def _around_async(library: ModuleType, emitter: Callable[[], Emitter | None]) -> Callable[..., Any]:
    _, tee = tee_types(library)

    async def send(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = _start(emitter(), args, kwargs)
        if call is None:
            return await wrapped(*args, **kwargs)
        token = None if call.context is None else otel_context.attach(call.context)
        try:
            response = await wrapped(*args, **kwargs)
        except GeneratorExit:  # the coroutine itself is being destroyed, maybe in another context: nothing to restore
            call.closed()
            raise
        except BaseException as error:
            _detach(token)
            call.failed(error)
            raise
        _detach(token)
        _watch(call, response, tee)
        return response

    return send


def _detach(token: Any) -> None:
    if token is not None:
        otel_context.detach(token)


@guarded
def _start(emitter: Emitter | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
    if emitter is None or not is_instrumentation_enabled():
        return None
    return recording.start(emitter, args[0] if args else kwargs["request"])


def _watch(call: Call, response: Any, tee: type[Any]) -> None:
    if not _follow(call, response, tee):
        call.closed()


@guarded
def _follow(call: Call, response: Any, tee: type[Any]) -> bool:
    """Read an answer that is there already, or tee one that is still to be read."""
    content_type, coding = response.headers.get("content-type", ""), response.headers.get("content-encoding", "")
    if response.is_closed:
        call.answered(response.status_code, content_type, "", response.headers.raw)
        call.received(response.content)
        call.ended()
    else:
        call.answered(response.status_code, content_type, coding, response.headers.raw)
        response.stream = tee(response.stream, call)
    return True
