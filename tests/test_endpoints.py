"""Which URLs are calls of a model, whose, and in which protocol."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from otel_llm import endpoints
from otel_llm.endpoints import configure_hosts, recognise
from otel_llm.errors import ConfigurationError
from otel_llm.providers import PROVIDERS, parse_provider_hosts

SHARED = Path(__file__).resolve().parents[1] / ".." / "shared"
RECORDINGS = sorted((SHARED / "exchanges").glob("*.json"))


@pytest.fixture(autouse=True)
def _hosts_of_the_environment_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_LLM_PROVIDER_HOSTS", raising=False)
    monkeypatch.setattr(endpoints, "_configured", None)


def found(url: str, method: str = "POST") -> tuple[str, str, bool] | None:
    """Provider, protocol and certainty of a request to this URL."""
    parts = urlsplit(url)
    endpoint = recognise(method, parts.hostname or "", parts.path, parts.port)
    return (endpoint.provider, endpoint.protocol.name, endpoint.certain) if endpoint else None


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.openai.com/v1/chat/completions", "openai"),
        ("https://eu.api.openai.com/v1/chat/completions", "openai"),
        ("https://API.OpenAI.com./v1/chat/completions/", "openai"),
        ("https://openrouter.ai/api/v1/chat/completions", "openrouter"),
        ("https://api.deepseek.com/chat/completions", "deepseek"),
        ("https://api.groq.com/openai/v1/chat/completions", "groq"),
        ("https://api.x.ai/v1/chat/completions", "x_ai"),
        ("https://api.mistral.ai/v1/chat/completions", "mistral_ai"),
        ("https://generativelanguage.googleapis.com/v1beta/openai/chat/completions", "gcp.gemini"),
        (
            "https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/l/endpoints/openapi/chat/completions",
            "gcp.vertex_ai",
        ),
        ("https://harbour.openai.azure.com//openai/deployments/d/chat/completions", "azure.ai.openai"),
        ("https://harbour.cognitiveservices.azure.com/openai/deployments/d/chat/completions", "azure.ai.openai"),
        ("https://harbour.services.ai.azure.com/models/chat/completions", "azure.ai.inference"),
        ("https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1/chat/completions", "aws.bedrock"),
        ("https://api.cohere.ai/compatibility/v1/chat/completions", "cohere"),
        ("https://api.perplexity.ai/chat/completions", "perplexity"),
        ("http://localhost:11434/v1/chat/completions", "ollama"),
        ("http://[::1]:11434/v1/chat/completions", "ollama"),
        ("https://api.together.xyz/v1/chat/completions", "together"),
        ("https://api.cerebras.ai/v1/chat/completions", "cerebras"),
        ("https://api.moonshot.ai/v1/chat/completions", "moonshot_ai"),
        ("https://api.fireworks.ai/inference/v1/chat/completions", "fireworks"),
        ("https://dashscope-intl.aliyuncs.com/compatible-mode/v1/chat/completions", "alibaba"),
        ("https://router.huggingface.co/novita/v3/openai/chat/completions", "huggingface"),
        ("https://api.z.ai/api/paas/v4/chat/completions", "zai"),
        ("https://org-account.snowflakecomputing.com/api/v2/cortex/v1/chat/completions", "snowflake"),
        ("https://api.portkey.ai/v1/chat/completions", "portkey"),
        ("https://api.inference.crusoecloud.com/v1/chat/completions", "crusoe"),
        ("https://api.writer.com/v1/chat", "writer"),
    ],
)
def test_a_known_host_is_certain(url: str, provider: str) -> None:
    assert found(url) == (provider, "openai_chat", True)


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.anthropic.com/v1/messages?beta=true", "anthropic"),
        ("https://openrouter.ai/api/v1/messages", "openrouter"),
        ("https://api.deepseek.com/anthropic/v1/messages", "deepseek"),
    ],
)
def test_many_speak_the_protocol_of_anthropic(url: str, provider: str) -> None:
    assert found(url) == (provider, "anthropic_messages", True)


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://localhost:8000/v1/chat/completions", ("openai", "openai_chat", False)),
        ("https://gateway.example/team-7/chat/completions", ("openai", "openai_chat", False)),
        ("http://10.0.0.5:4000/v1/messages", ("anthropic", "anthropic_messages", False)),
        ("https://evil-api.openai.com.example/v1/chat/completions", ("openai", "openai_chat", False)),
        ("https://lb.eu-west-1.elb.amazonaws.com/v1/chat/completions", ("openai", "openai_chat", False)),
        ("https://.openai.azure.com/chat/completions", ("openai", "openai_chat", False)),
    ],
)
def test_an_unknown_host_is_told_by_the_path_but_not_certain(url: str, endpoint: tuple[str, str, bool]) -> None:
    assert found(url) == endpoint


@pytest.mark.parametrize(
    "url",
    [
        "https://api.anthropic.com/v1/messages/count_tokens",
        "https://api.anthropic.com/v1/messages/batches",
        "https://api.openai.com/v1/chat/completions/chatcmpl-1",
        "https://api.openai.com/v1/threads/t/messages",
        "https://api.openai.com/v1/models",
        "https://api.cohere.com/v2/rerank",
        "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:countTokens",
        "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict",
        "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/l/publishers/mistralai/models/m:rawPredict",
        "https://news.example/interactions",
        "https://api.openai.com/v1/responses/resp_1/cancel",
        "https://chat.example/v1/chat",
        "https://shop.example/orders",
        "https://shop.example",
    ],
)
def test_any_other_url_is_no_call(url: str) -> None:
    assert found(url) is None


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "OPTIONS"])
def test_only_a_post_is_a_call(method: str) -> None:
    assert found("https://api.openai.com/v1/chat/completions", method) is None


def test_no_host_belongs_to_two_providers() -> None:
    hosts = [host for provider in PROVIDERS for host in provider.hosts]
    assert sorted(hosts) == sorted(set(hosts))


# --- recordings -------------------------------------------------------------------------------------------------------

#: Where the recordings' word for a provider is another.
NAMES = {
    "azure": "azure.ai.openai",
    "google": "gcp.gemini",
    "local": "openai",
    "mistral": "mistral_ai",
    "moonshotai": "moonshot_ai",
    "xai": "x_ai",
    "vertex": "gcp.vertex_ai",
    "bedrock": "aws.bedrock",
}
PROTOCOL_OF = {
    "chat_completions": "openai_chat",
    "messages": "anthropic_messages",
    "responses": "openai_responses",
    "completions": "openai_completions",
    "embeddings": "openai_embeddings",
    "generateContent": "gemini",
    "streamGenerateContent": "gemini",
    "batchEmbedContents": "gemini_embeddings",
    "interactions": "gemini_interactions",
    "ollama_chat": "ollama_chat",
    "ollama_generate": "ollama_generate",
    "cohere_chat": "cohere_chat",
}


@pytest.mark.skipif(not RECORDINGS, reason="the recordings are not beside the repository")
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recorded_url_is_recognised(path: Path) -> None:
    exchange = json.loads(path.read_text())
    provider = NAMES.get(exchange["provider"], exchange["provider"])
    protocol = PROTOCOL_OF.get(exchange["api"])
    expected = (provider, protocol, exchange["provider"] != "local") if protocol else None
    assert found(exchange["request"]["url"], exchange["request"]["method"]) == expected


# --- hosts of one's own -----------------------------------------------------------------------------------------------


def test_configured_hosts_come_before_the_known_ones() -> None:
    configure_hosts(
        {"llm.internal": "openai", "10.0.0.5:8080": "openrouter", "*.corp": "azure.ai.openai", "api.groq.com": "mirror"}
    )
    chat = "/v1/chat/completions"
    assert found(f"https://llm.internal{chat}") == ("openai", "openai_chat", True)
    assert found(f"http://10.0.0.5:8080{chat}") == ("openrouter", "openai_chat", True)
    assert found(f"http://10.0.0.5:8081{chat}") == ("openai", "openai_chat", False)
    assert found(f"https://a.b.corp:8443{chat}") == ("azure.ai.openai", "openai_chat", True)
    assert found(f"https://api.groq.com{chat}") == ("mirror", "openai_chat", True)
    assert found(f"https://api.deepseek.com{chat}") == ("deepseek", "openai_chat", True)


def test_the_closest_pattern_counts() -> None:
    configure_hosts(
        {"*.corp": "openai", "*.eu.corp": "mistral_ai", "*.corp:8443": "groq", "*:9000": "ollama", "gpu.eu.corp:9000": "vllm"}
    )
    chat = "/v1/chat/completions"
    assert found(f"https://a.eu.corp{chat}") == ("mistral_ai", "openai_chat", True)
    assert found(f"https://a.us.corp:9000{chat}") == ("openai", "openai_chat", True)
    assert found(f"https://a.us.corp:8443{chat}") == ("groq", "openai_chat", True)
    assert found(f"https://gpu.eu.corp:9000{chat}") == ("vllm", "openai_chat", True)
    assert found(f"https://anywhere.example:9000{chat}") == ("ollama", "openai_chat", True)


def test_the_environment_is_read_at_the_first_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_LLM_PROVIDER_HOSTS", " llm.internal = openrouter , ")
    assert found("https://llm.internal/v1/chat/completions") == ("openrouter", "openai_chat", True)


def test_a_faulty_environment_is_ignored_with_one_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_LLM_PROVIDER_HOSTS", "llm.internal=openrouter,nonsense")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert found("https://llm.internal/v1/chat/completions") == ("openai", "openai_chat", False)
    assert [record.getMessage() for record in caplog.records] == [
        "OTEL_LLM_PROVIDER_HOSTS is ignored: OTEL_LLM_PROVIDER_HOSTS: 'nonsense' is not of the form host=provider"
    ]


def test_hosts_are_read_from_text() -> None:
    assert parse_provider_hosts(
        "LLM.internal=openai,10.0.0.5:8080=openrouter, *.corp=azure.ai.openai,[::1]:65535=vllm,*:1=tgi,"
    ) == {
        "llm.internal": "openai",
        "10.0.0.5:8080": "openrouter",
        "*.corp": "azure.ai.openai",
        "[::1]:65535": "vllm",
        "*:1": "tgi",
    }
    assert parse_provider_hosts("") == {}


def test_every_fault_is_named_and_no_credentials_are_shown() -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse_provider_hosts(
            "nonsense,=openai,a=,https://user:secret@b/v1=openai,c:65536=openai,c:0=openai,*.d.*=openai,e=open ai,f=x,f=y"
        )
    form = "is not of the form host=provider"
    host = "does not begin with a host: write name, name:port or *.suffix, without scheme and path"
    assert raised.value.faults == tuple(
        f"OTEL_LLM_PROVIDER_HOSTS: {fault}"
        for fault in (
            f"'nonsense' {form}",
            f"'=openai' {form}",
            f"'a=' {form}",
            f"'b/v1=openai' {host}",
            "'c:65536=openai' has a port that does not exist",
            "'c:0=openai' has a port that does not exist",
            f"'*.d.*=openai' {host}",
            "'e=open ai' does not end with a provider's name, such as openai or azure.ai.openai",
            "'f=y' is given twice, also as 'x'",
        )
    )
