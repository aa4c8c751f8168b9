"""Which model a call uses: the code's, or what an admin has chosen for the agent that makes it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from otel_llm import agent, workflow
from otel_llm.errors import ConfigurationError
from otel_llm.models.choice import ModelChoice, chosen_model, fallback_of, key_variable, parse_model
from otel_llm.models.process import use_models
from otel_llm.models.resolver import ModelResolver, current_resolver, use_resolver
from otel_llm.models.stamping import stamped
from otel_llm.models.store import Change, Override
from otel_llm.testing.sink import SpanSink
from otel_llm.tracing import tracer

DEFAULT = "openai:gpt-5"
KEY = {"OPENROUTER_API_KEY": "sk-or-geheim"}
_DAY = datetime(2026, 1, 2, tzinfo=UTC)


class Given:
    """A store with what it is given."""

    address = "memory"

    def __init__(self, **models: str) -> None:
        self.models = models
        self.closed = 0

    def active(self) -> Mapping[str, Override]:
        return {name: Override(name, model, True, "eve", _DAY, _DAY) for name, model in self.models.items()}

    def set(self, agent_name: str, model_id: str, *, by: str | None) -> Override:
        self.models[agent_name] = model_id
        return self.active()[agent_name]

    def unset(self, agent_name: str, *, by: str | None) -> bool:
        return self.models.pop(agent_name, None) is not None

    def history(self, agent_name: str | None = None, limit: int = 100) -> list[Change]:
        return []

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def resolver() -> Iterator[ModelResolver]:
    found = ModelResolver(Given(strategist="anthropic/claude-sonnet-4.5", memory="x/small:free"), environ=KEY)
    yield found
    found.close()


def override(name: str, model: str) -> ModelChoice:
    return ModelChoice("openrouter", model, "OPENROUTER_API_KEY", "override", DEFAULT, agent=name, set_by="eve")


# --- names of models --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "provider", "model"),
    [
        ("openai:gpt-5", "openai", "gpt-5"),
        ("OpenAI:gpt-5", "openai", "gpt-5"),
        ("openrouter:anthropic/claude-sonnet-4.5", "openrouter", "anthropic/claude-sonnet-4.5"),
        ("anthropic/claude-3.7-sonnet:thinking", "openrouter", "anthropic/claude-3.7-sonnet:thinking"),
        ("openrouter:x/y:free", "openrouter", "x/y:free"),
        ("ollama:llama3.2:3b", "ollama", "llama3.2:3b"),
        ("ollama:hf.co/a/b:Q4", "ollama", "hf.co/a/b:Q4"),
        (" openai:gpt-5 ", "openai", "gpt-5"),
    ],
)
def test_a_model_is_written_with_its_provider(text: str, provider: str, model: str) -> None:
    assert parse_model(text) == (provider, model)


@pytest.mark.parametrize("text", ["", "gpt-5", "openai:", ":gpt-5", "openai:gpt 5", "open ai:gpt-5", "openai:" + "x" * 201])
def test_what_is_no_model_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="model"):
        parse_model(text)


@pytest.mark.parametrize(
    ("provider", "variable"),
    [
        ("openai", "OPENAI_API_KEY"),
        ("claude", "ANTHROPIC_API_KEY"),
        ("x_ai", "XAI_API_KEY"),
        ("my-corp.ai", "MY_CORP_AI_API_KEY"),
    ],
)
def test_the_key_is_named_by_custom(provider: str, variable: str) -> None:
    assert key_variable(provider) == variable


def test_after_a_failure_the_codes_model_is_used() -> None:
    assert fallback_of(override("strategist", "x/y")) == ModelChoice(
        "openai", "gpt-5", "OPENAI_API_KEY", "fallback", DEFAULT, agent="strategist", set_by="eve"
    )


# --- whose ------------------------------------------------------------------------------------------------------------
def test_without_an_override_the_code_has_its_way(resolver: ModelResolver) -> None:
    assert resolver.resolve(DEFAULT, agent="trainer") == ModelChoice(
        "openai", "gpt-5", "OPENAI_API_KEY", "default", DEFAULT, agent="trainer"
    )


def test_outside_agents_the_code_has_its_way(resolver: ModelResolver) -> None:
    assert resolver.resolve(DEFAULT) == chosen_model(DEFAULT, "default")


def test_the_agent_of_the_context_has_its_override(resolver: ModelResolver, sink: SpanSink) -> None:
    with agent("strategist"):
        assert resolver.resolve(DEFAULT) == override("strategist", "anthropic/claude-sonnet-4.5")


def test_the_innermost_agent_counts(resolver: ModelResolver, sink: SpanSink) -> None:
    with agent("strategist"):
        with agent("memory"), workflow("steps"):
            assert resolver.resolve(DEFAULT) == override("memory", "x/small:free")
        with agent("trainer"):
            assert resolver.resolve(DEFAULT).source == "default"
        assert resolver.resolve(DEFAULT) == override("strategist", "anthropic/claude-sonnet-4.5")


def test_an_agent_that_is_named_wins(resolver: ModelResolver, sink: SpanSink) -> None:
    with agent("strategist"):
        assert resolver.resolve(DEFAULT, agent="memory") == override("memory", "x/small:free")


def test_an_agent_of_another_instrumentation_counts(resolver: ModelResolver, sink: SpanSink) -> None:
    with agent("strategist"), tracer().start_as_current_span("agent", attributes={"gen_ai.agent.name": "memory"}):
        assert resolver.resolve(DEFAULT) == override("memory", "x/small:free")


async def test_agents_side_by_side_have_each_its_own(resolver: ModelResolver, sink: SpanSink) -> None:
    async def ask(name: str) -> str:
        with agent(name):
            await asyncio.sleep(0)
            found = resolver.resolve(DEFAULT).model
            await asyncio.sleep(0)
            assert resolver.resolve(DEFAULT).model == found
            return found

    names = ["strategist", "memory", "trainer"] * 300
    expected = {"strategist": "anthropic/claude-sonnet-4.5", "memory": "x/small:free", "trainer": "gpt-5"}

    assert await asyncio.gather(*map(ask, names)) == [expected[name] for name in names]


def test_a_wrong_default_is_told(resolver: ModelResolver) -> None:
    with pytest.raises(ConfigurationError, match="say whose it is"):
        resolver.resolve("gpt-5", agent="strategist")


# --- what cannot be used ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("environ", [{}, {"OPENROUTER_API_KEY": " "}])
def test_without_the_shared_key_overrides_are_ignored_with_one_warning(
    environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    resolver = ModelResolver(Given(strategist="a/b", memory="c/d"), environ=environ)

    for name in ("strategist", "memory", "strategist"):
        assert resolver.resolve(DEFAULT, agent=name).source == "default"
    assert [record.getMessage() for record in caplog.records] == [
        "Overrides of models are ignored: they go through OpenRouter, and OPENROUTER_API_KEY is not set"
    ]
    resolver.close()


def test_an_override_that_is_no_model_of_openrouter_is_ignored_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    resolver = ModelResolver(Given(strategist="openai:gpt-5", memory="c/d"), environ=KEY)

    assert [resolver.resolve(DEFAULT, agent=name).source for name in ("strategist", "strategist", "memory")] == [
        "default",
        "default",
        "override",
    ]
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "An override is ignored, of agent 'strategist': model 'openai:gpt-5': an override goes"
    )
    resolver.close()


def test_an_override_may_name_openrouter_itself() -> None:
    resolver = ModelResolver(Given(strategist="openrouter:a/b"), environ=KEY)

    assert resolver.resolve(DEFAULT, agent="strategist") == override("strategist", "a/b")
    resolver.close()


def test_no_key_is_in_a_choice(resolver: ModelResolver) -> None:
    assert "geheim" not in repr(resolver.resolve(DEFAULT, agent="strategist"))


# --- on the span ------------------------------------------------------------------------------------------------------
def test_the_span_says_what_was_chosen_and_why(sink: SpanSink) -> None:
    with stamped(override("strategist", "x/y")), agent("strategist"):
        pass
    with stamped(fallback_of(override("strategist", "x/y")), fallback_from="openrouter:x/y"), agent("strategist"):
        pass
    with stamped(chosen_model(DEFAULT, "default")), agent("strategist"):
        pass
    with agent("strategist"):
        pass

    said = [{k: v for k, v in (span.attributes or {}).items() if k.startswith("otel_llm.model.")} for span in sink.spans]
    assert said == [
        {"otel_llm.model.source": "override", "otel_llm.model.default": DEFAULT, "otel_llm.model.set_by": "eve"},
        {
            "otel_llm.model.source": "fallback",
            "otel_llm.model.default": DEFAULT,
            "otel_llm.model.set_by": "eve",
            "otel_llm.model.fallback_from": "openrouter:x/y",
        },
        {"otel_llm.model.source": "default", "otel_llm.model.default": DEFAULT},
        {},
    ]


# --- the process's own ------------------------------------------------------------------------------------------------
@pytest.fixture
def _own() -> Iterator[None]:
    yield
    use_resolver(None)


@pytest.mark.usefixtures("_own")
def test_the_process_has_the_store_that_the_environment_names(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "models.yaml").write_text("agents: {strategist: a/b}")
    monkeypatch.setenv("OTEL_LLM_MODELS", f"{tmp_path}/models.yaml")
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-geheim")

    assert current_resolver().resolve(DEFAULT, agent="strategist").model == "a/b"
    assert current_resolver() is current_resolver()


@pytest.mark.usefixtures("_own")
def test_what_is_given_in_code_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-geheim")
    (tmp_path / "models.yaml").write_text("agents: {strategist: c/d}")

    use_models(Given(strategist="a/b"), None, 60.0)
    assert current_resolver().resolve(DEFAULT, agent="strategist").model == "a/b"
    use_models(f"{tmp_path}/models.yaml", None, 60.0)
    assert current_resolver().resolve(DEFAULT, agent="strategist").model == "c/d"


@pytest.mark.usefixtures("_own")
def test_another_resolver_closes_the_one_before() -> None:
    store = Given(strategist="a/b")
    first = ModelResolver(store, environ=KEY)
    use_resolver(first)
    assert first.resolve(DEFAULT, agent="strategist").model == "a/b"

    use_resolver(ModelResolver(None))

    assert store.closed == 1
    assert current_resolver().resolve(DEFAULT, agent="strategist").source == "default"


@pytest.mark.usefixtures("_own")
@pytest.mark.parametrize("given", [object(), 7])
def test_what_is_no_store_is_refused(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="models must be"):
        use_models(given, None, 60.0)


def test_a_store_that_cannot_be_opened_is_told_and_the_code_has_its_way(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise ConfigurationError(["the settings are wrong"])

    resolver = ModelResolver(broken, environ=KEY)
    with caplog.at_level(logging.WARNING):
        assert resolver.resolve(DEFAULT, agent="strategist").source == "default"
    assert [record.getMessage() for record in caplog.records] == [
        "The store of models cannot be asked, agents use the models that the code says: the settings are wrong"
    ]
    resolver.close()
