"""The loopback HTTP/1.1 server that the shipped test doubles stand on.

A double subclasses ``LoopbackServer`` and implements ``answer``; the base owns sockets, threads, framing and a quick stop.
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit


class Headers(Mapping[str, str]):
    """Header fields, looked up in any case. Repeated fields are joined by a comma, as RFC 9110 5.3 allows."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._fields: dict[str, str] = {}
        for name, value in pairs:
            known = self._fields.get(name.lower())
            self._fields[name.lower()] = value if known is None else f"{known}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent. ``path`` is percent-decoded and without the query; ``target`` is both as they came."""

    method: str
    path: str
    target: str
    #: In the order of the URL; a name may come more than once.
    query: list[tuple[str, str]]
    headers: Headers
    #: Freed of chunked framing; still compressed, if the client compressed it.
    body: bytes

    def param(self, name: str, default: str | None = None) -> str | None:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), default)

    def json(self) -> Any:
        """The decoded body. Raises ValueError if it is not JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Response:
    """What to answer. A body of several pieces goes out chunked, each piece at once."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
        """A JSON body with its content type."""
        return cls(status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(value).encode())


class HangUp(Exception):  # noqa: N818  (an event, raised on purpose, rather than an error)
    """Raised in ``answer`` or by a body's iterator: close the connection at once. Not counted as a failure."""


class LoopbackServer:
    """An HTTP server on 127.0.0.1, run by a daemon thread, one more thread per connection.

    Serves between ``start()`` and ``stop()`` or in a ``with`` block. After a stop, another start takes the same port, so that
    an outage can be played.
    """

    def __init__(self, *, port: int = 0) -> None:
        self._port = port
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None
        #: Exceptions out of ``answer`` and out of the iterators of bodies. A test double without a fault has none.
        self.failures: list[BaseException] = []

    def answer(self, request: Request) -> Response:
        """Answer one request. Called by several threads at a time; an exception becomes a 500 and is kept in ``failures``."""
        raise NotImplementedError

    @property
    def port(self) -> int:
        """The port in use; 0 before the first start if none was given."""
        return self._port

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:<port>``, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        """Listen. Raises OSError if the port is taken, RuntimeError if already started."""
        if self._listener is not None:
            raise RuntimeError(f"already serving at {self.base_url}")
        self._listener = _Listener(self, self._port)
        self._port = self._listener.server_address[1]
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(0.02,), name=type(self).__name__, daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Close the listening socket and all connections, also in the middle of an answer. Does nothing if not started."""
        listener, thread = self._listener, self._thread
        if listener is None or thread is None:
            return
        self._listener = self._thread = None
        listener.shutdown()
        thread.join()
        listener.server_close()
        listener.hang_up()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


class _Listener(ThreadingHTTPServer):
    """Accepts connections, and knows those that are open so that a stop can end them."""

    daemon_threads = True
    allow_reuse_port = False
    request_queue_size = 512

    def __init__(self, owner: LoopbackServer, port: int) -> None:
        self.owner = owner
        self._open: set[Any] = set()
        self._changed = threading.Condition()
        super().__init__(("127.0.0.1", port), _Connection)

    def server_bind(self) -> None:
        """Bind without the reverse DNS look-up of ``HTTPServer.server_bind``."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def hang_up(self, patience_s: float = 1.0) -> None:
        """Shut all connections down and wait until their threads have closed them; only a slow ``answer`` makes that long."""
        with self._changed:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # closed by the peer in the meantime
                    continue
            self._changed.wait_for(lambda: not self._open, patience_s)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: what comes here is a connection that broke; failures of ``answer`` are kept where they arise."""


class _Connection(BaseHTTPRequestHandler):
    """One connection: reads requests, writes responses."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def _exchange(self) -> None:
        owner = self.server.owner
        self._started = False
        try:
            self._write(owner.answer(self._read()))
        except (HangUp, ConnectionError):
            self.close_connection = True
        except Exception as failure:  # noqa: BLE001  (the fault of a test double: shown to its test, and to the client as a 500)
            owner.failures.append(failure)
            self.close_connection = True
            self._write_failure(failure)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _exchange  # noqa: N815  (called by these names)

    def _read(self) -> Request:
        parts = urlsplit(self.path)
        return Request(
            method=self.command,
            path=unquote(parts.path),
            target=self.path,
            query=parse_qsl(parts.query, keep_blank_values=True),
            headers=Headers(self.headers.items()),
            body=self._read_body(),
        )

    def _read_body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(self._read_chunks())
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionAbortedError("the client hung up inside its request body")
        return body

    def _read_chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():  # trailer fields, up to the empty line
            pass

    def _write(self, response: Response) -> None:
        if response.headers.get("Connection", "").lower() == "close":
            self.close_connection = True
        if isinstance(response.body, bytes):
            bare = self.command == "HEAD" or response.status in {204, 304}
            length = {} if response.status == 204 else {"Content-Length": str(len(response.body))}
            self._send(_head(response, length) + (b"" if bare else response.body))
        else:
            self._stream(response, response.body)

    def _stream(self, response: Response, pieces: Iterable[bytes]) -> None:
        self._send(_head(response, {"Transfer-Encoding": "chunked"}))
        try:
            for piece in pieces:
                if piece:  # an empty chunk would end the body
                    self._send(b"%x\r\n%b\r\n" % (len(piece), piece))
            self._send(b"0\r\n\r\n")
        finally:
            if close := getattr(pieces, "close", None):
                close()

    def _send(self, data: bytes) -> None:
        self.wfile.write(data)
        self._started = True

    def _write_failure(self, failure: Exception) -> None:
        if self._started:  # too late for a status; the missing end of the body tells
            return
        try:
            self._write(Response.json({"error": f"{type(failure).__name__}: {failure}"}, 500, {"Connection": "close"}))
        except ConnectionError:
            return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is the base class's)
        """No access log."""


def _head(response: Response, framing: Mapping[str, str]) -> bytes:
    reason = responses.get(response.status, "")
    lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{name}: {value}" for name, value in response.headers.items())]
    lines += [f"{name}: {value}" for name, value in framing.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
