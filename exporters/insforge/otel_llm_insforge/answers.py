"""What an answer of InsForge means for a batch.

InsForge's statuses do not tell: a body that is too large, a deadlock that passes and a duplicate key are all a 500, a row that is bad
for ever and a missing key are both a 400. The body's ``code`` tells (an SQLSTATE or PGRSTnnn), for InsForge's own errors its
``message``. No text of a body enters a reason: PostgreSQL's details quote the failing row.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from otel_llm.delivery import Delivered, Outcome, Pause, Retry, Split
from otel_llm.delivery.bounded_http import retry_after


class Fault(Enum):
    """Why a batch was not taken."""

    #: Passes by itself. The batch may have been stored nevertheless, so the very same one must be sent again.
    TRANSIENT = "InsForge or its database is not available"
    THROTTLED = "InsForge asks for fewer requests"
    SIZE = "the batch is too large for InsForge or a proxy before it"
    ROW = "a row was refused"
    SCHEMA = "the tables are missing or differ: run the migrations of otel-llm-insforge"
    CREDENTIAL = "InsForge refused the key: check INSFORGE_API_KEY"
    GRANT = "a row-level security policy or a grant is missing for this key: use the ik_ key or mend the policy"
    ADDRESS = "this is not the answer of an InsForge: check INSFORGE_BASE_URL"
    #: Could be either side's.
    UNKNOWN = "InsForge failed for an unknown reason"


_TRANSIENT_CODES: Final = ("08", "40001", "40P01", "53", "57P0", "57014", "PGRST000", "PGRST001", "PGRST002", "PGRST003")
_ROW_CODES: Final = ("22", "23", "21000", "PGRST102", "INVALID_INPUT")
_SCHEMA_CODES: Final = ("42", "3F000", "PGRST204", "PGRST205")
_TRANSIENT_MESSAGE: Final = re.compile(r"timeout of |connect E|read E|socket hang up")
_TOO_LARGE: Final = "request entity too large"
_CODE: Final = re.compile(r"[A-Z0-9_]{1,40}")


def classify(status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
    """What to do after one answer. An unknown fault is worth another try; who sees it repeated may decide otherwise."""
    fault = fault_of(status, body)
    if fault is None:
        return Delivered()
    return outcome_of(fault, reason_of(fault, status, body), retry_after(headers.get("retry-after")))


def outcome_of(fault: Fault, reason: str, after_s: float | None = None) -> Outcome:
    """The outcome of a fault."""
    if fault in (Fault.TRANSIENT, Fault.THROTTLED, Fault.UNKNOWN):
        return Retry(reason, after_s)
    return Split(reason) if fault in (Fault.SIZE, Fault.ROW) else Pause(reason)


def fault_of(status: int, body: bytes) -> Fault | None:
    """Why a batch was not taken; None if it was."""
    if 200 <= status < 300:
        return None if body.strip()[:1] in (b"", b"[") else Fault.ADDRESS
    answer = _decoded(body)
    code, message = _code(answer), answer.get("message") if answer else None
    text = message if isinstance(message, str) else ""
    if status in (401, 403):
        return Fault.GRANT if code == "42501" else Fault.CREDENTIAL
    if status == 429:
        return Fault.THROTTLED
    if status == 413 or text.startswith(_TOO_LARGE):
        return Fault.SIZE
    return fault_of_code(code) or _fault_of_status(status, answer, text)


def fault_of_code(code: str) -> Fault | None:
    """The fault of an SQLSTATE, a PGRSTnnn or one of InsForge's own words; None for one that says nothing to us."""
    if code.startswith(_TRANSIENT_CODES):
        return Fault.TRANSIENT
    if code.startswith(_ROW_CODES):
        return Fault.ROW
    return Fault.SCHEMA if code.startswith(_SCHEMA_CODES) else None


def _fault_of_status(status: int, answer: dict[str, Any] | None, message: str) -> Fault:
    if status == 408 or status > 500 or (status == 500 and _TRANSIENT_MESSAGE.match(message)):
        return Fault.TRANSIENT
    if status in (400, 500):
        return Fault.UNKNOWN
    if status == 404 and answer == {}:  # right after DDL, until PostgREST has read the schema again
        return Fault.SCHEMA
    return Fault.ROW if status in (409, 422) else Fault.ADDRESS


def _decoded(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _code(answer: dict[str, Any] | None) -> str:
    """PostgREST's ``code``, or InsForge's ``error``; "" if there is none."""
    for key in ("code", "error"):
        code = answer.get(key) if answer else None
        if isinstance(code, str) and _CODE.fullmatch(code):
            return code
    return ""


def reason_of(fault: Fault, status: int, body: bytes) -> str:
    """One line without any text of the body."""
    code = _code(_decoded(body))
    return f"{fault.value} (status {status}{', ' + code if code else ''})"
