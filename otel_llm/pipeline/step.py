"""A step of a pipeline: an agent, how it is to be run, and what it is given."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

from otel_llm import semconv as sc
from otel_llm.decorating import work_of
from otel_llm.errors import ConfigurationError

if TYPE_CHECKING:
    from otel_llm.client.llm import LLM

Mode: TypeAlias = Literal["sequential", "parallel", "background"]
OnError: TypeAlias = Literal["stop", "continue"]


@dataclass(frozen=True, slots=True)
class StepContext:
    """What an agent is given: a value of its own, which no other step can change."""

    #: The step's name, which is its agent's.
    agent: str
    #: What the pipeline was run with.
    input: Any
    #: By name, what the steps before have returned; those that run at the same time are not among them.
    results: Mapping[str, Any]
    #: By name, what steps before have failed by.
    errors: Mapping[str, BaseException]
    client: LLM | None = None

    @property
    def llm(self) -> LLM:
        """The client of this step. Each call uses the model that is due to the agent it is made in, at that moment.

        Raises ConfigurationError if neither the step nor its pipeline was given one.
        """
        if self.client is None:
            raise ConfigurationError(
                [f"step {self.agent!r} has no LLM: give one to it or its pipeline, as in Pipeline(..., llm=LLM(...))"]
            )
        return self.client

    def get_llm_for_agent(self, name: str) -> LLM:
        """A client whose calls use the model that is due to the agent ``name``, wherever they are made. Raises as :attr:`llm` does."""
        return self.llm.for_agent(name)


class Runs(Protocol):
    """An agent that is an object. If it has a ``name``, that is the agent's."""

    def run(self, context: StepContext, /) -> Awaitable[Any]:
        """Do the agent's work."""
        ...


Agent: TypeAlias = Callable[[StepContext], Awaitable[Any]] | Runs


@dataclass(frozen=True, slots=True)
class Step:
    """One agent of a pipeline: an async callable of a :class:`StepContext`, or an object whose ``run`` is one.

    Raises TypeError if it is neither or has no name, ValueError for another mode, policy or time.
    """

    agent: Agent
    #: ``parallel``: at the same time as its neighbours that are so too; ``background``: nobody waits for it.
    mode: Mode = "sequential"
    _: KW_ONLY
    #: Keys the result and the agent's model. "": the agent's own name.
    name: str = ""
    #: Seconds; None: without end.
    timeout_s: float | None = None
    #: Whether later steps are run if this one fails; None: as the pipeline says. A background step stops nothing.
    on_error: OnError | None = None
    #: None: the pipeline's.
    llm: LLM | None = None

    def __post_init__(self) -> None:
        if isinstance(self.agent, type):
            raise TypeError(f"{self.agent.__qualname__} is a class; a step takes an instance of it")
        if not callable(self.agent) and not hasattr(self.agent, "run"):
            raise TypeError(f"{type(self.agent).__qualname__} is no agent: it cannot be called, and has no method run")
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode must be one of {', '.join(get_args(Mode))}, not {self.mode!r}")
        check_policy(self.on_error or "stop")
        if self.timeout_s is not None and not self.timeout_s > 0:
            raise ValueError(f"timeout_s must be greater than 0, not {self.timeout_s!r}")
        object.__setattr__(self, "name", self.name or name_of(self.agent))

    @property
    def opens_its_own_span(self) -> bool:
        """Whether the agent is a function that ``@otel_llm.agent`` decorates with the step's name."""
        return _decorated_as(_work_done_by(self.agent)) == self.name

    async def __call__(self, context: StepContext) -> Any:
        """Do the agent's work. Raises whatever it raises, and TypeError if it is not async."""
        answer: Any = _called(self.agent)(context)
        if not inspect.isawaitable(answer):
            raise TypeError(
                f"the agent of step {self.name!r} is not async: it returned {type(answer).__qualname__}, nothing to await"
            )
        return await answer


def check_policy(on_error: str) -> None:
    """Raises ValueError if there is no such policy."""
    if on_error not in get_args(OnError):
        raise ValueError(f"on_error must be one of {', '.join(get_args(OnError))}, not {on_error!r}")


def name_of(agent: object) -> str:
    """What an agent calls itself: by its decorator, its ``name``, its function, or its class. Raises TypeError for a lambda."""
    work, inner = _work_done_by(agent), _inside_partials(agent)
    own = _decorated_as(work) or getattr(inner, "name", None) or getattr(inner, "__name__", None) or type(inner).__name__
    if not isinstance(own, str) or own == "<lambda>":
        raise TypeError("a step's agent has no name to go by: give one, as in Step(agent, name='strategist')")
    return own


def _called(agent: Any) -> Any:
    """What is called of an agent: itself, if it is a function, else its ``run`` if it has one."""
    return agent.run if not inspect.isroutine(agent) and hasattr(agent, "run") else agent


def _work_done_by(agent: object) -> Any:
    return _inside_partials(_called(_inside_partials(agent)))


def _inside_partials(agent: Any) -> Any:
    while isinstance(agent, functools.partial):
        agent = agent.func
    return agent


def _decorated_as(function: object) -> str | None:
    """The agent that a function's decorator makes of it."""
    work = work_of(function)
    return work.name if work is not None and work.operation == sc.INVOKE_AGENT else None
