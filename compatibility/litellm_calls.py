"""LiteLLM, which has no client: settings go with each call."""

from __future__ import annotations

from typing import Any, ClassVar

from cases import FUNCTION, MESSAGES, PROMPT, Caller, Case


class _LiteLLM(Caller):
    model: ClassVar[str]
    vendor: ClassVar[str]

    def client(self, fake: Any, retries: int) -> Any:
        return {
            "model": self.model,
            "messages": MESSAGES,
            "api_base": getattr(fake, self.vendor),
            "api_key": "fake",
            "num_retries": retries,
            "max_retries": 0,
        }

    def plain(self, client: Any) -> str:
        import litellm

        return litellm.completion(**client).choices[0].message.content

    async def plain_async(self, client: Any) -> str:
        import litellm

        return (await litellm.acompletion(**client)).choices[0].message.content

    def streamed(self, client: Any) -> str:
        import litellm

        return _joined(litellm.completion(**client, stream=True, stream_options={"include_usage": True}))

    async def streamed_async(self, client: Any) -> str:
        import litellm

        stream = await litellm.acompletion(**client, stream=True, stream_options={"include_usage": True})
        return _joined([chunk async for chunk in stream])

    def tools(self, client: Any) -> str:
        import litellm

        return _tool(litellm.completion(**client, tools=[FUNCTION]))

    async def tools_async(self, client: Any) -> str:
        import litellm

        return _tool(await litellm.acompletion(**client, tools=[FUNCTION]))


class ToOpenAI(_LiteLLM):
    model, vendor = "openai/gpt-5-mini", "openai"
    further = (Case("embeddings", "embeddings"),)

    def embeddings(self, client: Any) -> str:
        import litellm

        return _vector(litellm.embedding(**_to_embed(client)))

    async def embeddings_async(self, client: Any) -> str:
        import litellm

        return _vector(await litellm.aembedding(**_to_embed(client)))


class ToAnthropic(_LiteLLM):
    model, vendor = "anthropic/claude-sonnet-5", "anthropic"


def _to_embed(client: dict[str, Any]) -> dict[str, Any]:
    kept = {key: client[key] for key in ("api_base", "api_key")}
    return kept | {"model": "openai/text-embedding-3-small", "input": [PROMPT], "encoding_format": "float"}


def _joined(chunks: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def _tool(answer: Any) -> str:
    return answer.choices[0].message.tool_calls[0].function.name


def _vector(answer: Any) -> str:
    return "vector" if len(answer.data[0]["embedding"]) == 8 else "no vector"
