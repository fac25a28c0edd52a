"""Requests over HTTP, against a server of a few lines."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from segue.bench.requests import HttpLoad, request_wire, run_requests
from segue.bench.table import describe_http

WIRE = request_wire("POST", "/a?b", "localhost:1", [("X", "y")], b"hello")
OK = b"HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 5\r\n\r\nhello"


@contextmanager
def server(answers: list[bytes], piece_bytes: int = 1 << 20) -> Iterator[int]:
    """Gives each connection these answers to its requests, in turn, in pieces of so many octets; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, answers, piece_bytes), daemon=True).start()
        yield listener.getsockname()[1]


def _accept(listener: socket.socket, answers: list[bytes], piece_bytes: int) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_answer, args=(connection, answers, piece_bytes), daemon=True).start()


def _answer(connection: socket.socket, answers: list[bytes], piece_bytes: int) -> None:
    received, number = b"", 0
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := connection.recv(1 << 16):
            received += data
            while received.startswith(WIRE):
                received = received[len(WIRE) :]
                answer = answers[number % len(answers)]
                if not answer:
                    return
                for at in range(0, len(answer), piece_bytes):
                    connection.sendall(answer[at : at + piece_bytes])
                number += 1


def load(port: int, **more: int) -> HttpLoad:
    return HttpLoad("127.0.0.1", port, WIRE, seconds=0.2, **more)


def test_every_answer_counts_once_however_it_comes() -> None:
    for piece_bytes in (7, 1 << 20):
        with server([OK, OK.replace(b"Content-Length", b"content-length")], piece_bytes) as port:
            result = run_requests(load(port, connections=3, window=4))
        assert (result.error, result.refused) == ("", 0)
        assert result.latency is not None
        assert result.requests == result.latency.count >= 12


def test_answers_that_refuse_are_counted_and_told() -> None:
    with server([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"]) as port:
        result = run_requests(load(port))
    assert 0 < result.refused <= result.requests
    assert f"{result.refused:,} were refused" in describe_http(result)


def test_a_server_that_leaves_ends_the_run_with_what_there_is() -> None:
    with server([OK, OK, b""]) as port:
        result = run_requests(load(port))
    assert (result.requests, result.error) == (2, "the server closed the connection")
    assert describe_http(result).endswith("FAILED: the server closed the connection")


def test_no_server_is_an_error_that_says_where() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = run_requests(load(port))
    assert (result.requests, result.rate) == (0, 0.0)
    assert result.error.startswith(f"127.0.0.1:{port}: ")


def test_a_request_is_what_was_asked_for() -> None:
    assert WIRE == b"POST /a?b HTTP/1.1\r\nHost: localhost:1\r\nX: y\r\nContent-Length: 5\r\n\r\nhello"
    assert request_wire("GET", "/", "a", [], b"") == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
