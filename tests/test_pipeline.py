"""Pipelines: agents one after another, at the same time, and in the background; their failures, times and cancellations."""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

from otel_llm import CaptureMode, Pipeline, Step, agent, capture
from otel_llm.content import use_mode
from otel_llm.errors import ConfigurationError
from otel_llm.pipeline.pipeline import PipelineResult, StepContext
from otel_llm.testing.sink import SpanSink

pytestmark = pytest.mark.usefixtures("sink")


async def research(context: StepContext) -> str:
    return f"facts on {context.input}"


async def strategist(context: StepContext) -> str:
    return f"plan from {context.results['research']}"


async def broken(context: StepContext) -> str:
    raise LookupError("no such customer")


class Writer:
    name = "writer"

    async def run(self, context: StepContext) -> str:
        return f"letter after {', '.join(context.results)}"


async def idle(context: StepContext) -> None:
    await asyncio.Event().wait()


def meeting(parties: int) -> Any:
    """An agent that returns once so many of it run at the same time."""
    barrier = asyncio.Barrier(parties)

    async def meet(context: StepContext) -> list[str]:
        await barrier.wait()
        return sorted(context.results)

    return meet


def status(sink: SpanSink) -> dict[str, tuple[StatusCode, Any]]:
    return {span.name: (span.status.status_code, (span.attributes or {}).get("error.type")) for span in sink.spans}


# --- steps ------------------------------------------------------------------------------------------------------------


async def test_steps_run_in_order_each_with_the_results_before_it(sink: SpanSink) -> None:
    result = await Pipeline("support", [research, Step(strategist), Writer()]).run("Ada")

    assert result == PipelineResult(
        results={
            "research": "facts on Ada",
            "strategist": "plan from facts on Ada",
            "writer": "letter after research, strategist",
        },
        errors={},
        background={},
        skipped=(),
    )
    assert sink.tree() == (
        (
            "invoke_workflow support",
            (("invoke_agent research", ()), ("invoke_agent strategist", ()), ("invoke_agent writer", ())),
        ),
    )


async def test_neighbouring_parallel_steps_run_together_and_see_what_was_before_them() -> None:
    meet = meeting(3)
    steps = [Step(meet, "parallel", name=name) for name in ("a", "b", "c")]

    result = await Pipeline("support", [Step(research), *steps, Writer()]).run("Ada")

    assert [result[name] for name in ("a", "b", "c")] == [["research"]] * 3
    assert result["writer"] == "letter after research, a, b, c"


async def test_results_come_in_the_order_of_the_steps_whichever_ends_first() -> None:
    first, second = asyncio.Event(), asyncio.Event()

    async def slow(context: StepContext) -> None:
        await first.wait()
        second.set()

    async def quick(context: StepContext) -> None:
        first.set()
        await second.wait()

    result = await Pipeline("p", [Step(slow, "parallel"), Step(quick, "parallel")]).run()
    assert list(result.results) == ["slow", "quick"]


async def test_a_background_step_outlives_the_pipeline_in_its_trace(sink: SpanSink) -> None:
    gate = asyncio.Event()

    async def remember(context: StepContext) -> list[str]:
        await gate.wait()
        return list(context.results)

    result = await Pipeline("support", [research, Step(remember, "background"), Writer()]).run("Ada")
    await asyncio.sleep(0)
    assert [span.name for span in sink.open] == ["invoke_agent remember"]
    gate.set()

    assert await result.background["remember"] == ["research"]
    assert list(result.results) == ["research", "writer"]
    (tree,) = sink.tree()
    assert sorted(name for name, _ in tree[1]) == [
        "invoke_agent remember",
        "invoke_agent research",
        "invoke_agent writer",
    ]


async def test_a_result_that_is_not_there_says_why() -> None:
    result = await Pipeline("p", [broken, research, Step(Writer(), "background")]).run()
    with pytest.raises(KeyError, match="was not started, because one before it failed: broken"):
        result["research"]
    with pytest.raises(KeyError, match="nobody"):
        result["nobody"]
    background = await Pipeline("p", [Step(Writer(), "background")]).run()
    with pytest.raises(KeyError, match=r"await result.background\['writer'\]"):
        background["writer"]
    await background.background["writer"]


async def test_what_goes_in_and_comes_out_is_recorded_where_content_is(sink: SpanSink) -> None:
    use_mode(CaptureMode.SPAN_ONLY)
    await Pipeline("support", [research]).run("Ada")
    use_mode(None)
    attributes = {span.name: dict(span.attributes or {}) for span in sink.spans}
    assert attributes["invoke_workflow support"]["input.value"] == "Ada"
    assert attributes["invoke_workflow support"]["output.value"] == '{"research":"facts on Ada"}'
    assert attributes["invoke_agent research"]["output.value"] == "facts on Ada"


