"""Clients at once, against a server of a few lines: each talks until its conversation ends."""

from __future__ import annotations

from segue.bench.http.clients import Conversation
from segue.bench.http.load import run_clients
from tests.helpers.ports import free_port
from tests.unit.bench.test_requests import OK, WIRE, server

NO = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno"


def asking(times: int, got: list[bytes]) -> Conversation:
    for _ in range(times):
        answer = yield WIRE
        got.append(answer)


def test_every_client_is_given_the_answers_to_its_requests_however_they_come() -> None:
    got: list[bytes] = []
    with server([OK], piece_bytes=7) as port:
        figures = run_clients(port, [asking(2, got), asking(1, got)])
    assert (figures["error"], figures["request"]["count"], got) == ("", 3, [b"hello"] * 3)
    assert figures["seconds"] > 0


def test_a_client_that_has_nothing_to_ask_is_done() -> None:
    with server([OK]) as port:
        figures = run_clients(port, [asking(0, [])])
    assert (figures["error"], figures["request"]) == ("", None)


def test_a_refusal_ends_the_run_with_what_was_said() -> None:
    got: list[bytes] = []
    with server([OK, NO]) as port:
        figures = run_clients(port, [asking(9, got)])
    assert (figures["error"], got) == ("HTTP/1.1 503 Service Unavailable: no", [b"hello"])


def test_a_server_that_leaves_ends_the_run() -> None:
    with server([OK, b""]) as port:
        figures = run_clients(port, [asking(2, [])])
    assert figures["error"] == "the broker closed the connection"


def test_where_nobody_listens_the_run_is_an_error_and_no_more() -> None:
    port = free_port()
    figures = run_clients(port, [asking(1, [])])
    assert figures["error"].startswith(f"127.0.0.1:{port}: ")
    assert (figures["seconds"], figures["request"]) == (0.0, None)
