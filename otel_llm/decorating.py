"""Functions with a span around each call. They keep signature, docstring and kind, bind as methods, and are copied and
pickled as functions are.
"""

from __future__ import annotations

import copy
import functools
import importlib
import inspect
import operator
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TypeVar, cast

import wrapt

from otel_llm.arguments import Parameters
from otel_llm.attachment import Attachment
from otel_llm.streams import AsyncSpanStream, SpanStream
from otel_llm.work import Begun, Work

F = TypeVar("F", bound=Callable[..., Any])
Around = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]


def decorated(function: F, work: Work) -> F:
    """``function`` (plain or async, a generator function, a class or static method) with a span of ``work`` around each call."""
    raw: Any = getattr(function, "__func__", function)
    code, parameters = _code_of(raw), Parameters(raw)

    def begin(instance: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Begun:
        begun = work.begin()
        begun.record_call(parameters, instance, args, kwargs)
        return begun

    if inspect.isasyncgenfunction(code):
        around = _around_generator(begin, AsyncSpanStream)
    elif inspect.isgeneratorfunction(code):
        around = _around_generator(begin, SpanStream)
    elif inspect.iscoroutinefunction(code):
        around = _around_coroutine(begin)
    else:
        around = _around_call(begin)
    return cast(F, _Spanned(function, around, work))


def work_of(function: object) -> Work | None:
    """The work that :func:`decorated` makes of a function or method; None for those that it did not see."""
    work = getattr(getattr(function, "_self_parent", None) or function, "_self_work", None)
    return work if isinstance(work, Work) else None


def _code_of(called: Any) -> Any:
    """What runs when an object is called: a partial's function, or the ``__call__`` of its class."""
    while isinstance(called, functools.partial):
        called = called.func
    return called if inspect.isroutine(called) or inspect.isclass(called) else type(called).__call__


def _named(module: str, name: str) -> Any:
    return operator.attrgetter(name)(importlib.import_module(module))


class _SpannedMethod(wrapt.BoundFunctionWrapper):  # type: ignore[type-arg]  # generic in its stubs only
    def __reduce_ex__(self, protocol: Any) -> Any:
        if self._self_instance is None:
            return _named, (self.__module__, self.__qualname__)
        return getattr, (self._self_instance, self.__name__)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self if self._self_instance is None else getattr(copy.deepcopy(self._self_instance, memo), self.__name__)


class _Spanned(wrapt.FunctionWrapper):  # type: ignore[type-arg]  # as above
    __bound_function_wrapper__ = _SpannedMethod

    def __init__(self, function: Any, around: Around, work: Work) -> None:
        super().__init__(function, around)
        self._self_work = work

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.__qualname__

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self


class _Call(AbstractContextManager[Begun]):
    """One call: its span is current until it returns."""

    __slots__ = ("_attachment", "_begun")

    def __init__(self, begun: Begun) -> None:
        self._begun = begun
        self._attachment = Attachment(begun.context)

    def __enter__(self) -> Begun:
        return self._begun

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None) -> None:
        self._attachment.leave()
        self._begun.end(error)


def _around_call(begin: Callable[..., Begun]) -> Around:
    def call(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with _Call(begin(instance, args, kwargs)) as begun:
            result = wrapped(*args, **kwargs)
            begun.record_output(result)
            return result

    return call


def _around_coroutine(begin: Callable[..., Begun]) -> Around:
    async def call(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with _Call(begin(instance, args, kwargs)) as begun:
            result = await wrapped(*args, **kwargs)
            begun.record_output(result)
            return result

    return call


def _around_generator(begin: Callable[..., Begun], stream: Callable[[Any, Begun], Any]) -> Around:
    def call(wrapped: Any, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        source = wrapped(*args, **kwargs)
        return stream(source, begin(instance, args, kwargs))

    return call
