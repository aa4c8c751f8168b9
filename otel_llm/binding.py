"""Functions that run where they were bound: in executors, threads, timers, callbacks of an event loop, other processes."""

from __future__ import annotations

import contextvars
import functools
import inspect
import os
import types
from collections.abc import Callable, Coroutine, Generator, Iterator
from concurrent.futures import Executor, Future
from typing import Any, Generic, ParamSpec, TypeVar, cast

from otel_llm.carriers import Carrier, capture

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


def bind(function: Callable[P, T]) -> Callable[P, T]:
    """``function`` with the present context: wherever it is called, it runs as if it were called here.

    For ``Thread(target=...)``, ``Timer``, ``executor.submit``, ``call_soon_threadsafe``, ``run_coroutine_threadsafe``. Each call has
    a copy of the context, so that nothing is left behind in a thread of a pool. All context variables are taken along, as
    ``asyncio.to_thread`` does; to another process, which the result can be pickled for, goes what :func:`otel_llm.capture` takes.

    Raises TypeError for a generator function: its body runs when somebody iterates, wherever that is.
    """
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"{function!r} is a generator function, whose body does not run when it is called: bind what consumes it"
        )
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
        return cast("Callable[P, T]", _bound_coroutine_function(cast("Callable[P, Any]", function), contextvars.copy_context()))
    return _Bound(function)


class _Bound(Generic[P, T]):
    """A function, and the context it was bound in."""

    def __init__(self, function: Callable[P, T]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._context = contextvars.copy_context()
        self._carrier = capture()
        self._process = os.getpid()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        if os.getpid() != self._process:  # forked: the spans of the context are the parent's
            return _carried(self._function, self._carrier, *args, **kwargs)
        return self._context.copy().run(self._function, *args, **kwargs)

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial, (_carried, self._function, self._carrier)


def _carried(function: Callable[..., T], carrier: Carrier, /, *args: Any, **kwargs: Any) -> T:
    """Call ``function`` in another process. In a copy of the context there, so that nothing stays for the next job."""
    with carrier.attach():
        context = contextvars.copy_context()
    return context.run(function, *args, **kwargs)


def _bound_coroutine_function(
    function: Callable[..., Coroutine[Any, Any, T]], context: contextvars.Context
) -> Callable[..., Coroutine[Any, Any, T]]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> T:
        return await _run_in(context.copy(), function(*args, **kwargs))

    return call


@types.coroutine
def _run_in(context: contextvars.Context, coro: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Run each step of ``coro`` in ``context``, in the task of whoever awaits this."""
    step: Callable[[], Any] = functools.partial(coro.send, None)
    while True:
        try:
            awaited = context.run(step)
        except StopIteration as done:
            return cast("T", done.value)
        try:
            answer = yield awaited
        except GeneratorExit:
            context.run(coro.close)
            raise
        except BaseException as error:  # noqa: BLE001  (it is the coroutine's to handle: cancellation, mostly)
            step = functools.partial(coro.throw, error)
        else:
            step = functools.partial(coro.send, answer)


class ContextExecutor(Executor):
    """An executor whose jobs run where they were submitted: ``ContextExecutor(ThreadPoolExecutor(4))``, or of processes.

    For ``submit``, ``map`` and ``loop.run_in_executor``. Shutting it down shuts down the one that it was given.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have ``fn`` called in the context of this call."""
        return self._executor.submit(_Bound(fn), *args, **kwargs)

    def map(self, fn: Callable[..., R], *iterables: Any, **options: Any) -> Iterator[R]:
        """Have ``fn`` called on each item in the context of this call; ``options`` are those of ``Executor.map``."""
        return self._executor.map(_Bound(fn), *iterables, **options)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Shut down the executor that was given."""
        self._executor.shutdown(wait, cancel_futures=cancel_futures)
