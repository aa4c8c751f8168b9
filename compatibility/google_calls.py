"""Google's SDK for Gemini."""

from __future__ import annotations

from typing import Any

from cases import PROMPT, SCHEMA, TOOL, Caller, Case

_ASKED = {"model": "gemini-2.5-flash", "contents": PROMPT}
_EMBED = {"model": "gemini-embedding-001", "contents": [PROMPT]}


class Google(Caller):
    further = (Case("embeddings", "embeddings"),)

    def client(self, fake: Any, retries: int) -> Any:
        from google import genai

        again = {"attempts": retries + 1, "initial_delay": 0.01, "max_delay": 0.01, "http_status_codes": [500]}
        return genai.Client(api_key="fake", http_options={"base_url": fake.google, "retry_options": again})

    def plain(self, client: Any) -> str:
        return client.models.generate_content(**_ASKED).text

    async def plain_async(self, client: Any) -> str:
        return (await client.aio.models.generate_content(**_ASKED)).text

    def streamed(self, client: Any) -> str:
        return "".join(chunk.text or "" for chunk in client.models.generate_content_stream(**_ASKED))

    async def streamed_async(self, client: Any) -> str:
        stream = await client.aio.models.generate_content_stream(**_ASKED)
        return "".join([chunk.text or "" async for chunk in stream])

    def tools(self, client: Any) -> str:
        return client.models.generate_content(**_ASKED, config=_tools()).function_calls[0].name

    async def tools_async(self, client: Any) -> str:
        return (await client.aio.models.generate_content(**_ASKED, config=_tools())).function_calls[0].name

    def embeddings(self, client: Any) -> str:
        return _vector(client.models.embed_content(**_EMBED))

    async def embeddings_async(self, client: Any) -> str:
        return _vector(await client.aio.models.embed_content(**_EMBED))


def _tools() -> dict[str, Any]:
    function = {"name": TOOL, "description": "Weather of a city", "parameters_json_schema": SCHEMA}
    return {"tools": [{"function_declarations": [function]}], "automatic_function_calling": {"disable": True}}


def _vector(answer: Any) -> str:
    return "vector" if len(answer.embeddings[0].values) == 8 else "no vector"
