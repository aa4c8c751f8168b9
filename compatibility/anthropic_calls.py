"""Anthropic's SDK."""

from __future__ import annotations

from typing import Any

from cases import MESSAGES, SCHEMA, TOOL, Caller, Case, with_tool_call

_ASKED = {"model": "claude-sonnet-5", "max_tokens": 64, "messages": MESSAGES}
_TOOLS = [{"name": TOOL, "description": "Weather of a city", "input_schema": SCHEMA}]


class Anthropic(Caller):
    further = (
        Case("with_raw_response", "raw_response"),
        Case("with_streaming_response", "streaming_response"),
        Case("stream helper", "helper"),
        with_tool_call("stream helper, tools", "helper_tools"),
    )

    def client(self, fake: Any, retries: int) -> Any:
        import anthropic

        return anthropic.Anthropic(base_url=fake.anthropic, api_key="sk-fake", max_retries=retries)

    def async_client(self, fake: Any, retries: int) -> Any:
        import anthropic

        return anthropic.AsyncAnthropic(base_url=fake.anthropic, api_key="sk-fake", max_retries=retries)

    def plain(self, client: Any) -> str:
        return client.messages.create(**_ASKED).content[0].text

    async def plain_async(self, client: Any) -> str:
        return (await client.messages.create(**_ASKED)).content[0].text

    def streamed(self, client: Any) -> str:
        return _joined(client.messages.create(**_ASKED, stream=True))

    async def streamed_async(self, client: Any) -> str:
        return _joined([event async for event in await client.messages.create(**_ASKED, stream=True)])

    def tools(self, client: Any) -> str:
        return client.messages.create(**_ASKED, tools=_TOOLS).content[0].name

    async def tools_async(self, client: Any) -> str:
        return (await client.messages.create(**_ASKED, tools=_TOOLS)).content[0].name

    def raw_response(self, client: Any) -> str:
        return client.messages.with_raw_response.create(**_ASKED).parse().content[0].text

    async def raw_response_async(self, client: Any) -> str:
        parsed = (await client.messages.with_raw_response.create(**_ASKED)).parse()
        return (await parsed if hasattr(parsed, "__await__") else parsed).content[0].text

    def streaming_response(self, client: Any) -> str:
        with client.messages.with_streaming_response.create(**_ASKED) as response:
            return response.parse().content[0].text

    async def streaming_response_async(self, client: Any) -> str:
        async with client.messages.with_streaming_response.create(**_ASKED) as response:
            return (await response.parse()).content[0].text

    def helper(self, client: Any) -> str:
        with client.messages.stream(**_ASKED) as stream:
            return stream.get_final_text()

    async def helper_async(self, client: Any) -> str:
        async with client.messages.stream(**_ASKED) as stream:
            return await stream.get_final_text()

    def helper_tools(self, client: Any) -> str:
        with client.messages.stream(**_ASKED, tools=_TOOLS) as stream:
            return stream.get_final_message().content[0].name

    async def helper_tools_async(self, client: Any) -> str:
        async with client.messages.stream(**_ASKED, tools=_TOOLS) as stream:
            return (await stream.get_final_message()).content[0].name


def _joined(events: Any) -> str:
    return "".join(event.delta.text for event in events if event.type == "content_block_delta")
