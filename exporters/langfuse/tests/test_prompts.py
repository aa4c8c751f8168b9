"""Prompts of Langfuse's prompt client, linked to the generations that they were used for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from application import application
from langfuse import Langfuse
from opentelemetry.sdk.trace import TracerProvider

import otel_llm
from otel_llm.delivery.exporter import DestinationExporter
from otel_llm.testing.langfuse import FakeLangfuse
from otel_llm.testing.provider import FakeProvider


@pytest.fixture
def app(langfuse: FakeLangfuse) -> Iterator[DestinationExporter]:
    with application(langfuse) as exporter:
        yield exporter


@pytest.fixture
def sdk(langfuse: FakeLangfuse) -> Iterator[Langfuse]:
    """The installed SDK, with a provider of its own, so that it sends no spans."""
    with httpx.Client() as http:  # the SDK leaves its own one open
        client = Langfuse(
            public_key=langfuse.public_key,
            secret_key=langfuse.secret_key,
            base_url=langfuse.base_url,
            tracer_provider=TracerProvider(),
            httpx_client=http,
        )
        yield client
        client.shutdown()
        type(client._resources).reset()  # it keeps one instance for each public key


def call_a_model() -> None:
    with FakeProvider() as provider, httpx.Client() as http:
        otel_llm.instrument_client(http)
        body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
        http.post(
            f"{provider.base_url}/v1/chat/completions", json=body, headers={"Authorization": "Bearer sk-fake"}
        ).raise_for_status()


def linked(langfuse: FakeLangfuse) -> list[tuple[str, Any, Any]]:
    return [(row["type"], row.get("prompt_name"), row.get("prompt_version")) for row in langfuse.observations]


def test_a_prompt_is_linked_to_the_calls_made_with_it(app: DestinationExporter, sdk: Langfuse, langfuse: FakeLangfuse) -> None:
    langfuse.add_prompt("playbook", "Be brief.", labels=[])
    langfuse.add_prompt("playbook", "Be kind.")
    prompt = sdk.get_prompt("playbook")
    with otel_llm.agent("strategist"), otel_llm.identify(prompt=prompt):
        call_a_model()
    app.force_flush()
    assert linked(langfuse) == [("GENERATION", "playbook", 2), ("AGENT", None, None)]


def test_a_prompt_can_be_named(app: DestinationExporter, langfuse: FakeLangfuse) -> None:
    with otel_llm.identify(prompt=("playbook", 3)):
        call_a_model()
    app.force_flush()
    assert linked(langfuse) == [("GENERATION", "playbook", 3)]


def test_a_fallback_is_never_linked(app: DestinationExporter, sdk: Langfuse, langfuse: FakeLangfuse) -> None:
    prompt = sdk.get_prompt("playbook", fallback="Be brief.", max_retries=0)
    with otel_llm.identify(prompt=prompt):
        call_a_model()
    app.force_flush()
    assert linked(langfuse) == [("GENERATION", None, None)]
