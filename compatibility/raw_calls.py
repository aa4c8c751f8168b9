"""No SDK: an HTTP library by hand, also with what applications put into it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from cases import FUNCTION, MESSAGES, TOOL, Caller, Case

_BODY = {"model": "gpt-5-mini", "messages": MESSAGES}
_STREAM = _BODY | {"stream": True, "stream_options": {"include_usage": True}}


class _Raw(Caller):
    library = "httpx"
    tries_again = False
    further = (
        Case("raw bytes of a stream", "raw_bytes"),
        Case("subclass of the client", "subclass"),
        Case("custom transport", "custom_transport"),
        Case("HTTP/2 allowed (answered in HTTP/1.1)", "http2"),
        Case("send(build_request(), stream=True)", "sent"),
    )

    @property
    def http(self) -> Any:
        return import_module(self.library)

    def client(self, fake: Any, retries: int) -> Any:
        return self.http.Client(**_settings(fake))

    def async_client(self, fake: Any, retries: int) -> Any:
        return self.http.AsyncClient(**_settings(fake))

    def plain(self, client: Any) -> str:
        return _text(client.post("chat/completions", json=_BODY))

    async def plain_async(self, client: Any) -> str:
        return _text(await client.post("chat/completions", json=_BODY))

    def streamed(self, client: Any) -> str:
        with client.stream("POST", "chat/completions", json=_STREAM) as response:
            return "".join(_pieces(response.iter_lines()))

    async def streamed_async(self, client: Any) -> str:
        async with client.stream("POST", "chat/completions", json=_STREAM) as response:
            return "".join(_pieces([line async for line in response.aiter_lines()]))

    def tools(self, client: Any) -> str:
        return _tool(client.post("chat/completions", json=_BODY | {"tools": [FUNCTION]}))

    async def tools_async(self, client: Any) -> str:
        return _tool(await client.post("chat/completions", json=_BODY | {"tools": [FUNCTION]}))

    def raw_bytes(self, client: Any) -> str:
        with client.stream("POST", "chat/completions", json=_STREAM) as response:
            return "".join(_pieces(b"".join(response.iter_raw()).decode().split("\n")))

    async def raw_bytes_async(self, client: Any) -> str:
        async with client.stream("POST", "chat/completions", json=_STREAM) as response:
            return "".join(_pieces(b"".join([piece async for piece in response.aiter_raw()]).decode().split("\n")))

    def sent(self, client: Any) -> str:
        response = client.send(client.build_request("POST", "chat/completions", json=_STREAM), stream=True)
        try:
            return "".join(_pieces(response.iter_lines()))
        finally:
            response.close()

    async def sent_async(self, client: Any) -> str:
        response = await client.send(client.build_request("POST", "chat/completions", json=_STREAM), stream=True)
        try:
            return "".join(_pieces([line async for line in response.aiter_lines()]))
        finally:
            await response.aclose()

    def subclass(self, client: Any) -> str:
        class Own(self.http.Client):  # type: ignore[name-defined]
            def send(self, request: Any, **options: Any) -> Any:
                request.headers["x-own"] = "1"
                return super().send(request, **options)

        with Own(base_url=client.base_url, headers=client.headers) as own:
            return self.plain(own)

    async def subclass_async(self, client: Any) -> str:
        class Own(self.http.AsyncClient):  # type: ignore[name-defined]
            async def send(self, request: Any, **options: Any) -> Any:
                request.headers["x-own"] = "1"
                return await super().send(request, **options)

        async with Own(base_url=client.base_url, headers=client.headers) as own:
            return await self.plain_async(own)

    def custom_transport(self, client: Any) -> str:
        http = self.http

        class Own(http.BaseTransport):  # type: ignore[name-defined]
            inner = http.HTTPTransport()

            def handle_request(self, request: Any) -> Any:
                return self.inner.handle_request(request)

        with http.Client(transport=Own(), base_url=client.base_url, headers=client.headers) as own:
            return self.streamed(own)

    async def custom_transport_async(self, client: Any) -> str:
        http = self.http

        class Own(http.AsyncBaseTransport):  # type: ignore[name-defined]
            inner = http.AsyncHTTPTransport()

            async def handle_async_request(self, request: Any) -> Any:
                await asyncio.sleep(0)
                return await self.inner.handle_async_request(request)

        async with http.AsyncClient(transport=Own(), base_url=client.base_url, headers=client.headers) as own:
            return await self.streamed_async(own)

    def http2(self, client: Any) -> str:
        with self.http.Client(http2=True, base_url=client.base_url, headers=client.headers) as own:
            response = own.post("chat/completions", json=_BODY)
        assert response.http_version == "HTTP/1.1", response.http_version
        return _text(response)

    async def http2_async(self, client: Any) -> str:
        async with self.http.AsyncClient(http2=True, base_url=client.base_url, headers=client.headers) as own:
            response = await own.post("chat/completions", json=_BODY)
        assert response.http_version == "HTTP/1.1", response.http_version
        return _text(response)


class Httpx(_Raw):
    library = "httpx"


class Httpx2(_Raw):
    library = "httpx2"


def _settings(fake: Any) -> dict[str, Any]:
    return {"base_url": fake.openai + "/", "headers": {"authorization": "Bearer sk-fake"}}


def _text(response: Any) -> str:
    response.raise_for_status()
    return str(response.json()["choices"][0]["message"]["content"])


def _tool(response: Any) -> str:
    calls = response.json()["choices"][0]["message"]["tool_calls"]
    return str(calls[0]["function"]["name"]) if calls else f"no {TOOL}"


def _pieces(lines: Any) -> Iterator[str]:
    for line in lines:
        if line.startswith("data: {"):
            for choice in json.loads(line.removeprefix("data: "))["choices"]:
                yield choice["delta"].get("content") or ""
