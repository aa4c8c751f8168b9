"""How each library is given its requests: the endpoint of one, its JSON body, and the same request with another body."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from otel_llm.endpoints import Endpoint, recognise
from otel_llm.protocols.framing import decode_json


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a library's way out was called with."""

    instance: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Requests:
    """One library's. ``body`` is None for one that cannot be read before it is sent, ``with_body`` for one that is to stay."""

    endpoint: Callable[[Arguments], Endpoint | None]
    body: Callable[[Arguments], Any]
    with_body: Callable[[Arguments, Mapping[str, Any]], Arguments | None]


def requests_of_httpx(library: ModuleType) -> Requests:
    """For ``Client.send`` and ``AsyncClient.send`` of httpx or httpx2: a new request takes the place of the one given."""

    def with_body(given: Arguments, body: Mapping[str, Any]) -> Arguments:
        request, content = _request(given), json.dumps(body).encode()
        headers = [(name, _length(name, value, content)) for name, value in request.headers.raw]
        sent = library.Request(request.method, request.url, headers=headers, content=content, extensions=request.extensions)
        if given.args:
            return replace(given, args=(sent, *given.args[1:]))
        return replace(given, kwargs={**given.kwargs, "request": sent})

    return Requests(_endpoint_of_httpx, _body_of_httpx, with_body)


def _request(given: Arguments) -> Any:
    return given.args[0] if given.args else given.kwargs["request"]


def _endpoint_of_httpx(given: Arguments) -> Endpoint | None:
    request = _request(given)
    return recognise(request.method, request.url.host, request.url.path, request.url.port)


def _body_of_httpx(given: Arguments) -> Any:
    content = getattr(_request(given), "_content", None)  # absent while the body is a stream; ``content`` would raise
    return _decoded(content)


def _length(name: bytes, value: bytes, content: bytes) -> bytes:
    return str(len(content)).encode() if name.lower() == b"content-length" else value


def requests_of_aiohttp(_library: ModuleType) -> Requests:
    """For ``ClientSession._request``: method and URL are arguments, the body is ``json`` or ``data``."""
    return Requests(_endpoint_of_aiohttp, _body_of_aiohttp, _with_body_of_aiohttp)


def _endpoint_of_aiohttp(given: Arguments) -> Endpoint | None:
    url = given.instance._build_url(given.args[1])
    return recognise(given.args[0].upper(), url.host or "", url.path, url.explicit_port)


def _body_of_aiohttp(given: Arguments) -> Any:
    body = given.kwargs.get("json")
    return _decoded(given.kwargs.get("data")) if body is None else body


def _with_body_of_aiohttp(given: Arguments, body: Mapping[str, Any]) -> Arguments | None:
    """None where the caller has counted the length by hand: it would be wrong."""
    if any(str(name).lower() == "content-length" for name in dict(given.kwargs.get("headers") or {})):
        return None
    if given.kwargs.get("json") is not None:
        return replace(given, kwargs={**given.kwargs, "json": dict(body)})
    text = json.dumps(body)
    data = text if isinstance(given.kwargs["data"], str) else text.encode()
    return replace(given, kwargs={**given.kwargs, "data": data})


def _decoded(content: Any) -> Any:
    if not isinstance(content, bytes | bytearray | str):
        return None
    try:
        return decode_json(content if isinstance(content, str) else bytes(content))
    except ValueError:
        return None
