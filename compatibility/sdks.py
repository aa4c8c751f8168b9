"""The SDKs of the compatibility matrix: a row each, with what its environment needs and who calls it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "compatibility.md"


@dataclass(frozen=True, slots=True)
class Sdk:
    """One SDK in one version. Its environment has ``package==version``, ``extras`` and otel-llm."""

    package: str
    version: str
    #: ``module:Class`` in this folder.
    caller: str
    #: What is called, where one SDK speaks to several vendors or through several HTTP libraries.
    about: str = ""
    extras: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Unique among the rows: ``openai 3.52.0``, ``google-genai 3.4.0 (aiohttp installed)``."""
        return f"{self.package} {self.version}" + (f" ({self.about})" if self.about else "")

    @property
    def requirements(self) -> tuple[str, ...]:
        """As an installer takes them."""
        package, bracket, extra = self.package.partition("[")
        return (f"{package}{bracket}{extra}=={self.version}", *self.extras)


#: What LiteLLM imports for tools and for retries without requiring it.
_LITELLM = ("mcp", "tenacity")

SDKS = (
    Sdk("httpx", "0.28.1", "raw_calls:Httpx", extras=("httpx[http2]",)),
    Sdk("httpx2", "2.16.2", "raw_calls:Httpx2", extras=("httpx2[http2]",)),
    Sdk("openai", "3.52.0", "openai_calls:OpenAI"),
    Sdk("openai", "2.54.0", "openai_calls:OpenAI"),
    Sdk("openai", "1.109.1", "openai_calls:OpenAI"),
    Sdk("anthropic", "2.11.0", "anthropic_calls:Anthropic"),
    Sdk("anthropic", "0.122.0", "anthropic_calls:Anthropic"),
    Sdk("google-genai", "3.4.0", "google_calls:Google"),
    Sdk("google-genai", "3.4.0", "google_calls:Google", about="aiohttp installed", extras=("aiohttp",)),
    Sdk("google-genai", "2.34.0", "google_calls:Google"),
    Sdk("mistralai", "3.7.0", "mistral_calls:Mistral"),
    Sdk("mistralai", "2.10.1", "mistral_calls:Mistral"),
    Sdk("groq", "1.7.0", "openai_calls:Groq"),
    Sdk("together", "3.1.1", "openai_calls:Together"),
    Sdk("openrouter", "1.3.84", "mistral_calls:OpenRouter"),
    Sdk("ollama", "0.6.3", "ollama_calls:Ollama"),
    Sdk("cohere", "7.3.1", "cohere_calls:Cohere"),
    Sdk("litellm", "1.106.2", "litellm_calls:ToOpenAI", about="to OpenAI", extras=_LITELLM),
    Sdk("litellm", "1.106.2", "litellm_calls:ToAnthropic", about="to Anthropic", extras=_LITELLM),
)
