"""Addresses of traces in Langfuse's user interface."""

from __future__ import annotations

from functools import lru_cache

import httpx
from opentelemetry.instrumentation.utils import suppress_instrumentation

from otel_llm.errors import ConfigurationError, DeliveryError
from otel_llm_langfuse.current import current_trace_id, here, hex_id
from otel_llm_langfuse.deliveries import langfuse_deliveries, settings_of
from otel_llm_langfuse.settings import LangfuseSettings


def trace_url(trace_id: str | int | None = None, settings: LangfuseSettings | None = None) -> str:
    """``{base}/project/{project}/traces/{trace_id}``, of the current trace if none is named. Asks Langfuse once for the project.

    ``settings`` default to those of this process's only Langfuse delivery, else to the environment. Raises ValueError outside of all
    traces, ConfigurationError without keys, and DeliveryError if Langfuse cannot be asked.
    """
    named = hex_id(trace_id, 32) or current_trace_id(here())
    used = settings or _settings_in_use() or LangfuseSettings.load()
    if used.public_key is None or used.secret_key is None:
        raise ConfigurationError(["LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY are not set"])
    project = _project_id(used.base_url, used.public_key, used.secret_key.get_secret_value(), used.timeout_s)
    return f"{used.base_url}/project/{project}/traces/{named}"


def _settings_in_use() -> LangfuseSettings | None:
    """Those of the only project that this process delivers to."""
    found = {(its.base_url, its.public_key): its for its in map(settings_of, langfuse_deliveries())}
    return next(iter(found.values())) if len(found) == 1 else None


@lru_cache(maxsize=8)
def _project_id(base_url: str, public_key: str, secret_key: str, timeout_s: float) -> str:
    """The project of a key pair, by the ``langfuse`` package's API client.

    Its tracing client would also know, but keeps one instance per key, which the application's own would then be.
    """
    from langfuse.api import LangfuseAPI  # a second to import, and seldom needed
    from langfuse.api.core import ApiError

    try:
        with suppress_instrumentation(), httpx.Client(timeout=timeout_s) as http:
            api = LangfuseAPI(base_url=base_url, username=public_key, password=secret_key, httpx_client=http)
            project: str = api.projects.get(request_options={"max_retries": 0}).data[0].id
            return project
    except ApiError as error:
        raise DeliveryError(f"Langfuse answered {error.status_code} when asked for the project of the keys") from None
    except (httpx.HTTPError, IndexError, ValueError) as error:
        raise DeliveryError(f"Langfuse did not tell the project of the keys: {type(error).__name__}") from None
