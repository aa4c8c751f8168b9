"""Settings from the environment and from arguments, and every fault at once."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from otel_llm.content_policy import ContentMode
from otel_llm.errors import ConfigurationError
from otel_llm_langfuse import LangfuseSettings, from_environment

KEYS = {"LANGFUSE_PUBLIC_KEY": "pk-lf-1", "LANGFUSE_SECRET_KEY": "sk-lf-1"}


def load(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], **arguments: object) -> LangfuseSettings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return LangfuseSettings.load(**arguments)


def seen(settings: LangfuseSettings) -> dict[str, object]:
    return settings.model_dump() | {"secret_key": settings.secret_key and settings.secret_key.get_secret_value()}


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        monkeypatch,
        KEYS
        | {
            "LANGFUSE_BASE_URL": "https://langfuse.example.com/",
            "LANGFUSE_TRACING_ENVIRONMENT": "staging",
            "LANGFUSE_RELEASE": "v1",
            "LANGFUSE_TIMEOUT": "3",
            "LANGFUSE_SAMPLE_RATE": "0.5",
            "OTEL_LLM_LANGFUSE_CONTENT": "truncated",
            "OTEL_LLM_CONTENT_MAX_CHARS": "1000",
            "OTEL_LLM_MASK": "secrets, Cards",
            "OTEL_LLM_LANGFUSE_MEDIA": "keep",
            "OTEL_LLM_LANGFUSE_SPANS": "all",
            "OTEL_LLM_LANGFUSE_DROP": "tool, Retriever",
            "OTEL_LLM_LANGFUSE_DAILY_OBSERVATIONS": "1000",
        },
    )

    assert seen(settings) == {
        "via": None,
        "public_key": "pk-lf-1",
        "secret_key": "sk-lf-1",
        "base_url": "https://langfuse.example.com",
        "environment": "staging",
        "release": "v1",
        "timeout_s": 3.0,
        "sample_rate": 0.5,
        "content": ContentMode.TRUNCATED,
        "content_max_chars": 1000,
        "mask": {"secrets", "cards"},
        "media": "keep",
        "spans": "all",
        "drop": {"tool", "retriever"},
        "daily_observations": 1000,
    }


def test_what_is_not_set_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, KEYS | {"LANGFUSE_RELEASE": "", "LANGFUSE_TIMEOUT": ""})

    assert seen(settings) == {
        "via": None,
        "public_key": "pk-lf-1",
        "secret_key": "sk-lf-1",
        "base_url": "https://cloud.langfuse.com",
        "environment": None,
        "release": None,
        "timeout_s": 10.0,
        "sample_rate": 1.0,
        "content": ContentMode.FULL,
        "content_max_chars": 8_000,
        "mask": {"secrets"},
        "media": "upload",
        "spans": "genai",
        "drop": frozenset(),
        "daily_observations": None,
    }


def test_the_host_is_another_name_of_the_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch, KEYS | {"LANGFUSE_HOST": "http://a"}).base_url == "http://a"
    assert load(monkeypatch, {"LANGFUSE_BASE_URL": "http://b"}).base_url == "http://b"


def test_arguments_win(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, KEYS | {"LANGFUSE_HOST": "http://a"}, base_url="http://b", public_key="pk-lf-2", release=None)
    assert (settings.base_url, settings.public_key, settings.release) == ("http://b", "pk-lf-2", None)


@pytest.mark.parametrize(
    ("environment", "fault"),
    [
        (
            {"LANGFUSE_PUBLIC_KEY": "pk-lf-1"},
            "LANGFUSE_SECRET_KEY is not set, but LANGFUSE_PUBLIC_KEY is; set both or neither",
        ),
        (
            {"LANGFUSE_SECRET_KEY": "sk-lf-1"},
            "LANGFUSE_SECRET_KEY is set, but LANGFUSE_PUBLIC_KEY is not; set both or neither",
        ),
        (
            KEYS | {"LANGFUSE_BASE_URL": "cloud.langfuse.com"},
            "LANGFUSE_BASE_URL must begin with http:// or https:// and name a host",
        ),
        (KEYS | {"LANGFUSE_HOST": "ftp://a"}, "LANGFUSE_BASE_URL must begin with http:// or https:// and name a host"),
        (KEYS | {"LANGFUSE_BASE_URL": "https://"}, "LANGFUSE_BASE_URL must begin with http:// or https:// and name a host"),
        (KEYS | {"LANGFUSE_BASE_URL": "https://a:b"}, "LANGFUSE_BASE_URL is not a URL"),
        (KEYS | {"LANGFUSE_BASE_URL": "https://u:p@a"}, "LANGFUSE_BASE_URL must hold no credentials, query or fragment"),
        (
            KEYS | {"LANGFUSE_TIMEOUT": "soon"},
            "LANGFUSE_TIMEOUT Input should be a valid number, unable to parse string as a number",
        ),
        (KEYS | {"LANGFUSE_TIMEOUT": "0"}, "LANGFUSE_TIMEOUT Input should be greater than 0"),
    ],
)
def test_a_fault_names_the_variable(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        load(monkeypatch, environment)
    assert raised.value.faults == (fault,)


def test_all_faults_are_told_at_once_and_no_key_is(monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = {"LANGFUSE_PUBLIC_KEY": "sk-lf-hush", "LANGFUSE_SECRET_KEY": "pk-lf-hush"}

    with pytest.raises(ConfigurationError) as raised:
        load(monkeypatch, swapped | {"LANGFUSE_BASE_URL": "nonsense", "LANGFUSE_TIMEOUT": "-1"})

    assert raised.value.faults == (
        "LANGFUSE_PUBLIC_KEY holds a secret key (sk-lf-...); it takes the public key (pk-lf-...)",
        "LANGFUSE_SECRET_KEY holds a public key (pk-lf-...); it takes the secret key (sk-lf-...)",
        "LANGFUSE_BASE_URL must begin with http:// or https:// and name a host",
        "LANGFUSE_TIMEOUT Input should be greater than 0",
    )
    assert "hush" not in str(raised.value)
    assert raised.value.__context__ is None


def test_without_keys_there_is_no_destination() -> None:
    assert from_environment() == []


def test_with_keys_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    [destination] = from_environment()
    assert (destination.name, destination.limits.max_bytes, destination.limits.max_records) == ("langfuse", 3_000_000, 512)


def test_a_fault_of_settings_made_by_hand_tells_no_key() -> None:
    with pytest.raises(ValidationError) as raised:
        LangfuseSettings(public_key="sk-lf-hush", secret_key="pk-lf-hush")
    assert "hush" not in str(raised.value)


def test_the_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "sk-lf-1" not in repr(load(monkeypatch, KEYS))
