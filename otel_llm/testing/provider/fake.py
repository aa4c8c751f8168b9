"""The fake provider itself: a server that speaks as LLM vendors do, follows a script, and keeps what it saw and sent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

from pydantic_core import from_json

from otel_llm.protocols.facts import Usage
from otel_llm.testing.provider.addresses import Addresses
from otel_llm.testing.provider.answer import Answer, spoiled
from otel_llm.testing.provider.apis import protocol_of, vendor_of
from otel_llm.testing.provider.dialects import DIALECTS, dialect_of
from otel_llm.testing.provider.exchange import Exchange
from otel_llm.testing.provider.recording import Recording
from otel_llm.testing.provider.reply import Reply
from otel_llm.testing.provider.respond import information, refusal, respond
from otel_llm.testing.provider.script import Condition, Script
from otel_llm.testing.provider.tokens import total
from otel_llm.testing.server import HangUp, Request, Response

_REGULAR = Reply()


def _made_up(_: Exchange) -> Reply:
    return _REGULAR


class FakeProvider(Addresses):
    """LLM vendors on 127.0.0.1, for tests and demonstrations.

    ::

        with FakeProvider() as fake:
            fake.reply(Reply(text="Hello."))
            client = OpenAI(base_url=fake.openai, api_key="sk-fake")

    It speaks OpenAI's chat completions at any path that ends in ``/chat/completions``, Anthropic's messages at ``/v1/messages``
    (and ``/v1/messages/count_tokens``), the other APIs of ``APIS`` at their paths' ends, plain and streamed. It lists ``models`` at
    ``/models`` and, as Ollama does, at ``/api/tags``; an entry that is a mapping goes out as it is. The start of the path says in
    whose dialect; of all other paths, an API that is one vendor's own says it, else ``vendor``. Any key will do, none will not. What
    no reply was queued for is answered from the request, the same each time.
    """

    def __init__(
        self,
        replies: Iterable[Reply] = (),
        *,
        default: Callable[[Exchange], Reply] = _made_up,
        vendor: str = "openai",
        models: Sequence[str | Mapping[str, Any]] = ("gpt-5-mini", "claude-sonnet-5"),
        pause_s: float = 0.01,
        port: int = 0,
    ) -> None:
        super().__init__(port=port)
        self._script = Script(replies)
        self._default = default
        self._vendor = DIALECTS[vendor].name
        self._models = tuple(models)
        self._pause_s = pause_s
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._exchanges: list[Exchange] = []
        self._seen = 0

    def reply(self, *replies: Reply, when: Condition | None = None) -> None:
        """Queue replies, each for one model call. ``when`` chooses the requests that they are for, so parallel agents get theirs."""
        self._script.add(replies, when)

    def replay(self, source: Mapping[str, Any] | str | Path, reply: Reply = _REGULAR) -> str:
        """Serve a recorded exchange, or a file of one, verbatim to the next request of the same method and path.

        Returns the URL that it waits at; a request below any vendor's base URL gets it too if its path ends in the recorded one.
        Of ``reply`` only that counts which is done to bytes. Recordings come before everything else, also before the key is
        looked at. Raises OSError, ValueError or KeyError if the source is no recording.
        """
        recording = Recording.load(source)
        self._script.add_recording(recording, reply)
        return self.base_url + recording.target

    @property
    def exchanges(self) -> list[Exchange]:
        """All requests so far and what was sent for them, in the order of arrival."""
        with self._lock:
            return list(self._exchanges)

    @property
    def usage(self) -> Usage:
        """The sum of the tokens and costs that were sent."""
        return total(exchange.usage for exchange in self.exchanges if exchange.usage is not None)

    @property
    def unused(self) -> tuple[Reply, ...]:
        """Queued replies that no request has taken."""
        return self._script.unused

    def clear(self) -> None:
        """Forget the exchanges so far, and the replies and recordings that no request has taken: the next test queues its own."""
        self._script.clear()
        with self._lock:
            self._exchanges.clear()

    def start(self) -> Self:
        """Listen, as the base does."""
        self._stopping = threading.Event()
        super().start()
        return self

    def stop(self) -> None:
        """Stop serving; pauses and answers that never come end at once."""
        self._stopping.set()
        super().stop()

    def answer(self, request: Request) -> Response:
        """Answer one request, by script or from the request."""
        exchange = self._admit(request)
        answer = self._decide(exchange)
        reply = exchange.reply or _REGULAR
        answer = spoiled(answer, reply)
        self._pause(reply.delay_s)
        if answer.silent:
            self._break_off(answer)
        exchange.status = answer.status
        body = self._stream(exchange, answer) if answer.streamed else self._whole(exchange, answer)
        return Response(answer.status, answer.headers, body)

    def _admit(self, request: Request) -> Exchange:
        body, protocol = _decoded(request.body), protocol_of(request.path)
        vendor = dialect_of(request.path, vendor_of(protocol) or self._vendor).name
        with self._lock:
            self._seen += 1
            exchange = Exchange(
                number=self._seen,
                vendor=vendor,
                protocol=protocol,
                method=request.method,
                path=request.path,
                headers=request.headers,
                body=body,
                query=dict(request.query),
            )
            self._exchanges.append(exchange)
        return exchange

    def _decide(self, exchange: Exchange) -> Answer:
        if found := self._script.recording_of(exchange):
            recording, exchange.reply = found
            return recording.answer
        dialect = DIALECTS[exchange.vendor]
        if refused := refusal(dialect, exchange):
            return refused
        if exchange.api is None:
            return information(dialect, exchange, self._models)
        exchange.reply = self._script.reply_to(exchange) or self._default(exchange)
        return respond(dialect, exchange.api, exchange, exchange.reply)

    def _whole(self, exchange: Exchange, answer: Answer) -> bytes:
        """The body at once. It is kept before it goes out, so that a client that has read it finds it kept."""
        exchange.sent = b"".join(answer.pieces)
        exchange.complete, exchange.usage = True, answer.usage
        return exchange.sent

    def _stream(self, exchange: Exchange, answer: Answer) -> Iterator[bytes]:
        pieces = answer.pieces or [b""]
        last = len(pieces) - 1
        for index, piece in enumerate(pieces):
            if index:
                self._pause(self._pause_s)
            exchange.sent += piece
            if index == last and answer.ending == "complete":
                exchange.complete, exchange.usage = True, answer.usage
            yield piece
        if answer.ending != "complete":
            self._break_off(answer)

    def _pause(self, seconds: float) -> None:
        if seconds and self._stopping.wait(seconds):
            raise HangUp

    def _break_off(self, answer: Answer) -> NoReturn:
        if answer.ending == "stall":
            self._stopping.wait()
        raise HangUp


def _decoded(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:
        return None
