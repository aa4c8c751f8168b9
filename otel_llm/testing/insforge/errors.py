"""The two shapes in which InsForge refuses: its own, and PostgREST's passed through."""

from __future__ import annotations

from typing import Any, Final

_STATUS_OF_CODE: Final = {
    "21000": 500,
    "23505": 409,
    "40P01": 500,
    "42501": 401,
    "42P01": 404,
    "PGRST003": 504,
    "PGRST103": 416,
    "PGRST116": 406,
    "PGRST117": 405,
}


class Refused(Exception):  # noqa: N818  (what a request meets, not a fault of the double)
    """A request is answered by an error."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


def postgrest(code: str, message: str, details: str | None = None, hint: str | None = None) -> Refused:
    """An error of PostgREST (``PGRSTnnn``) or of PostgreSQL (an SQLSTATE), with the status that InsForge answers it with."""
    body = {"code": code, "details": details, "hint": hint, "message": message}
    return Refused(_STATUS_OF_CODE.get(code, 400), body)


def insforge(status: int, error: str, message: str) -> Refused:
    """An error of InsForge itself."""
    return Refused(status, {"error": error, "message": message, "statusCode": status, "nextActions": "See the documentation."})
