"""A thin client of LLMs that asks, at each call, which model its agent is to use. Recording happens underneath, as for any client."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Any, TypeAlias, Unpack

from otel_llm.client import route
from otel_llm.client.images import Image, image_urls
from otel_llm.client.reply import Embeddings, Reply, embeddings_of, reply_of
from otel_llm.client.request import ChatMessage, Options, Question, conversation, question_of
from otel_llm.client.route import Resolver
from otel_llm.client.send import Patience, StreamedAnswer, fetch, opened
from otel_llm.client.services import Service, Services
from otel_llm.client.structured import Form, asking_again
from otel_llm.client.swarm import Swarm, Vote, ask_all
from otel_llm.errors import ConfigurationError, OutputError
from otel_llm.models.choice import ModelChoice, chosen_model

Images: TypeAlias = "Image | Sequence[Image] | None"


class LLM:
    """Calls models of any provider: ``LLM(default="openrouter:anthropic/claude-sonnet-4.5")``.

    The resolver is asked at each call, for the agent that is at work; ``resolver`` defaults to the process's. Keys are read from the
    providers' own environment variables, also at each call. ``services`` are further OpenAI-compatible APIs, or replace known ones.
    ``fallback`` (default: ``OTEL_LLM_MODEL_FALLBACK``) lets the default answer where an override has no such model, credit or access.
    ``timeout_s`` bounds a call with all its ``retries``. Objects are cheap, and share their connections.

    Each call raises :class:`otel_llm.LLMError`, by its cause, and ConfigurationError for a model or key that cannot be.
    """

    def __init__(
        self,
        default: str,
        *,
        resolver: Resolver | None = None,
        agent: str | None = None,
        fallback: bool | None = None,
        embeddings: str | None = None,
        services: Sequence[Service] = (),
        timeout_s: float = 120.0,
        retries: int = 2,
    ) -> None:
        self._services = Services(services)
        self._services.of(chosen_model(default, "default"))
        self.default = default
        self._resolver = resolver
        self._agent = agent
        self._fallback = route.falls_back(fallback)
        self._embeddings = embeddings
        self._timeout_s = timeout_s
        self._retries = retries

    def for_agent(self, name: str) -> LLM:
        """The same, with the model of agent ``name``, whoever is at work."""
        other = copy.copy(self)
        other._agent = name
        return other

    async def complete(
        self,
        system: str | None = None,
        user: str = "",
        *,
        image: Images = None,
        json: Any = None,
        **options: Unpack[Options],
    ) -> Reply:
        """The answer to one question; ``options`` are those of :class:`Options`.

        With ``json``, a pydantic model or any type that pydantic knows, the answer is checked and becomes ``reply.parsed``; one that
        does not fit is asked for again, once. Then OutputError is raised.
        """
        messages = conversation(system, user, await image_urls(image))
        return await self.chat(messages, json=json, **options)

    async def chat(self, messages: Sequence[ChatMessage], *, json: Any = None, **options: Unpack[Options]) -> Reply:
        """The answer to a conversation, in the form of OpenAI's messages; ``reply.message`` continues it."""
        question, patience = question_of(messages, options), self._patience(options)
        choice = await self._choose(options)
        if json is None:
            return await self._ask(question, choice, patience)
        form = Form(json)
        question = replace(question, messages=form.told(question.messages), schema=form.schema)
        reply = await self._ask(question, choice, patience)
        if reply.tool_calls:
            return reply
        try:
            return form.filled(reply)
        except OutputError as error:
            question = replace(question, messages=asking_again(question.messages, reply, error.faults))
        return form.filled(await self._ask(question, choice, patience))

    async def stream(
        self,
        system: str | None = None,
        user: str = "",
        *,
        image: Images = None,
        messages: Sequence[ChatMessage] | None = None,
        **options: Unpack[Options],
    ) -> AsyncGenerator[str | Reply, None]:
        """The answer's text piece by piece, then the whole :class:`Reply`. ``messages`` is a conversation, instead of a question."""
        if messages is None:
            messages = conversation(system, user, await image_urls(image))
        question, patience = replace(question_of(messages, options), stream=True), self._patience(options)
        choice = await self._choose(options)
        async with AsyncExitStack() as stack:

            async def begin(choice: ModelChoice) -> tuple[ModelChoice, StreamedAnswer]:
                out = route.outgoing(question, choice, self._services)
                return choice, await stack.enter_async_context(opened(out, patience))

            choice, answer = await route.answered(choice, begin, fallback=self._fallback)
            added_text = route.added_text(choice, self._services)
            said = False
            events = await stack.enter_async_context(aclosing(answer.events()))
            async for event in events:
                if text := added_text(event):
                    said = True
                    yield text
            reply = reply_of(*answer.end(), choice)
            if reply.text and not said:  # a server that does not stream has answered at once
                yield reply.text
            yield reply

    async def embed(
        self, texts: Sequence[str], *, model: str | None = None, extra: Mapping[str, Any] | None = None
    ) -> Embeddings:
        """A vector for each text, by ``model`` or else by what ``LLM(embeddings=...)`` says.

        No resolver is asked: vectors of different models cannot be compared, so changing the model is a change of what is stored.
        """
        named = model or self._embeddings
        if named is None:
            raise ConfigurationError(["no model for embeddings: give embed(model=...) or LLM(embeddings=...)"])
        choice = chosen_model(named, "argument" if model else "default", agent=self._agent)
        patience = self._patience({})

        async def attempt(choice: ModelChoice) -> Embeddings:
            out = route.outgoing_texts(texts, choice, self._services, extra or {})
            facts, raw = await fetch(out, patience)
            return embeddings_of(facts, raw, choice)

        return await route.answered(choice, attempt, fallback=False)

    async def swarm(
        self,
        models: Sequence[str],
        system: str | None = None,
        user: str = "",
        *,
        name: str = "swarm",
        quorum: int | None = None,
        vote: Vote | None = None,
        image: Images = None,
        json: Any = None,
        **options: Unpack[Options],
    ) -> Swarm:
        """The same question to several models at once, below one workflow span, and the answer that most of them gave.

        ``quorum`` is how many must have answered, by default more than half; QuorumError if fewer did. ``options["timeout_s"]`` holds
        for each. ``vote`` says what of a reply is compared, by default its parsed value or its text without case and spacing; of
        equally many votes those of the model named first count.
        """
        messages = conversation(system, user, await image_urls(image))

        async def member(model: str) -> Reply:
            own: Options = {**options, "model": model}
            return await self.chat(messages, json=json, **own)

        return await ask_all(models, member, name=name, quorum=quorum, vote=vote)

    async def _ask(self, question: Question, choice: ModelChoice, patience: Patience) -> Reply:
        async def attempt(choice: ModelChoice) -> Reply:
            return reply_of(*await fetch(route.outgoing(question, choice, self._services), patience), choice)

        return await route.answered(choice, attempt, fallback=self._fallback)

    async def _choose(self, options: Options) -> ModelChoice:
        agent, model = options.get("agent") or self._agent, options.get("model")
        if model is not None:
            return chosen_model(model, "argument", agent=agent)
        return await route.resolved(self._resolver, self.default, agent)

    def _patience(self, options: Options) -> Patience:
        return Patience(options.get("timeout_s") or self._timeout_s, self._retries)
