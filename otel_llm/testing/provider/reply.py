"""What a test wants the fake provider to answer, in no vendor's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from otel_llm.protocols.facts import Usage


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of one of the client's tools. ``arguments`` as a string goes out as it is, so it may be broken JSON."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    #: None: made up in the vendor's style.
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One scripted answer; what is left out is made up from the request, the same each time.

    Positions (``truncate_at``, ``drop_at``, ``stall_at``) count bytes of the body before compression.
    """

    #: None: an echo of the request's last message, or nothing where there are tool calls. A lone surrogate U+DC80..U+DCFF goes out
    #: as the byte 0x80..0xFF, which makes invalid UTF-8 (as ``surrogateescape`` does).
    text: str | None = None
    tool_calls: tuple[ToolCall, ...] | list[ToolCall] = ()
    #: Sent where the vendor sends reasoning text (OpenAI's chat completions do not), and counted in the usage anyway.
    reasoning: str | None = None
    #: In the conventions' sense: input includes the cache's part, output includes reasoning. Fields that are None are made up.
    usage: Usage | None = None
    #: The model that the answer names; None: the request's, as this vendor spells it.
    model: str | None = None
    #: In the vendor's own words; None: its word for a regular end or for tool calls.
    stop_reason: str | None = None

    #: From 400 on, the answer is an error body in the vendor's shape.
    status: int = 200
    #: The error's message, or the whole ``error`` object. With status 200 the error comes inside the stream, after the text.
    error: str | Mapping[str, Any] | None = None
    #: Added to the vendor's own header fields, or put in place of them; an empty value leaves the field out.
    headers: Mapping[str, str] = field(default_factory=dict)
    #: None: the right one; empty: no content type at all.
    content_type: str | None = None
    #: The body, verbatim, instead of anything made up.
    raw: bytes | None = None

    #: Seconds before the first byte.
    delay_s: float = 0.0
    #: In how many pieces a stream sends the text, the reasoning, and each tool call's arguments.
    stream_pieces: int = 4
    #: Cut the body every so many bytes, wherever that falls, instead of between events.
    cut_every: int | None = None
    #: Send the body with ``Content-Encoding: gzip``, a stream piece by piece.
    gzip: bool = False

    #: End the body regularly after so many bytes, as a proxy does that lost its upstream.
    truncate_at: int | None = None
    #: Close the connection after so many bytes, without an end of the body; 0: before the status line.
    drop_at: int | None = None
    #: Send nothing more after so many bytes, and keep the connection; 0: never answer at all.
    stall_at: int | None = None
