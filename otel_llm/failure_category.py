"""Why a call failed, in one word that is the same for all providers and HTTP libraries.

``error.type`` holds the provider's own code or the exception; this stands beside it, for alerts and dashboards.
"""

from __future__ import annotations

import re
from typing import Final

_BY_STATUS: Final = {
    401: "auth",
    402: "quota",
    403: "permission",
    404: "not_found",
    408: "timeout",
    413: "context_length",
    429: "rate_limit",
    451: "content_filter",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
#: What an error's type, code or message says, more closely than the status does. The first match wins.
_BY_WORDS: Final = tuple(
    (category, re.compile(words, re.IGNORECASE))
    for category, words in (
        ("quota", r"insufficient_quota|quota|billing|credit|payment|exceeded your current"),
        (
            "context_length",
            r"context.?(length|window)|too many tokens|prompt is too long|maximum context|token limit|string_above_max",
        ),
        ("content_filter", r"content.?(filter|policy|management)|safety|blocked|moderation|flagged|responsible ai"),
        ("rate_limit", r"rate.?limit|too many requests|resource.?exhausted|throttl|slow down"),
        ("overloaded", r"overloaded|no capacity|over capacity|server.?busy|unavailable|engine_overloaded"),
        ("auth", r"authentication|invalid.{0,12}api.?key|incorrect api key|unauthenticated|unauthorized|no auth credentials"),
        ("permission", r"permission|forbidden|not allowed|access.?denied"),
        ("not_found", r"not.?found|does not exist|unknown model|no such model|not a valid model|invalid model"),
        ("timeout", r"time.?d?.?out|deadline"),
    )
)
#: Names of exceptions, in the words of httpx, httpx2 and aiohttp.
_BY_EXCEPTION: Final = (
    ("cancelled", re.compile(r"Cancel")),
    ("timeout", re.compile(r"Timeout")),
    (
        "network",
        re.compile(
            r"Connect|Network|Read|Write|Protocol|Socket|Pool|Close|Disconnect|ClientOSError|Payload|DNS|SSL|Proxy|gaierror"
        ),
    ),
)


def of_answer(status: int, kind: str, message: str | None) -> str:
    """The category of an error that the provider answered, in its status or inside a body of status 200."""
    if kind.isdecimal() and status < 400:
        status = int(kind)
    if status in (401, 402):
        return _BY_STATUS[status]
    if status < 500 or status == 529:
        said = f"{kind} {message or ''}"
        for category, words in _BY_WORDS:
            if words.search(said):
                return category
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return "invalid_request" if 400 <= status < 500 else "server"


def of_exception(name: str) -> str:
    """The category of an exception, by the name of its class."""
    return next((category for category, names in _BY_EXCEPTION if names.search(name)), "network")
