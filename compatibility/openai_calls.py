"""OpenAI's SDK, and those of Groq and Together, which are of its kind."""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

from cases import ARGUMENTS, FUNCTION, MESSAGES, PROMPT, SCHEMA, TOOL, Caller, Case, with_tool_call

_VECTOR = "vector"


class _OpenAIKind(Caller):
    module: ClassVar[str]
    kind: ClassVar[str]
    vendor: ClassVar[str]
    model: ClassVar[str]
    further = (
        Case("with_raw_response", "raw_response"),
        Case("with_streaming_response", "streaming_response"),
    )
    #: OpenAI's own API sends usage in a stream only when asked; the others always do.
    stream_options: ClassVar[dict[str, Any]] = {}

    @property
    def asked(self) -> dict[str, Any]:
        return {"model": self.model, "messages": MESSAGES}

    def client(self, fake: Any, retries: int) -> Any:
        return self._make(self.kind, fake, retries)

    def async_client(self, fake: Any, retries: int) -> Any:
        return self._make(f"Async{self.kind}", fake, retries)

    def _make(self, kind: str, fake: Any, retries: int) -> Any:
        return getattr(import_module(self.module), kind)(
            base_url=getattr(fake, self.vendor), api_key="sk-fake", max_retries=retries
        )

    def plain(self, client: Any) -> str:
        return client.chat.completions.create(**self.asked).choices[0].message.content

    async def plain_async(self, client: Any) -> str:
        return (await client.chat.completions.create(**self.asked)).choices[0].message.content

    def streamed(self, client: Any) -> str:
        return _joined(client.chat.completions.create(**self.asked, stream=True, **self.stream_options))

    async def streamed_async(self, client: Any) -> str:
        stream = await client.chat.completions.create(**self.asked, stream=True, **self.stream_options)
        return _joined([chunk async for chunk in stream])

    def tools(self, client: Any) -> str:
        return _tool(client.chat.completions.create(**self.asked, tools=[FUNCTION]))

    async def tools_async(self, client: Any) -> str:
        return _tool(await client.chat.completions.create(**self.asked, tools=[FUNCTION]))

    def raw_response(self, client: Any) -> str:
        return client.chat.completions.with_raw_response.create(**self.asked).parse().choices[0].message.content

    async def raw_response_async(self, client: Any) -> str:
        raw = await client.chat.completions.with_raw_response.create(**self.asked)
        parsed = raw.parse()
        return (await parsed if hasattr(parsed, "__await__") else parsed).choices[0].message.content

    def streaming_response(self, client: Any) -> str:
        with client.chat.completions.with_streaming_response.create(**self.asked) as response:
            return response.parse().choices[0].message.content

    async def streaming_response_async(self, client: Any) -> str:
        async with client.chat.completions.with_streaming_response.create(**self.asked) as response:
            return (await response.parse()).choices[0].message.content


class OpenAI(_OpenAIKind):
    module, kind, vendor, model = "openai", "OpenAI", "openai", "gpt-5-mini"
    stream_options: ClassVar = {"stream_options": {"include_usage": True}}
    further = (
        *_OpenAIKind.further,
        Case("responses", "responses"),
        Case("responses, streamed", "responses_streamed"),
        with_tool_call("responses, tools", "responses_tools"),
        with_tool_call("chat stream helper, tools", "helper"),
        Case("completions", "completions"),
        Case("embeddings", "embeddings"),
    )

    def responses(self, client: Any) -> str:
        return client.responses.create(model=self.model, input=PROMPT).output_text

    async def responses_async(self, client: Any) -> str:
        return (await client.responses.create(model=self.model, input=PROMPT)).output_text

    def responses_streamed(self, client: Any) -> str:
        return _deltas(client.responses.create(model=self.model, input=PROMPT, stream=True))

    async def responses_streamed_async(self, client: Any) -> str:
        stream = await client.responses.create(model=self.model, input=PROMPT, stream=True)
        return _deltas([event async for event in stream])

    def responses_tools(self, client: Any) -> str:
        return client.responses.create(model=self.model, input=PROMPT, tools=[_FLAT]).output[0].name

    async def responses_tools_async(self, client: Any) -> str:
        return (await client.responses.create(model=self.model, input=PROMPT, tools=[_FLAT])).output[0].name

    def helper(self, client: Any) -> str:
        with client.chat.completions.stream(**self.asked, tools=[_STRICT], **self.stream_options) as stream:
            return _tool(stream.get_final_completion())

    async def helper_async(self, client: Any) -> str:
        async with client.chat.completions.stream(**self.asked, tools=[_STRICT], **self.stream_options) as stream:
            return _tool(await stream.get_final_completion())

    def completions(self, client: Any) -> str:
        return client.completions.create(model=self.model, prompt=PROMPT).choices[0].text

    async def completions_async(self, client: Any) -> str:
        return (await client.completions.create(model=self.model, prompt=PROMPT)).choices[0].text

    def embeddings(self, client: Any) -> str:
        return _vector(client.embeddings.create(model="text-embedding-3-small", input=[PROMPT]))

    async def embeddings_async(self, client: Any) -> str:
        return _vector(await client.embeddings.create(model="text-embedding-3-small", input=[PROMPT]))


class Groq(_OpenAIKind):
    module, kind, vendor, model = "groq", "Groq", "groq", "llama-3.3-70b-versatile"

    def _make(self, kind: str, fake: Any, retries: int) -> Any:
        host = fake.groq.removesuffix("/openai/v1")  # the SDK appends this path itself
        return getattr(import_module("groq"), kind)(base_url=host, api_key="sk-fake", max_retries=retries)


class Together(_OpenAIKind):
    module, kind, vendor, model = "together", "Together", "together", "meta-llama/Llama-3.3-70B-Instruct-Turbo"


#: The helper for streams takes no other tools.
_STRICT = {"type": "function", "function": FUNCTION["function"] | {"strict": True}}
_FLAT = {"type": "function", "name": TOOL, "description": "Weather of a city", "parameters": SCHEMA, "strict": False}


def _joined(chunks: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def _deltas(events: Any) -> str:
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")


def _tool(answer: Any) -> str:
    function = answer.choices[0].message.tool_calls[0].function
    assert "Oslo" in function.arguments, ARGUMENTS
    return function.name


def _vector(answer: Any) -> str:
    return _VECTOR if len(answer.data[0].embedding) == 8 else "no vector"
