"""The current OpenTelemetry context of a block, so that leaving it never logs, wherever the block is left."""

from __future__ import annotations

import contextvars
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context


class Attachment:
    """Makes ``context`` current until :meth:`leave`.

    A block that a generator holds open may be left elsewhere than it was entered: by another task or thread, or by the garbage
    collector. OpenTelemetry's own ``detach`` fails there and logs an error each time.
    """

    __slots__ = ("_token", "context")

    def __init__(self, context: Context) -> None:
        self.context = context
        self._token: Any = otel_context.attach(context)

    def leave(self) -> Context | None:
        """Restore what was current before; returns what was current until now, or None if this is not where the block was entered."""
        until_now, token = otel_context.get_current(), self._token
        if not isinstance(token, contextvars.Token):  # the application has chosen another carrier than contextvars
            otel_context.detach(token)
            return until_now
        try:
            token.var.reset(token)
        except (ValueError, RuntimeError):
            if until_now is self.context and isinstance(token.old_value, Context):
                otel_context.attach(token.old_value)
            return None
        return until_now

    def __enter__(self) -> Context:
        return self.context

    def __exit__(self, *_: object) -> None:
        self.leave()
