"""Agents in steps: one after another, at the same time, or in the background, each with the model that an admin chose for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

from otel_llm.context import workflow
from otel_llm.failure import mark_failed
from otel_llm.pipeline.run import PipelineResult, PipelineRun
from otel_llm.pipeline.step import Agent, OnError, Step, StepContext, check_policy

if TYPE_CHECKING:
    from otel_llm.client.llm import LLM

__all__ = ["Agent", "Pipeline", "PipelineResult", "Step", "StepContext"]


class Pipeline:
    """Steps of agents under one workflow span. It may be run any number of times, also at once: a run shares nothing with another.

    ::

        pipeline = Pipeline("support", [
            Step(research, "parallel"),
            Step(policy, "parallel", timeout_s=20, on_error="continue"),
            Step(strategist),
            Step(remember, "background"),
        ], llm=LLM(default="openrouter:anthropic/claude-sonnet-4.5"))
        result = await pipeline.run("How do I answer this customer?")
        result["strategist"]

    Agents given bare are sequential steps. Raises ValueError if two steps have one name, or for another policy.
    """

    def __init__(self, name: str, steps: Iterable[Step | Agent], *, llm: LLM | None = None, on_error: OnError = "stop") -> None:
        self.name = name
        self.steps = tuple(step if isinstance(step, Step) else Step(step) for step in steps)
        self._llm = llm
        self._on_error = on_error
        check_policy(on_error)
        twice = sorted(name for name, count in Counter(step.name for step in self.steps).items() if count > 1)
        if twice:
            raise ValueError(f"steps of pipeline {name!r} need names of their own; given more than once: {', '.join(twice)}")

    async def run(self, given: Any = None, /) -> PipelineResult:
        """Run the steps; ``given`` is their ``context.input``.

        A step's failure is kept in the result and raised by ``result[name]`` or ``result.raise_for_errors()``. Under ``stop`` the steps
        after it are left out, and the workflow's span has failed; those at the same time are waited for. If the run is cancelled, so
        are the steps that it waits for, but for those in the background, which outlive it in its trace.
        """
        run = PipelineRun(self.steps, given, self._llm, self._on_error)
        with (scope := workflow(self.name)) as span:
            scope.record_input(given)
            await self._run_steps(run)
            result = run.result()
            scope.record_output(result.results)
            if run.stopped_by is not None:
                mark_failed(span, run.stopped_by)
        return result

    async def _run_steps(self, run: PipelineRun) -> None:
        for stage in _stages(self.steps):
            if stage[0].mode == "background":
                run.background(stage[0])
            elif stage[0].mode == "parallel":
                await run.parallel(stage)
            else:
                await run.sequential(stage[0])
            if run.stopped_by is not None:
                return


def _stages(steps: Iterable[Step]) -> Iterator[list[Step]]:
    """Steps that begin together: neighbours that are parallel, and each other one for itself."""
    for mode, neighbours in groupby(steps, key=lambda step: step.mode):
        if mode == "parallel":
            yield list(neighbours)
        else:
            yield from ([step] for step in neighbours)