# --- agents -----------------------------------------------------------------------------------------------------------


@agent("planner")
async def decorated(context: StepContext) -> str:
    return "a plan"


class Decorated:
    @agent("trainer")
    async def run(self, context: StepContext) -> str:
        return "a lesson"


async def with_more(more: str, context: StepContext) -> str:
    return more


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (Step(research), "research"),
        (Step(Writer()), "writer"),
        (Step(type("Plain", (), {"run": staticmethod(research)})()), "Plain"),
        (Step(functools.partial(with_more, "x")), "with_more"),
        (Step(decorated), "planner"),
        (Step(Decorated()), "trainer"),
        (Step(Decorated().run), "trainer"),
        (Step(functools.partial(decorated)), "planner"),
        (Step(lambda context: research(context), name="researcher"), "researcher"),
    ],
)
async def test_an_agent_has_one_span_and_its_name(sink: SpanSink, step: Step, name: str) -> None:
    (await Pipeline("p", [step]).run("Ada")).raise_for_errors()
    assert sink.tree() == (("invoke_workflow p", ((f"invoke_agent {name}", ()),)),)


async def test_a_decorated_agent_under_another_name_is_inside_the_step(sink: SpanSink) -> None:
    await Pipeline("p", [Step(decorated, name="draft")]).run()
    assert sink.tree() == (("invoke_workflow p", (("invoke_agent draft", (("invoke_agent planner", ()),)),)),)


