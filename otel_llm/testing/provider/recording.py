"""Recorded exchanges, served verbatim."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic_core import from_json

from otel_llm.testing.provider.answer import Answer
from otel_llm.testing.provider.exchange import Exchange

#: Of the connection that was recorded, or no longer true of a body that was stored decoded.
_NOT_REPLAYED = frozenset({"connection", "content-encoding", "content-length", "date", "keep-alive", "transfer-encoding"})
_EVENT_END = re.compile(rb"(?<=\n\n)|(?<=\r\n\r\n)")


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded exchange.

    The form is ``{"request": {"method", "url"}, "response": {"status", "headers", "body_text" | "body_base64"}}``; other keys are
    ignored.
    """

    method: str
    #: Path and query, as they follow a server's base URL.
    target: str
    answer: Answer

    @classmethod
    def load(cls, source: Mapping[str, Any] | str | Path) -> Recording:
        """From a decoded recording or a file of one. Raises OSError, ValueError or KeyError if it is none."""
        data = source if isinstance(source, Mapping) else from_json(Path(source).read_bytes())
        url = urlsplit(data["request"]["url"])
        path = "/" + url.path.lstrip("/")  # http.server folds slashes at the start, so a client's request has one only
        return cls(
            method=data["request"].get("method", "POST"),
            target=f"{path}?{url.query}" if url.query else path,
            answer=_answer(data["response"]),
        )

    def matches(self, exchange: Exchange) -> bool:
        """Same method, and a path that ends in the recorded one."""
        return exchange.method == self.method and exchange.path.endswith(unquote(self.target.partition("?")[0]))


def _answer(response: Mapping[str, Any]) -> Answer:
    text = response.get("body_text")
    body = base64.b64decode(response.get("body_base64") or "") if text is None else text.encode("utf-8", "surrogateescape")
    pieces = [piece for piece in _EVENT_END.split(body) if piece]
    return Answer(
        status=response["status"],
        headers={name.lower(): value for name, value in response["headers"].items() if name.lower() not in _NOT_REPLAYED},
        pieces=pieces,
        streamed=len(pieces) > 1,
    )
