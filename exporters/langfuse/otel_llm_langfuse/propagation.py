"""What Langfuse's SDK knows of whom work is done for: its ``propagate_attributes()``, read from the OpenTelemetry context.

The SDK writes it on the current span, and on the spans below by its own span processor, which may be in another tracer provider, or
in none. Its keys in the context are read here; nothing of the SDK is imported, and what is not as expected is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.context import Context

from otel_llm.identity import sources
from otel_llm_langfuse import coexistence, names
from otel_llm_langfuse.readers import unquoted

#: In SDK 4 and 5.
_KEY: Final = "langfuse.propagated."
#: What the spans of an experiment's run have to say, as the SDK's own do.
_EXPERIMENT: Final = {
    "experiment_id": "langfuse.experiment.id",
    "experiment_name": "langfuse.experiment.name",
    "experiment_metadata": "langfuse.experiment.metadata",
    "experiment_dataset_id": "langfuse.experiment.dataset.id",
    "experiment_item_id": "langfuse.experiment.item.id",
    "experiment_item_metadata": "langfuse.experiment.item.metadata",
    "experiment_item_root_observation_id": "langfuse.experiment.item.root_observation_id",
}
_ATTRIBUTES: Final = {
    "version": names.VERSION,
    "trace_name": names.TRACE_NAME,
    "environment": names.ENVIRONMENT,
    **_EXPERIMENT,
}


def listen() -> None:
    """Have spans say what the SDK propagates. Once a process."""
    if _on_start not in sources:
        sources.append(_on_start)


def propagated(context: Context) -> Mapping[str, Any]:
    """What ``propagate_attributes()`` has put into ``context``, in the form of :data:`otel_llm.identity.sources`."""
    told = {key.removeprefix(_KEY): value for key, value in context.items() if key.startswith(_KEY)}
    if not told:
        return {}
    said: dict[str, Any] = {name: told[name] for name in ("user_id", "session_id") if _is_text(told.get(name))}
    said["tags"] = [tag for tag in _list(told.get("tags")) if isinstance(tag, str)]
    metadata = told.get("metadata")
    said["metadata"] = {key: unquoted(value) for key, value in metadata.items()} if isinstance(metadata, Mapping) else {}
    said["prompt"] = (told.get("prompt_name"), told.get("prompt_version"))
    said["attributes"] = {attribute: told[key] for key, attribute in _ATTRIBUTES.items() if _is_text(told.get(key))}
    return said


def _on_start(context: Context) -> Mapping[str, Any]:
    coexistence.look()
    return propagated(context)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _list(value: Any) -> list[Any] | tuple[Any, ...]:
    return value if isinstance(value, list | tuple) else []
