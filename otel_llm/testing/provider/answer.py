"""An answer on its way to the wire: its bytes in pieces, and what goes wrong with them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Literal

from otel_llm.protocols.facts import Usage
from otel_llm.testing.provider.reply import Reply

#: How a body ends: regularly, by a closed connection, or not at all.
Ending = Literal["complete", "drop", "stall"]
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, header fields (lower case) and body of an answer. A stream's pieces go out one by one, with pauses."""

    status: int
    headers: dict[str, str]
    pieces: list[bytes]
    #: Sent in pieces, rather than at once with its length.
    streamed: bool = False
    #: The token counts that the body carries.
    usage: Usage | None = None
    ending: Ending = "complete"
    #: Whether even the status line is withheld.
    silent: bool = False


def spoiled(answer: Answer, reply: Reply) -> Answer:
    """An answer with all that a reply wants done to it."""
    headers = answer.headers | ({} if reply.content_type is None else {"content-type": reply.content_type})
    headers |= {name.lower(): value for name, value in reply.headers.items()}
    answer = replace(answer, headers={name: value for name, value in headers.items() if value})
    if reply.raw is not None:
        answer = replace(answer, pieces=[reply.raw], usage=None)
    if reply.cut_every is not None:
        answer = replace(answer, pieces=_regrouped(b"".join(answer.pieces), reply.cut_every), streamed=True)
    answer = _cut(answer, reply)
    return _compressed(answer) if reply.gzip else answer


def _cut(answer: Answer, reply: Reply) -> Answer:
    cuts: dict[Ending, int | None] = {"complete": reply.truncate_at, "drop": reply.drop_at, "stall": reply.stall_at}
    for ending, at in cuts.items():
        if at is not None:
            whole = ending == "complete"
            return replace(
                answer,
                pieces=_first(answer.pieces, at),
                streamed=answer.streamed or not whole,
                usage=None,
                ending=ending,
                silent=at == 0 and not whole,
            )
    return answer


def _first(pieces: list[bytes], size: int) -> list[bytes]:
    """The first so many bytes, in the same pieces."""
    kept: list[bytes] = []
    for piece in pieces:
        kept.append(piece[:size])
        size -= len(kept[-1])
    return [piece for piece in kept if piece]


def _regrouped(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


def _compressed(answer: Answer) -> Answer:
    """Each piece flushed, so that a client can read it when it comes; the trailer only if the body ends regularly."""
    coder = zlib.compressobj(wbits=_GZIP)
    pieces = [coder.compress(piece) + coder.flush(zlib.Z_SYNC_FLUSH) for piece in answer.pieces]
    if answer.ending == "complete":
        pieces[-1:] = [b"".join(pieces[-1:]) + coder.flush()]
    return replace(answer, pieces=pieces, headers=answer.headers | {"content-encoding": "gzip"})
