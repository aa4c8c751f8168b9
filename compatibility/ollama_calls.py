"""Ollama's SDK."""

from __future__ import annotations

from typing import Any

from cases import FUNCTION, MESSAGES, PROMPT, Caller, Case

_ASKED = {"model": "llama3.2", "messages": MESSAGES}
_GENERATE = {"model": "llama3.2", "prompt": PROMPT}


class Ollama(Caller):
    tries_again = False
    provider = "ollama"
    further = (
        Case("generate", "generate"),
        Case("generate, streamed", "generate_streamed"),
        Case("embeddings", "embeddings"),
    )

    def client(self, fake: Any, retries: int) -> Any:
        import ollama

        return ollama.Client(host=fake.ollama)

    def async_client(self, fake: Any, retries: int) -> Any:
        import ollama

        return ollama.AsyncClient(host=fake.ollama)

    def plain(self, client: Any) -> str:
        return client.chat(**_ASKED).message.content

    async def plain_async(self, client: Any) -> str:
        return (await client.chat(**_ASKED)).message.content

    def streamed(self, client: Any) -> str:
        return "".join(part.message.content for part in client.chat(**_ASKED, stream=True))

    async def streamed_async(self, client: Any) -> str:
        return "".join([part.message.content async for part in await client.chat(**_ASKED, stream=True)])

    def tools(self, client: Any) -> str:
        return client.chat(**_ASKED, tools=[FUNCTION]).message.tool_calls[0].function.name

    async def tools_async(self, client: Any) -> str:
        return (await client.chat(**_ASKED, tools=[FUNCTION])).message.tool_calls[0].function.name

    def generate(self, client: Any) -> str:
        return client.generate(**_GENERATE).response

    async def generate_async(self, client: Any) -> str:
        return (await client.generate(**_GENERATE)).response

    def generate_streamed(self, client: Any) -> str:
        return "".join(part.response for part in client.generate(**_GENERATE, stream=True))

    async def generate_streamed_async(self, client: Any) -> str:
        return "".join([part.response async for part in await client.generate(**_GENERATE, stream=True)])

    def embeddings(self, client: Any) -> str:
        return _vector(client.embed(model="nomic-embed-text", input=[PROMPT]))

    async def embeddings_async(self, client: Any) -> str:
        return _vector(await client.embed(model="nomic-embed-text", input=[PROMPT]))


def _vector(answer: Any) -> str:
    return "vector" if len(answer.embeddings[0]) == 8 else "no vector"
