"""FakeLangfuse: prompts, asked by the installed Langfuse SDK."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from langfuse import Langfuse
from langfuse.api.core import ApiError
from opentelemetry.sdk.trace import TracerProvider

from otel_llm.testing.langfuse import FakeLangfuse


@pytest.fixture
def langfuse() -> Iterator[FakeLangfuse]:
    with FakeLangfuse() as server:
        yield server
    assert server.failures == []


@pytest.fixture
def sdk(langfuse: FakeLangfuse) -> Iterator[Langfuse]:
    client = Langfuse(
        public_key=langfuse.public_key,
        secret_key=langfuse.secret_key,
        base_url=langfuse.base_url,
        tracer_provider=TracerProvider(),
    )
    yield client
    client.shutdown()
    type(client._resources).reset()  # it keeps one instance for each public key


def test_a_text_prompt_by_its_production_label(sdk: Langfuse, langfuse: FakeLangfuse) -> None:
    langfuse.add_prompt("greeting", "Hello {{name}}", config={"model": "gpt-4o"})
    prompt = sdk.get_prompt("greeting")
    assert (prompt.name, prompt.version, prompt.labels, prompt.config) == (
        "greeting",
        1,
        ["production", "latest"],
        {"model": "gpt-4o"},
    )
    assert (prompt.compile(name="Ann"), prompt.is_fallback) == ("Hello Ann", False)


def test_a_chat_prompt_in_a_folder(sdk: Langfuse, langfuse: FakeLangfuse) -> None:
    langfuse.add_prompt("support/answer", [{"role": "system", "content": "Be {{tone}}."}])
    prompt = sdk.get_prompt("support/answer", type="chat")
    assert prompt.compile(tone="kind") == [{"role": "system", "content": "Be kind."}]


def test_versions_and_labels(sdk: Langfuse, langfuse: FakeLangfuse) -> None:
    langfuse.add_prompt("greeting", "one")
    langfuse.add_prompt("greeting", "two", labels=["staging"])
    asked = sdk.get_prompt("greeting"), sdk.get_prompt("greeting", label="latest"), sdk.get_prompt("greeting", version=2)
    assert [prompt.prompt for prompt in asked] == ["one", "two", "two"]


def test_a_label_belongs_to_one_version(sdk: Langfuse, langfuse: FakeLangfuse) -> None:
    langfuse.add_prompt("greeting", "one")
    langfuse.add_prompt("greeting", "two")
    assert sdk.get_prompt("greeting", version=1).labels == []


def test_an_unknown_prompt_is_not_found(sdk: Langfuse) -> None:
    with pytest.raises(ApiError) as raised:
        sdk.get_prompt("greeting", max_retries=0)
    assert raised.value.status_code == 404
    assert raised.value.body["message"] == "Prompt not found: 'greeting' with label 'production'"


def test_the_sdk_falls_back(sdk: Langfuse) -> None:
    prompt = sdk.get_prompt("greeting", fallback="Hi", max_retries=0)
    assert (prompt.prompt, prompt.version, prompt.is_fallback) == ("Hi", 0, True)


def test_version_and_label_exclude_one_another(langfuse: FakeLangfuse) -> None:
    langfuse.add_prompt("greeting", "one")
    url = f"{langfuse.base_url}/api/public/v2/prompts/greeting?version=1&label=production"
    assert httpx.get(url, auth=(langfuse.public_key, langfuse.secret_key)).status_code == 400


def test_the_sdk_creates_lists_labels_and_deletes(sdk: Langfuse) -> None:
    sdk.create_prompt(name="greeting", prompt="one", labels=["production"], tags=["short"])
    sdk.create_prompt(name="greeting", prompt="two", labels=[])
    sdk.update_prompt(name="greeting", version=2, new_labels=["production"])
    assert sdk.get_prompt("greeting").prompt == "two"
    (listed,) = sdk.api.prompts.list().data
    assert (listed.name, listed.versions, sorted(listed.labels)) == ("greeting", [1, 2], ["latest", "production"])
    sdk.api.prompts.delete("greeting")
    assert sdk.api.prompts.list(name="greeting").data == []
