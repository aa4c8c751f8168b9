"""One run of a pipeline: what its steps have come to so far, and in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from otel_llm.background import spawn
from otel_llm.context import agent
from otel_llm.pipeline.step import OnError, Step, StepContext
from otel_llm.running_tasks import Task

if TYPE_CHECKING:
    from otel_llm.client.llm import LLM

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """What the steps of one run came to, by name and in their order.

    ``result["writer"]`` is what that step returned; if it failed, its own exception is raised.
    """

    results: Mapping[str, Any]
    errors: Mapping[str, BaseException]
    #: Steps that may still run; each can be awaited.
    background: Mapping[str, Task[Any]]
    #: Steps that were not started, because one before them failed.
    skipped: tuple[str, ...]

    def __getitem__(self, name: str) -> Any:
        if name in self.errors:
            raise self.errors[name]
        if name in self.background:
            raise KeyError(f"step {name!r} runs in the background: await result.background[{name!r}]")
        if name in self.skipped:
            raise KeyError(f"step {name!r} was not started, because one before it failed: {', '.join(self.errors)}")
        return self.results[name]

    def raise_for_errors(self) -> Self:
        """Raise the exception of the step that failed, or a group of them; else give back the result."""
        failed = list(self.errors.values())
        if len(failed) > 1:
            raise BaseExceptionGroup(f"steps failed: {', '.join(self.errors)}", failed)
        if failed:
            raise failed[0]
        return self


class PipelineRun:
    """Runs steps and keeps what they come to. Used by one run of one pipeline only."""

    def __init__(self, steps: Sequence[Step], given: Any, llm: LLM | None, on_error: OnError) -> None:
        self._names = [step.name for step in steps]
        self._given = given
        self._llm = llm
        self._on_error = on_error
        self._results: dict[str, Any] = {}
        self._errors: dict[str, BaseException] = {}
        self._background: dict[str, Task[Any]] = {}
        #: What the pipeline fails by.
        self.stopped_by: BaseException | None = None

    async def sequential(self, step: Step) -> None:
        """Run a step and wait for it."""
        await self._contain(step, self._context_of(step))
        self._look_for_stop([step])

    async def parallel(self, steps: Sequence[Step]) -> None:
        """Run steps at the same time and wait for all; if this is cancelled, so are they, and then waited for."""
        contexts = [self._context_of(step) for step in steps]
        async with asyncio.TaskGroup() as group:
            for step, context in zip(steps, contexts, strict=True):
                group.create_task(self._contain(step, context), name=step.name)
        self._look_for_stop(steps)

    def background(self, step: Step) -> None:
        """Start a step that nobody waits for."""
        self._background[step.name] = spawn(attempt(step, self._context_of(step)), name=step.name)

    def result(self) -> PipelineResult:
        """What has come of all steps."""
        begun = {*self._results, *self._errors, *self._background}
        return PipelineResult(
            results=self._in_order(self._results),
            errors=self._in_order(self._errors),
            background=self._in_order(self._background),
            skipped=tuple(name for name in self._names if name not in begun),
        )

    def _context_of(self, step: Step) -> StepContext:
        before = self._in_order(self._results), self._in_order(self._errors)
        return StepContext(step.name, self._given, *before, step.llm or self._llm)

    def _in_order(self, found: Mapping[str, T]) -> Mapping[str, T]:
        """A copy in the order of the steps, whichever ended first."""
        return MappingProxyType({name: found[name] for name in self._names if name in found})

    def _look_for_stop(self, steps: Iterable[Step]) -> None:
        stopping = (step.name for step in steps if step.name in self._errors and (step.on_error or self._on_error) == "stop")
        self.stopped_by = next((self._errors[name] for name in stopping), None)

    async def _contain(self, step: Step, context: StepContext) -> None:
        """Run a step; keep its failure. A cancellation goes on if it is meant for us, not one that came out of the agent."""
        task = asyncio.current_task()
        asked = task.cancelling() if task else 0
        try:
            self._results[step.name] = await attempt(step, context)
        except asyncio.CancelledError as error:
            self._errors[step.name] = error
            if task and task.cancelling() > asked:
                raise
        except Exception as error:  # noqa: BLE001  (an agent may fail by anything; it is in the result)
            self._errors[step.name] = error


async def attempt(step: Step, context: StepContext) -> Any:
    """Run a step under its agent's span, within its time. Raises whatever the agent raises, and TimeoutError."""
    if step.opens_its_own_span:
        return await _in_time(step, context)
    with (scope := agent(step.name)):
        value = await _in_time(step, context)
        scope.record_output(value)
        return value


async def _in_time(step: Step, context: StepContext) -> Any:
    async with asyncio.timeout(step.timeout_s):
        return await step(context)
