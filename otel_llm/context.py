"""Who a span belongs to: agents, pipelines, identities. Explicit, and safe under ``gather``, threads and generators.

Everything lives in the OpenTelemetry context, so it follows ``await``, ``create_task`` and ``asyncio.to_thread``. For background
tasks there is :func:`otel_llm.spawn`, for queues and other processes :func:`otel_llm.capture`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from opentelemetry.util.types import AttributeValue

from otel_llm import semconv as sc
from otel_llm.attachment import Attachment
from otel_llm.identity import current_identity, extended, with_identity
from otel_llm.scopes import SpanScope
from otel_llm.work import Work


@contextmanager
def identify(
    *,
    user_id: object = None,
    session_id: object = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
    project: str | None = None,
    prompt: object = None,
) -> Iterator[None]:
    """Say for whom the work in this block is done; every span started in it carries it.

    Ids, project and prompt replace those of an outer block, tags are added, metadata is merged key by key. Values become strings.
    Nothing is put into baggage, so nothing of it is sent to other services.

    ``project`` is the key of the Langfuse project that the spans are meant for. ``prompt`` is the managed prompt that the calls are
    made with: an object with ``name`` and ``version``, as Langfuse's SDK returns it, or a pair of both. A fallback prompt, or a version
    that is no whole number, links calls to nothing.
    """
    identity = extended(
        current_identity(),
        user_id=user_id,
        session_id=session_id,
        tags=tags,
        metadata=metadata,
        project=project,
        prompt=prompt,
    )
    with Attachment(with_identity(identity)):
        yield


def agent(
    name: str,
    *,
    user_id: object = None,
    session_id: object = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
    project: str | None = None,
    description: str | None = None,
) -> SpanScope:
    """A named unit of work: opens ``invoke_agent <name>``, as context manager or decorator, around sync or async code and generators.

    LLM calls inside belong to this agent; its name is also the key by which an admin chooses its model. The outermost agent or
    workflow of a trace is its pipeline. Where content capture is on, a decorated function's arguments and result are recorded as
    input and output; in a block, ``record_input`` and ``record_output`` of what this returns do it.
    """
    attributes: dict[str, AttributeValue] = {} if description is None else {sc.AGENT_DESCRIPTION: description}
    identity = _said(user_id, session_id, tags, metadata, project) | {"agent": name}
    return SpanScope(Work(sc.INVOKE_AGENT, name, sc.AGENT_NAME, attributes, identity))


def workflow(
    name: str,
    *,
    user_id: object = None,
    session_id: object = None,
    tags: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
    project: str | None = None,
) -> SpanScope:
    """A pipeline of agents: opens ``invoke_workflow <name>``. It serves as :func:`agent` does."""
    identity = _said(user_id, session_id, tags, metadata, project)
    return SpanScope(Work(sc.INVOKE_WORKFLOW, name, sc.WORKFLOW_NAME, identity=identity))


def _said(user_id: object, session_id: object, tags: Iterable[str], metadata: object, project: str | None) -> dict[str, Any]:
    return {"user_id": user_id, "session_id": session_id, "tags": tags, "metadata": metadata, "project": project}
