"""LoopbackServer: the HTTP server that the shipped test doubles stand on."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from otel_llm.testing.server import HangUp, LoopbackServer, Request, Response


class Echo(LoopbackServer):
    """Answers with what it was asked; some paths misbehave."""

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(port=port)
        self.closed = threading.Event()

    def answer(self, request: Request) -> Response:
        if request.path == "/fault":
            raise ValueError("no such thing")
        if request.path == "/hang-up":
            raise HangUp
        if request.path.startswith("/empty/"):
            return Response(int(request.path.removeprefix("/empty/")), {"ETag": '"1"'}, b"not sent")
        if request.path == "/pieces":
            return Response(200, {"Content-Type": "text/event-stream"}, iter([b"data: 1\n\n", b"", b"data: 2\n\n"]))
        if request.path == "/endless":
            return Response(body=self.endless())
        if request.path == "/cut":
            return Response(body=self.cut())
        echo = {"method": request.method, "path": request.path, "query": request.query, "body": request.body.decode()}
        return Response.json(echo | {"colour": request.headers.get("COLOUR")}, 201, {"X-Served-By": "echo"})

    def endless(self) -> Iterator[bytes]:
        try:
            while True:
                yield b"more " * 1000
        finally:
            self.closed.set()

    def cut(self) -> Iterator[bytes]:
        yield b"half of "
        raise HangUp


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as server:
        yield server


@pytest.fixture
def http(echo: Echo) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=echo.base_url) as client:
        yield client


def test_a_request_arrives_decoded(http):
    response = http.post("/a%20b?x=1&x=2&empty=", content="hello", headers={"Colour": "red"})

    assert (response.status_code, response.headers["X-Served-By"]) == (201, "echo")
    assert response.json() == {
        "method": "POST",
        "path": "/a b",
        "query": [["x", "1"], ["x", "2"], ["empty", ""]],
        "body": "hello",
        "colour": "red",
    }


def test_a_chunked_request_body_arrives_whole(http):
    assert http.put("/", content=iter([b"one, " * 5, b"two"])).json()["body"] == "one, one, one, one, one, two"


def test_pieces_go_out_chunked(http):
    response = http.get("/pieces")

    assert (response.text, response.headers["Transfer-Encoding"]) == ("data: 1\n\ndata: 2\n\n", "chunked")


@pytest.mark.parametrize("status", [204, 304])
def test_some_statuses_have_no_body(status, http):
    response = http.get(f"/empty/{status}")

    assert (response.status_code, response.headers["ETag"], response.content) == (status, '"1"', b"")
    assert http.get("/").status_code == 201


def test_a_connection_is_kept(echo):
    with socket.create_connection(("127.0.0.1", echo.port)) as connection, connection.makefile("rb") as answers:
        for _ in range(2):
            connection.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert answers.readline() == b"HTTP/1.1 201 Created\r\n"
            while answers.readline() != b"\r\n":
                pass


def test_a_fault_is_answered_and_kept(echo, http):
    response = http.get("/fault")

    assert (response.status_code, response.json()) == (500, {"error": "ValueError: no such thing"})
    assert [str(failure) for failure in echo.failures] == ["no such thing"]


@pytest.mark.parametrize("path", ["/hang-up", "/cut"])
def test_hanging_up_is_no_fault(path, echo, http):
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(path)

    assert echo.failures == []


def test_a_client_may_leave_in_the_middle_of_a_stream(echo, http):
    with http.stream("GET", "/endless") as response:
        next(response.iter_raw())

    assert echo.closed.wait(10)
    assert echo.failures == []


def test_a_stop_ends_open_connections_and_a_start_takes_the_same_port(echo, http):
    with http.stream("GET", "/endless") as response:
        echo.stop()
        with pytest.raises(httpx.TransportError):
            response.read()
    with pytest.raises(httpx.ConnectError):
        http.get("/")

    echo.start()

    assert http.get("/").status_code == 201


def test_128_connections_at_once(echo):
    barrier = threading.Barrier(128)

    def ask(_: int) -> int:
        barrier.wait()
        return http.get("/").status_code

    unlimited = httpx.Limits(max_connections=None)
    with httpx.Client(base_url=echo.base_url, limits=unlimited) as http, ThreadPoolExecutor(128) as threads:
        assert set(threads.map(ask, range(128))) == {201}


def test_starting_twice_is_a_mistake(echo):
    with pytest.raises(RuntimeError, match="already serving"):
        echo.start()


def test_stopping_twice_is_not(echo):
    echo.stop()
    echo.stop()
