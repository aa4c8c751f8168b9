"""Sending a request that is recorded: the call is current meanwhile, and an error of it is told and passed on unchanged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from opentelemetry import context as otel_context

from otel_llm.call import Call

T = TypeVar("T")


def send(call: Call, sending: Callable[[], T]) -> T:
    """The response of ``sending()``. Raises whatever that raises."""
    token = _attach(call)
    try:
        return sending()
    except BaseException as error:
        call.failed(error)
        raise
    finally:
        _detach(token)


async def send_async(call: Call, sending: Awaitable[T]) -> T:
    """The response of ``sending``. Raises whatever that raises."""
    token = _attach(call)
    try:
        response = await sending
    except GeneratorExit:  # the coroutine itself is being destroyed, maybe in another context: nothing to restore
        call.closed()
        raise
    except BaseException as error:
        _detach(token)
        call.failed(error)
        raise
    _detach(token)
    return response


def _attach(call: Call) -> Any:
    return None if call.context is None else otel_context.attach(call.context)


def _detach(token: Any) -> None:
    if token is not None:
        otel_context.detach(token)
