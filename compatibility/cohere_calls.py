"""Cohere's SDK, version 2 of its API."""

from __future__ import annotations

from typing import Any

from cases import FUNCTION, MESSAGES, PROMPT, Caller, Case

_ASKED = {"model": "command-a-03-2025", "messages": MESSAGES}
_EMBED = {"model": "embed-v4.0", "input_type": "search_query", "texts": [PROMPT], "embedding_types": ["float"]}


class Cohere(Caller):
    further = (Case("embeddings", "embeddings"),)

    def client(self, fake: Any, retries: int) -> Any:
        import cohere

        return cohere.ClientV2(**_settings(fake, retries))

    def async_client(self, fake: Any, retries: int) -> Any:
        import cohere

        return cohere.AsyncClientV2(**_settings(fake, retries))

    def plain(self, client: Any) -> str:
        return client.chat(**_ASKED).message.content[0].text

    async def plain_async(self, client: Any) -> str:
        return (await client.chat(**_ASKED)).message.content[0].text

    def streamed(self, client: Any) -> str:
        return _joined(client.chat_stream(**_ASKED))

    async def streamed_async(self, client: Any) -> str:
        return _joined([event async for event in client.chat_stream(**_ASKED)])

    def tools(self, client: Any) -> str:
        return client.chat(**_ASKED, tools=[FUNCTION]).message.tool_calls[0].function.name

    async def tools_async(self, client: Any) -> str:
        return (await client.chat(**_ASKED, tools=[FUNCTION])).message.tool_calls[0].function.name

    def embeddings(self, client: Any) -> str:
        return _vector(client.embed(**_EMBED))

    async def embeddings_async(self, client: Any) -> str:
        return _vector(await client.embed(**_EMBED))


def _settings(fake: Any, retries: int) -> dict[str, Any]:
    return {"api_key": "fake", "base_url": fake.cohere, "max_retries": retries}


def _joined(events: Any) -> str:
    return "".join(event.delta.message.content.text for event in events if event.type == "content-delta")


def _vector(answer: Any) -> str:
    return "vector" if len(answer.embeddings.float_[0]) == 8 else "no vector"
