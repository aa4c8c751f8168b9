"""Fetching a response of OpenAI's that was made before, in the background or stored. ``GET .../responses/{id}``, also streamed.

It is no generation: what it tells of usage belongs to the call that made the response and is not told again.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote

from otel_llm import semconv
from otel_llm.protocols import openai_responses
from otel_llm.protocols.facts import RequestFacts, ResponseFacts, Scalar, Usage
from otel_llm.protocols.openai_responses_fold import Fold
from otel_llm.protocols.values import mapping, text

__all__ = ["NAME", "OPERATION", "Fold", "matches", "request", "response"]

NAME: Final = "openai_responses_fetch"
OPERATION: Final = semconv.FETCH_RESPONSE

_ID: Final = re.compile(r"/responses/([^/]+)/?$")


def matches(body: Any) -> bool:
    """Never: without a body only a known host tells such a request from one for somebody's own ``responses``."""
    return False


def request(body: Any, path: str) -> RequestFacts:
    """The id of the response, from the path. There is no body."""
    found = _ID.search(path)
    response_id = text(unquote(found[1])) if found else None
    return RequestFacts(operation=OPERATION, attributes={semconv.RESPONSE_ID: response_id} if response_id else {})


def response(body: Any) -> ResponseFacts:
    """Facts of a response, as for the call that made it, with its status in place of usage."""
    facts = openai_responses.response(body)
    status = text(mapping(body).get("status"))
    fetched: dict[str, Scalar] = {semconv.RESPONSE_STATUS: status} if status else {}
    return replace(facts, usage=Usage(), attributes=facts.attributes | fetched)
