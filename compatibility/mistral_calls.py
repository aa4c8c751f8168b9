"""Mistral's SDK, and OpenRouter's, which comes out of the same generator."""

from __future__ import annotations

from typing import Any, ClassVar

from cases import FUNCTION, MESSAGES, PROMPT, Caller, Case


class Mistral(Caller):
    further = (Case("embeddings", "embeddings"),)
    asked: ClassVar = {"model": "mistral-small-latest", "messages": MESSAGES}

    def client(self, fake: Any, retries: int) -> Any:
        from mistralai import client

        return client.Mistral(api_key="fake", server_url=fake.mistral, retry_config=_again(client.utils, retries))

    def plain(self, client: Any) -> str:
        return client.chat.complete(**self.asked).choices[0].message.content

    async def plain_async(self, client: Any) -> str:
        return (await client.chat.complete_async(**self.asked)).choices[0].message.content

    def streamed(self, client: Any) -> str:
        return _joined([event.data for event in client.chat.stream(**self.asked)])

    async def streamed_async(self, client: Any) -> str:
        return _joined([event.data async for event in await client.chat.stream_async(**self.asked)])

    def tools(self, client: Any) -> str:
        return _tool(client.chat.complete(**self.asked, tools=[FUNCTION]))

    async def tools_async(self, client: Any) -> str:
        return _tool(await client.chat.complete_async(**self.asked, tools=[FUNCTION]))

    def embeddings(self, client: Any) -> str:
        return _vector(client.embeddings.create(model="mistral-embed", inputs=[PROMPT]))

    async def embeddings_async(self, client: Any) -> str:
        return _vector(await client.embeddings.create_async(model="mistral-embed", inputs=[PROMPT]))


class OpenRouter(Caller):
    asked: ClassVar = {"model": "anthropic/claude-sonnet-4.5", "messages": MESSAGES}

    def client(self, fake: Any, retries: int) -> Any:
        import openrouter

        return openrouter.OpenRouter(api_key="fake", server_url=fake.openrouter, retry_config=_again(openrouter.utils, retries))

    def plain(self, client: Any) -> str:
        return client.chat.send(**self.asked).choices[0].message.content

    async def plain_async(self, client: Any) -> str:
        return (await client.chat.send_async(**self.asked)).choices[0].message.content

    def streamed(self, client: Any) -> str:
        return _joined(list(client.chat.send(**self.asked, stream=True)))

    async def streamed_async(self, client: Any) -> str:
        return _joined([chunk async for chunk in await client.chat.send_async(**self.asked, stream=True)])

    def tools(self, client: Any) -> str:
        return _tool(client.chat.send(**self.asked, tools=[FUNCTION]))

    async def tools_async(self, client: Any) -> str:
        return _tool(await client.chat.send_async(**self.asked, tools=[FUNCTION]))


def _again(utils: Any, retries: int) -> Any:
    """Retries, in milliseconds: either as many as fit into two seconds, or none."""
    backoff = utils.BackoffStrategy(1, 10, 1.5, 2000)
    return utils.RetryConfig("backoff", backoff, retry_connection_errors=False) if retries else None


def _joined(chunks: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def _tool(answer: Any) -> str:
    return answer.choices[0].message.tool_calls[0].function.name


def _vector(answer: Any) -> str:
    return "vector" if len(answer.data[0].embedding) == 8 else "no vector"
