"""A Langfuse and an InsForge that misbehave when told to, in a process of their own.

    python tests/faults/backend.py

Prints their ports as a line of JSON, then answers commands, one JSON object a line, until its input ends:
``{"set": {"langfuse": {"mode": "503"}}}`` changes how one behaves, ``{"count": true}`` tells what has arrived, ``{"seen": "langfuse"}``
the ids in the order in which they arrived first. Modes:

- ``ok``; ``poison``: a batch that holds ``POISON`` is refused with 400; ``limit``: a body of more than ``LIMIT`` bytes with 413
- ``refuse``: nobody listens; ``hang``: no answer; ``reset``: the connection is reset after the request
- ``302``: to a login page, which answers 200; ``429``: with ``Retry-After: 1``; any other status, ``503`` say

It is written for speed, so that the application beside it on the same machine keeps most of the processor;
``otel_llm.testing`` has the doubles that are faithful in all else.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import struct
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

POISON = b"poison"
LIMIT = 5_000_000
#: Closing then resets the connection instead of ending it.
_RESET = struct.pack("ii", 1, 0)
#: (id, start time, type or table)
Identity = tuple[str, Any, str]


class Receiver:
    """One destination: how it behaves now, and what it has received."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.mode = "ok"
        #: Seconds that each answer takes.
        self.delay_s = 0.0
        #: Identities by id, in the order of arrival. One id with two identities would be shown twice.
        self.seen: dict[str, set[Identity]] = {}
        self.arrivals = 0
        self.statuses: Counter[str] = Counter()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Event()

    async def behave(self, mode: str = "ok", delay_s: float = 0.0) -> None:
        """Change the behaviour; what hangs, hangs up."""
        self.mode, self.delay_s = mode, delay_s
        self._changed.set()
        self._changed = asyncio.Event()
        if mode == "refuse":
            await self._stop()
        elif self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, reuse_address=True)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection stays."""
        head = await reader.readuntil(b"\r\n\r\n")
        request_line, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in fields)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if self.mode in ("hang", "reset"):
            self.statuses[self.mode] += 1
            await self._misbehave(writer)
            return False
        await asyncio.sleep(self.delay_s)
        method, path, _ = request_line.split(" ", 2)
        status, extra, answer = self._answer(method, path, body)
        self.statuses[str(status)] += 1
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(answer)}\r\n{extra}\r\n".encode() + answer)
        await writer.drain()
        return True

    async def _misbehave(self, writer: asyncio.StreamWriter) -> None:
        if self.mode == "hang":
            await self._changed.wait()
            return
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()

    def _answer(self, method: str, path: str, body: bytes) -> tuple[int, str, bytes]:
        if method == "GET":
            return 200, "content-type: text/html\r\n", b"<html>Sign in</html>"
        if self.mode == "poison" and POISON in body:
            return 400, "", json.dumps({"code": "22P02", "message": "invalid input"}).encode()
        if self.mode == "limit" and len(body) > LIMIT:
            return 413, "", b"{}"
        if self.mode in ("ok", "poison", "limit"):
            self._take(path, body)
            return (200, "", b"{}") if self.name == "langfuse" else (201, "", b"[]")
        extra = {"302": "location: /login\r\n", "429": "retry-after: 1\r\n"}.get(self.mode, "")
        return int(self.mode), extra, json.dumps({"error": "INTERNAL_ERROR", "message": "something failed"}).encode()

    def _take(self, path: str, body: bytes) -> None:
        for identity in _spans(body) if self.name == "langfuse" else _rows(path, body):
            self.arrivals += 1
            self.seen.setdefault(identity[0], set()).add(identity)

    def counts(self) -> dict[str, Any]:
        """What has arrived: ids, repeats of the very same, ids with two identities, and answers by status."""
        identities = sum(map(len, self.seen.values()))
        return {
            "distinct": len(self.seen),
            "repeats": self.arrivals - identities,
            "conflicts": sum(len(found) > 1 for found in self.seen.values()),
            "statuses": dict(self.statuses),
        }


def _spans(body: bytes) -> Iterator[Identity]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                types = (pair.value.string_value for pair in span.attributes if pair.key == "langfuse.observation.type")
                yield span.span_id.hex(), span.start_time_unix_nano, next(types, "")


def _rows(path: str, body: bytes) -> Iterator[Identity]:
    """Rows of spans by the OpenTelemetry span id, those of traces by the trace id."""
    table = path.partition("?")[0].rpartition("/")[2]
    for row in json.loads(body):
        key = row["span_id"].replace("-", "")[16:] if table == "pipeline_spans" else row["trace_id"].replace("-", "")
        yield key, row["start_time"], table


async def _obey(receivers: dict[str, Receiver], command: dict[str, Any]) -> Any:
    for name, behaviour in command.get("set", {}).items():
        await receivers[name].behave(**behaviour)
    if "seen" in command:
        return list(receivers[command["seen"]].seen)
    return {name: receiver.counts() for name, receiver in receivers.items()}


async def _main() -> None:
    receivers = {name: Receiver(name) for name in ("langfuse", "insforge")}
    for receiver in receivers.values():
        await receiver.behave()
    print(json.dumps({name: receiver.port for name, receiver in receivers.items()}), flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        print(json.dumps(await _obey(receivers, json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
