"""Base URLs of the vendors that one fake provider plays, in the form that an SDK takes."""

from __future__ import annotations

from otel_llm.testing.provider.dialects import DIALECTS
from otel_llm.testing.server import LoopbackServer


class Addresses(LoopbackServer):
    """A server with one base URL a vendor. They are known once it has started."""

    @property
    def openai(self) -> str:
        """For ``OpenAI(base_url=...)``."""
        return self._address("openai")

    @property
    def anthropic(self) -> str:
        """For ``Anthropic(base_url=...)``."""
        return self._address("anthropic")

    @property
    def openrouter(self) -> str:
        """Keep-alive comments, usage with cost in a chunk that repeats the choice, the upstream's name, its own model names."""
        return self._address("openrouter")

    @property
    def deepseek(self) -> str:
        """Usage on the finishing chunk, with cache hits and misses; ``reasoning_content``."""
        return self._address("deepseek")

    @property
    def groq(self) -> str:
        """Usage twice on the finishing chunk, also inside ``x_groq``; ``reasoning``."""
        return self._address("groq")

    @property
    def xai(self) -> str:
        """Counts of output tokens without reasoning."""
        return self._address("xai")

    @property
    def together(self) -> str:
        """Usage on the finishing chunk, cached tokens at its top."""
        return self._address("together")

    @property
    def perplexity(self) -> str:
        """Cumulative usage in every chunk."""
        return self._address("perplexity")

    @property
    def mistral(self) -> str:
        """For ``Mistral(server_url=...)``. Usage on the finishing chunk; thinking among the content's parts."""
        return self._address("mistral")

    @property
    def google(self) -> str:
        """For ``genai.Client(http_options={"base_url": ...})``."""
        return self._address("google")

    @property
    def ollama(self) -> str:
        """For ``ollama.Client(host=...)``. Needs no key."""
        return self._address("ollama")

    @property
    def cohere(self) -> str:
        """For ``cohere.ClientV2(base_url=...)``."""
        return self._address("cohere")

    def _address(self, vendor: str) -> str:
        return self.base_url + DIALECTS[vendor].path
