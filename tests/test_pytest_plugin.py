"""The pytest plugin: which tests fail for what they leave behind, and that they alone do."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]
#: What the tests that are run here leave open is seen by the plugin of these as well.
pytestmark = pytest.mark.leaks_context

PROLOGUE = """
import asyncio, gc
import httpx, pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
import otel_llm
from otel_llm.testing import FakeProvider
from otel_llm.tracing import tracer

KEPT = []
ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Why?"}]}

def leave_attached():
    context.attach(trace.set_span_in_context(tracer().start_span("forgotten")))
    trace.get_current_span().end()
"""
NEXT = """
def test_the_next_one(span_sink):
    assert not trace.get_current_span().get_span_context().is_valid
"""


def run(pytester: pytest.Pytester, tests: str, *, last: str = NEXT) -> pytest.RunResult:
    """Run tests, and after them one that finds no context left to it."""
    pytester.makeini("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\naddopts = --strict-markers")
    pytester.makepyfile(f"{PROLOGUE}\n{tests}\n{last}")
    return pytester.runpytest_inprocess("-p", "otel_llm.testing.pytest_plugin", "-p", "no:cacheprovider")


def test_a_test_that_leaves_nothing_behind_passes(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_calls(span_sink):
    with FakeProvider() as fake, otel_llm.agent("planner"):
        httpx.post(f"{fake.openai}/chat/completions", json=ASKED, headers={"authorization": "Bearer sk-fake"})
    assert span_sink.tree() == (("invoke_agent planner", (("chat gpt-4o", ()),)),)
    (call,) = span_sink.calls
    assert span_sink.attributes(call)["gen_ai.input.messages"][0]["parts"] == [{"type": "text", "content": "Why?"}]

async def test_awaits(span_sink):
    async with otel_llm.agent("planner"):
        await asyncio.gather(otel_llm.spawn(asyncio.sleep(0)), asyncio.sleep(0))
""",
    )
    result.assert_outcomes(passed=3)


def test_a_context_that_stays_attached_fails_the_test_and_no_other(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_attaches(span_sink):\n    leave_attached()")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        ["The test did not restore OpenTelemetry's context: the current span is 'forgotten', and was none"]
    )


def test_an_asynchronous_test_is_looked_at_in_its_own_task(pytester: pytest.Pytester) -> None:
    result = run(pytester, "async def test_attaches(span_sink):\n    leave_attached()")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*the current span is 'forgotten', and was none"])


def test_what_is_attached_beside_a_span_is_named(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_attaches():\n    context.attach(context.set_value('mine', 1))")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["The test did not restore OpenTelemetry's context: it differs in mine"])


def test_a_failure_is_told_as_it_is_and_the_context_put_back_all_the_same(pytester: pytest.Pytester) -> None:
    result = run(pytester, "def test_attaches(span_sink):\n    leave_attached()\n    assert not 'a failure of its own'")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.no_fnmatch_line("*did not restore*")


def test_a_fixture_that_leaves_a_context_attached_is_an_error(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.fixture
def attached(span_sink):
    leave_attached()

def test_passes(attached):
    assert trace.get_current_span().get_span_context().is_valid
""",
    )
    result.assert_outcomes(errors=1, passed=2)
    result.stdout.fnmatch_lines(["The fixtures did not restore OpenTelemetry's context: the current span is *"])


def test_a_fixture_of_a_module_may_keep_its_context_and_its_span_for_the_module(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.fixture(scope="module", autouse=True)
def whole_module():
    provider = TracerProvider(shutdown_on_exit=False)
    otel_llm.instrument(tracer_provider=provider)
    with otel_llm.agent("all of them"):
        yield
    otel_llm.uninstrument()
    provider.shutdown()

def test_a_first():
    assert trace.get_current_span().name == "invoke_agent all of them"

def test_a_second():
    assert trace.get_current_span().name == "invoke_agent all of them"

def test_the_last():
    context.attach(context.set_value("mine", 1))
""",
        last="",
    )
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.fnmatch_lines(["*it differs in mine"])


def test_a_span_of_ours_that_stays_open_is_an_error(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_opens(span_sink):
    KEPT.append(tracer().start_span("forgotten"))

def test_opens_a_stream(span_sink):
    KEPT.append(otel_llm.stream(iter("abc"), name="answer"))
    next(KEPT[-1])
""",
    )
    result.assert_outcomes(errors=2, passed=3)
    result.stdout.fnmatch_lines(
        ["The test left 1 span(s) open: forgotten", "The test left 1 span(s) open: task answer"], consecutive=False
    )


def test_what_ends_with_the_tests_fixtures_or_is_held_by_nobody_is_no_leak(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.fixture
def service(span_sink):
    opened = []
    yield opened
    for span in opened:
        span.end()

def test_starts_work_of_the_service(service):
    service.append(tracer().start_span("serve"))

def test_drops_a_stream_that_refers_to_itself(span_sink):
    held = [otel_llm.stream(iter("abc"), name="answer")]
    next(held[0])
    held.append(held)

async def test_goes_away_from_a_task(span_sink):
    async def wait():
        with otel_llm.agent("waiting"):
            await asyncio.sleep(60)
    otel_llm.spawn(wait())
    await asyncio.sleep(0)
""",
    )
    result.assert_outcomes(passed=4)


def test_open_spans_of_others_are_their_own_business(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
def test_opens():
    provider = TracerProvider(shutdown_on_exit=False)
    otel_llm.instrument(tracer_provider=provider)
    KEPT.append(provider.get_tracer("theirs").start_span("request"))
    otel_llm.uninstrument()
    provider.shutdown()
""",
    )
    result.assert_outcomes(passed=2)


def test_a_test_that_leaks_on_purpose_says_so(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
@pytest.mark.leaks_context
def test_attaches(span_sink):
    leave_attached()
    KEPT.append(tracer().start_span("kept"))
""",
    )
    result.assert_outcomes(passed=2)


def test_without_the_plugin_no_test_is_looked_at(pytester: pytest.Pytester) -> None:
    """Installing otel-llm alone changes nobody's tests."""
    pytester.makepyfile("from opentelemetry import context\n\ndef test_it():\n    context.attach({'mine': 1})")
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