async def test_a_pipeline_can_be_a_step(sink: SpanSink) -> None:
    inner = Pipeline("inner", [research])
    result = await Pipeline("outer", [inner]).run("Ada")
    assert result["inner"]["research"].startswith("facts on")
    nested = (("invoke_agent inner", (("invoke_workflow inner", (("invoke_agent research", ()),)),)),)
    assert sink.tree() == (("invoke_workflow outer", nested),)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Step(Writer), "Writer is a class"),
        (lambda: Step("writer"), "str is no agent"),
        (lambda: Step(lambda context: research(context)), "give one, as in"),
        (lambda: Step(research, "later"), "sequential, parallel, background, not 'later'"),
        (lambda: Step(research, timeout_s=0), "greater than 0"),
        (lambda: Step(research, on_error="retry"), "stop, continue, not 'retry'"),
        (lambda: Pipeline("p", [], on_error="retry"), "stop, continue, not 'retry'"),
        (lambda: Pipeline("p", [research, Step(Writer(), name="research")]), "more than once: research"),
    ],
)
def test_a_mistake_is_told_where_it_is_made(make: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make()


async def test_an_agent_that_is_not_async_fails() -> None:
    result = await Pipeline("p", [Step(lambda context: "plain", name="plain")]).run()
    with pytest.raises(TypeError, match="the agent of step 'plain' is not async: it returned str"):
        result["plain"]


# --- failures ---------------------------------------------------------------------------------------------------------


async def test_a_failure_stops_what_comes_after_it(sink: SpanSink) -> None:
    result = await Pipeline("support", [research, broken, Writer()]).run("Ada")

    assert (list(result.results), list(result.errors), result.skipped) == (["research"], ["broken"], ("writer",))
    with pytest.raises(LookupError, match="no such customer"):
        result["broken"]
    with pytest.raises(LookupError, match="no such customer"):
        result.raise_for_errors()
    assert status(sink) == {
        "invoke_agent research": (StatusCode.UNSET, None),
        "invoke_agent broken": (StatusCode.ERROR, "LookupError"),
        "invoke_workflow support": (StatusCode.ERROR, "LookupError"),
    }


async def test_a_failure_may_be_of_no_consequence(sink: SpanSink) -> None:
    async def see(context: StepContext) -> list[str]:
        return [f"{name}: {error}" for name, error in context.errors.items()]

    result = await Pipeline("support", [Step(broken, on_error="continue"), see]).run()

    assert (result["see"], list(result.errors), result.skipped) == (["broken: no such customer"], ["broken"], ())
    assert status(sink)["invoke_workflow support"] == (StatusCode.UNSET, None)


@pytest.mark.parametrize(
    ("policy", "own", "goes_on"), [("stop", "continue", True), ("continue", "stop", False), ("continue", None, True)]
)
async def test_a_steps_own_policy_comes_before_the_pipelines(policy: Any, own: Any, goes_on: bool) -> None:
    result = await Pipeline("p", [Step(broken, on_error=own), research], on_error=policy).run()
    assert ("research" in result.results) is goes_on


async def test_parallel_steps_end_undisturbed_beside_one_that_fails() -> None:
    result = await Pipeline("p", [Step(broken, "parallel"), Step(research, "parallel"), Writer()]).run("Ada")
    assert (dict(result.results), list(result.errors), result.skipped) == (
        {"research": "facts on Ada"},
        ["broken"],
        ("writer",),
    )


async def test_several_failures_are_raised_as_a_group() -> None:
    result = await Pipeline("p", [Step(broken, "parallel"), Step(broken, "parallel", name="too")]).run()
    with pytest.raises(ExceptionGroup, match="steps failed: broken, too"):
        result.raise_for_errors()


async def test_a_failure_in_the_background_stops_nothing_and_is_the_tasks(caplog: pytest.LogCaptureFixture) -> None:
    result = await Pipeline("p", [Step(broken, "background"), research]).run("Ada")
    with pytest.raises(LookupError, match="no such customer"):
        await result.background["broken"]
    assert result["research"] == "facts on Ada"
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("mode", ["sequential", "parallel"])
async def test_a_step_that_takes_too_long_has_failed(sink: SpanSink, mode: Any) -> None:
    result = await Pipeline("p", [Step(idle, mode, timeout_s=0.01), research], on_error="continue").run("Ada")
    assert isinstance(result.errors["idle"], TimeoutError)
    assert result["research"] == "facts on Ada"
    assert status(sink)["invoke_agent idle"] == (StatusCode.ERROR, "TimeoutError")


async def test_a_background_step_has_its_time_too() -> None:
    result = await Pipeline("p", [Step(idle, "background", timeout_s=0.01)]).run()
    with pytest.raises(TimeoutError):
        await result.background["idle"]


# --- cancellation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["sequential", "parallel"])
async def test_cancelling_the_run_cancels_its_steps_but_not_those_in_the_background(sink: SpanSink, mode: Any) -> None:
    begun, gate, kept = asyncio.Event(), asyncio.Event(), []

    async def wait(context: StepContext) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def remember(context: StepContext) -> None:
        await gate.wait()
        kept.append("done")

    steps = [Step(remember, "background"), Step(wait, mode), Step(idle, mode), research]
    run = asyncio.create_task(Pipeline("p", steps).run())
    await begun.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert [span.name for span in sink.open] == ["invoke_agent remember"]
    (task,) = [task for task in asyncio.all_tasks() if task.get_name() == "remember"]
    gate.set()
    await task

    assert kept == ["done"]
    endings = {span.name: (span.attributes or {}).get("otel_llm.ending") for span in sink.spans}
    assert endings["invoke_workflow p"] == endings["invoke_agent wait"] == "cancelled"
    assert "invoke_agent research" not in endings


@pytest.mark.parametrize("mode", ["sequential", "parallel"])
async def test_work_that_was_cancelled_inside_an_agent_is_that_steps_failure(mode: Any) -> None:
    async def impatient(context: StepContext) -> None:
        inner = asyncio.create_task(asyncio.sleep(60))
        inner.cancel()
        await inner

    result = await Pipeline("p", [Step(impatient, mode, on_error="continue"), research]).run("Ada")
    assert isinstance(result.errors["impatient"], asyncio.CancelledError)
    assert result["research"] == "facts on Ada"


async def test_a_time_around_the_run_holds() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await Pipeline("p", [Step(idle, on_error="continue"), Step(research)]).run()


async def test_a_programs_exit_is_never_kept() -> None:
    async def leave(context: StepContext) -> None:
        raise KeyboardInterrupt

    run = asyncio.ensure_future(_caught(Pipeline("p", [Step(leave, on_error="continue")]).run()))
    assert await run == "KeyboardInterrupt"


async def _caught(run: Any) -> str:
    try:
        await run
    except KeyboardInterrupt as error:
        return type(error).__name__
    return "nothing"


# --- the client -------------------------------------------------------------------------------------------------------


async def test_a_step_without_a_client_says_so() -> None:
    async def ask(context: StepContext) -> Any:
        return context.llm

    result = await Pipeline("p", [ask]).run()
    with pytest.raises(ConfigurationError, match="step 'ask' has no LLM"):
        result["ask"]


async def test_each_step_is_inside_its_own_agent_only() -> None:
    async def who(context: StepContext) -> str | None:
        await asyncio.sleep(0)
        return capture().identity.agent

    steps = [Step(who, "parallel", name=name) for name in "abc"] + [Step(who, name="d")]
    result = await Pipeline("p", steps).run()
    assert dict(result.results) == {name: name for name in "abcd"}
