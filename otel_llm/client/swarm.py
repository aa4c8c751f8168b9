"""The same question to several models at once, and a vote on their answers."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pydantic_core import to_jsonable_python

from otel_llm import semconv as sc
from otel_llm.client.reply import Reply
from otel_llm.context import workflow
from otel_llm.errors import ConfigurationError, LLMError, QuorumError

#: What of a reply is compared: equal values are votes for the same answer.
Vote: TypeAlias = Callable[[Reply], Hashable]


@dataclass(frozen=True, slots=True)
class Member:
    """One model of a swarm: its reply, or why there is none."""

    #: As it was named.
    model: str
    reply: Reply | None = None
    error: LLMError | ConfigurationError | None = None


@dataclass(frozen=True, slots=True)
class Swarm:
    """What a swarm came to."""

    #: The answer with the most votes; of several that agree, that of the model named first.
    reply: Reply
    #: How many gave it.
    votes: int
    #: All that were asked, in the order of their models.
    members: tuple[Member, ...]


async def ask_all(
    models: Sequence[str],
    ask: Callable[[str], Awaitable[Reply]],
    *,
    name: str,
    quorum: int | None,
    vote: Vote | None,
) -> Swarm:
    """Ask each model, and count. Raises QuorumError, and ConfigurationError for a quorum that cannot be."""
    needed = len(models) // 2 + 1 if quorum is None else quorum
    if not 1 <= needed <= len(models):
        raise ConfigurationError([f"a swarm of {len(models)} models cannot have a quorum of {needed}"])
    with workflow(name) as span:
        span.set_attributes({sc.SWARM_MODELS: tuple(models), sc.SWARM_QUORUM: needed})
        members = await _gathered(models, ask)
        ballots = [None if member.reply is None else (vote or same_answer)(member.reply) for member in members]
        span.set_attribute(sc.SWARM_VOTES, _told(members, ballots))
        swarm = _counted(members, ballots, needed)
        span.set_attribute(sc.SWARM_WINNER, "" if swarm.reply.choice is None else swarm.reply.choice.text)
        return swarm


async def _gathered(models: Sequence[str], ask: Callable[[str], Awaitable[Reply]]) -> tuple[Member, ...]:
    """All members, once the last has answered or failed. Whatever is no failure of a model stops the others, and is raised."""

    async def member(model: str) -> Member:
        try:
            return Member(model, reply=await ask(model))
        except (LLMError, ConfigurationError) as error:
            return Member(model, error=error)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(member(model)) for model in models]
    except* Exception as errors:  # noqa: BLE001  (the first of them is raised)
        raise errors.exceptions[0] from None
    return tuple(task.result() for task in tasks)


def same_answer(reply: Reply) -> Hashable:
    """The parsed value as JSON, else the text without case and spacing."""
    if reply.parsed is not None:
        return json.dumps(to_jsonable_python(reply.parsed), sort_keys=True)
    return " ".join(reply.text.casefold().split())


def _told(members: Sequence[Member], ballots: Sequence[Hashable]) -> tuple[str, ...]:
    """Who agreed with whom, without what they said."""
    numbers: dict[Hashable, int] = {}
    for member, ballot in zip(members, ballots, strict=True):
        if member.reply is not None:
            numbers.setdefault(ballot, len(numbers) + 1)
    return tuple(
        str(numbers[ballot]) if member.reply is not None else getattr(member.error, "category", "configuration")
        for member, ballot in zip(members, ballots, strict=True)
    )


def _counted(members: tuple[Member, ...], ballots: Sequence[Hashable], needed: int) -> Swarm:
    given = [(member.reply, ballot) for member, ballot in zip(members, ballots, strict=True) if member.reply is not None]
    if len(given) < needed:
        errors = {member.model: member.error for member in members if member.error is not None}
        what = f"{len(given)} of {len(members)} models answered, {needed} had to ({', '.join(errors)} did not)"
        raise QuorumError(what, model="swarm", errors=errors)
    winner, votes = Counter(ballot for _, ballot in given).most_common(1)[0]
    reply = next(reply for reply, ballot in given if ballot == winner)
    return Swarm(reply, votes, members)
