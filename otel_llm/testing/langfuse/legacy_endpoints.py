"""Endpoints that a deployment in ``events_only`` mode, the default since 4.0, answers with 404, before it looks at the keys."""

from __future__ import annotations

import re
from typing import Final

from otel_llm.testing.server import Request, Response

_GONE: Final = re.compile(
    r"""/api/public/(
        (GET|POST)\ traces
      | GET\ traces/[^/]+
      | GET\ observations(/[^/]+)?
      | GET\ sessions(/[^/]+)?
      | GET\ (v2/)?scores(/[^/]+)?
      | GET\ metrics(/daily)?
      | POST\ (events|spans|generations)
      | (GET|POST)\ dataset-run-items
      | (GET|POST|DELETE)\ datasets/[^/]+/runs(/[^/]+)?
    )""",
    re.VERBOSE,
)
_PREFIX: Final = "/api/public/"


def gone(request: Request) -> Response | None:
    """The 404 for a legacy endpoint; None for any other."""
    path = request.path
    if not path.startswith(_PREFIX) or not _GONE.fullmatch(f"{_PREFIX}{request.method} {path.removeprefix(_PREFIX)}"):
        return None
    message = "This endpoint is not available on deployments running in Langfuse v4 events_only mode."
    return Response.json({"message": message, "error": "NotFound"}, 404)
