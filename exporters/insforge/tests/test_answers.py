"""What InsForge answers and what to do then, row by row."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otel_llm.delivery import Delivered, Pause, Retry, Split
from otel_llm_insforge.answers import classify

OWN = "https://docs.example"


def postgrest(code: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "details": "Failing row contains (secret prompt).", "hint": None, "message": "secret prompt", **more}


def own(error: str, message: str) -> dict[str, Any]:
    return {"error": error, "message": message, "statusCode": 500, "nextActions": OWN}


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (201, [], Delivered),
        (200, [{"id": 1}], Delivered),
        (204, None, Delivered),
        (200, "<html>", Pause),
        (502, "<html>", Retry),
        (503, None, Retry),
        (504, postgrest("PGRST003"), Retry),
        (503, postgrest("PGRST001"), Retry),
        (520, "<html>", Retry),
        (408, None, Retry),
        (500, own("INTERNAL_ERROR", "timeout of 10000ms exceeded"), Retry),
        (500, own("INTERNAL_ERROR", "connect ECONNREFUSED 127.0.0.1:3000"), Retry),
        (500, postgrest("40P01"), Retry),
        (500, postgrest("40001"), Retry),
        (500, postgrest("57P01"), Retry),
        (500, postgrest("53300"), Retry),
        (500, own("INTERNAL_ERROR", "request entity too large"), Split),
        (413, "<html>", Split),
        (500, postgrest("21000"), Split),
        (400, postgrest("22P02"), Split),
        (400, postgrest("22001"), Split),
        (400, postgrest("23502"), Split),
        (400, postgrest("PGRST102"), Split),
        (400, own("INVALID_INPUT", "Unexpected token N"), Split),
        (409, postgrest("23505"), Split),
        (400, postgrest("PGRST204"), Pause),
        (404, {}, Pause),
        (404, postgrest("42P01"), Pause),
        (400, postgrest("42703"), Pause),
        (404, "<html>", Pause),
        (301, None, Pause),
        (401, own("AUTH_INVALID_API_KEY", "Invalid API key"), Pause),
        (403, own("AUTH_FORBIDDEN", "no"), Pause),
        (401, postgrest("42501"), Pause),
        (429, own("TOO_MANY_REQUESTS", "slow down"), Retry),
        (500, own("INTERNAL_ERROR", "something else"), Retry),
        (400, "<html>", Retry),
    ],
)
def test_an_answer_says_what_to_do(status: int, body: Any, outcome: type) -> None:
    found = classify(status, {}, _bytes(body))
    assert type(found) is outcome
    assert "secret" not in str(found)


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (
            401,
            own("AUTH_INVALID_API_KEY", "x"),
            "InsForge refused the key: check INSFORGE_API_KEY (status 401, AUTH_INVALID_API_KEY)",
        ),
        (
            401,
            postgrest("42501"),
            "a row-level security policy or a grant is missing for this key: use the ik_ key or mend the policy (status 401, 42501)",
        ),
        (
            404,
            postgrest("42P01"),
            "the tables are missing or differ: run the migrations of otel-llm-insforge (status 404, 42P01)",
        ),
        (301, None, "this is not the answer of an InsForge: check INSFORGE_BASE_URL (status 301)"),
    ],
)
def test_a_pause_says_what_to_mend(status: int, body: Any, reason: str) -> None:
    assert classify(status, {}, _bytes(body)) == Pause(reason)


@pytest.mark.parametrize(
    ("value", "after_s"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-1", None),
        ("3600000", 3600.0),
        ("999999", 3600.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        (None, None),
    ],
)
def test_retry_after_is_honoured_within_reason(value: str | None, after_s: float | None) -> None:
    headers = {} if value is None else {"retry-after": value}
    assert classify(429, headers, b"").after_s == after_s  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"[" * 100_000, b'{"code": {"a": 1}}', b'{"code": "' + b"x" * 99 + b'"}', b"null"]
)
def test_any_body_has_an_outcome_without_its_text(body: bytes) -> None:
    assert classify(500, {}, body) == Retry("InsForge failed for an unknown reason (status 500)")
