"""A pytest plugin that fails each test which leaks: OpenTelemetry's context, or a span of otel-llm that it leaves open.

Installing otel-llm changes nobody's tests; the plugin is asked for, in the ``conftest.py`` at the root or on the command line::

    pytest_plugins = ["otel_llm.testing.pytest_plugin"]

    pytest -p otel_llm.testing.pytest_plugin

A context that is attached and never detached makes whatever runs next in its thread, or in its task, a child of a span that has
long ended. It fails the test that did it and is put back, so that no other test suffers from it; asynchronous tests are looked at in
their own task. What fixtures leave behind, and open spans, which fixtures may end, are reported as errors at the test's teardown. A
test that leaks on purpose says so: ``@pytest.mark.leaks_context``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from opentelemetry import context as otel_context

from otel_llm.content import CaptureMode
from otel_llm.instrumentation import instrument, uninstrument
from otel_llm.testing.leaks import OpenSpans, put_back
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import watch_spans

_open_spans = OpenSpans()
_before = pytest.StashKey[dict[int, str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Watch the spans of this process."""
    config.addinivalue_line("markers", "leaks_context: the test leaves a context attached, or a span open, on purpose.")
    watch_spans(_open_spans)


@pytest.fixture
def span_sink() -> Iterator[SpanSink]:
    """The spans of this test, with content, in memory: of agents, tools, streams, and of LLM calls made by httpx, httpx2 or aiohttp.

    What the application has set up with ``otel_llm.configure()`` gets none of them, and LLM calls no longer, also after the test.
    """
    with SpanSink.provider() as (provider, spans):
        instrument(tracer_provider=provider, content=CaptureMode.SPAN_ONLY)
        yield spans
        uninstrument()


@pytest.fixture(autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """The first of a test's own fixtures to be set up and the last to go, so that it sees what the others leave."""
    request.node.stash[_before] = _open_spans.now()
    before = otel_context.get_current()
    yield
    _judge_context(request.node, put_back(before), "The fixtures")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Look at the context around a test, and in the task of an asynchronous one."""
    function = getattr(item, "obj", None)
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(function):
        item.obj = _looked_at(item, function)
    before = otel_context.get_current()
    try:
        result = yield
    except BaseException:
        put_back(before)
        raise
    finally:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(function):
            item.obj = function
    _judge_context(item, put_back(before), "The test")
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    """Look for open spans when the test's fixtures are gone, which may have ended some."""
    result = yield
    before = item.stash.get(_before, None)
    left = [] if before is None else _open_spans.since(before)
    if left and not _may_leak(item):
        pytest.fail(f"The test left {len(left)} span(s) open: {', '.join(left)}", pytrace=False)
    return result


def _looked_at(item: pytest.Item, function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def looked_at(*args: Any, **kwargs: Any) -> Any:
        before = otel_context.get_current()
        result = await function(*args, **kwargs)
        _judge_context(item, put_back(before), "The test")
        return result

    return looked_at


def _judge_context(item: pytest.Item, change: str | None, who: str) -> None:
    if change is not None and not _may_leak(item):
        pytest.fail(f"{who} did not restore OpenTelemetry's context: {change}", pytrace=False)


def _may_leak(item: pytest.Item) -> bool:
    return item.get_closest_marker("leaks_context") is not None
