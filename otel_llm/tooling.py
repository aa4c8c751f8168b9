"""Tools: functions that a model, or an agent, has called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from opentelemetry.util.types import AttributeValue

from otel_llm import semconv as sc
from otel_llm.scopes import SpanScope
from otel_llm.work import Work

F = TypeVar("F", bound=Callable[..., Any])


@overload
def tool(name: F) -> F: ...


@overload
def tool(name: str | None = None, *, description: str | None = None, call_id: str | None = None) -> SpanScope: ...


def tool(name: Any = None, *, description: str | None = None, call_id: str | None = None) -> Any:
    """A tool: opens ``execute_tool <name>``, as context manager or decorator, around sync or async code and generators.

    As a decorator also without parentheses; the name is then that of the function. ``call_id`` is the id that the model gave to its
    call. Where content capture is on, a decorated tool's arguments and result are recorded; in a block, ``record_input`` and
    ``record_output`` do it.
    """
    if callable(name):
        return tool()(name)
    attributes: dict[str, AttributeValue] = {sc.TOOL_TYPE: "function"}
    if description is not None:
        attributes[sc.TOOL_DESCRIPTION] = description
    if call_id is not None:
        attributes[sc.TOOL_CALL_ID] = call_id
    return SpanScope(
        Work(
            sc.EXECUTE_TOOL,
            name,
            sc.TOOL_NAME,
            attributes,
            input_attribute=sc.TOOL_CALL_ARGUMENTS,
            output_attribute=sc.TOOL_CALL_RESULT,
        )
    )
