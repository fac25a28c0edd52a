"""The HTTP listener from outside: requests in order, what is refused, and what a refusal costs the others."""

from __future__ import annotations

import contextlib
import json
import signal

import pytest

from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.helpers.http_client import request
from tests.integration.http.conftest import Connect

VERSION = request("/version")
CHUNKED = "Transfer-Encoding: chunked"
HOSTILE = [
    (VERSION.replace(b"\r\n", b"\n"), 400),
    (request("/version", "Content-Length: 3", CHUNKED), 400),
    (request("/version", CHUNKED, CHUNKED), 400),
    (request("/version", "Transfer-Encoding: xchunked"), 400),
    (request("/version", "Content-Length: 3", "Content-Length: 4"), 400),
    (request("/version", "Content-Length: +3"), 400),
    (request("/version", "A: b", " c"), 400),
    (request("/version", "Content-Length : 3"), 400),
    (request("/version", CHUNKED) + b"3;a\n=b\r\nabc\r\n0\r\n\r\n", 400),
    (request("/version", *["A: b"] * 100_000), 431),
    (request("/version", "A: " + "b" * (16 << 10)), 431),
    (request("/" + "a" * 9000), 414),
    (request("/version", "Content-Length: 99999999999", "Expect: 100-continue"), 413),
    (request("/version", "Content-Length: 99999999999"), 413),
    (request("/version", "Content-Length: 3", "Content-Encoding: gzip"), 415),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"SSH-2.0-OpenSSH_9\r\n\r\n", 400),
]
"""What can't be trusted, and how it is refused."""


def test_a_connection_serves_one_request_after_the_other(connect: Connect) -> None:
    client = connect()
    for _ in range(3):
        answer = client.ask(VERSION)
        assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
        assert set(json.loads(answer.body)) == {"version"}


def test_the_broker_is_well_and_ready(connect: Connect) -> None:
    client = connect()
    assert json.loads(client.ask(request("/healthz")).body) == {"status": "ok"}
    assert json.loads(client.ask(request("/readyz")).body) == {"status": "ready"}


def test_prometheus_is_served(broker: BrokerProcess, connect: Connect) -> None:
    with broker.client() as client:
        client.publish_confirmed("/queue/metrics", b"hello")
    answer = connect().ask(request("/metrics"))
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "application/openmetrics-text")
    assert b"\nsegue_messages_published_total 1\n" in answer.body
    assert answer.body.endswith(b"\n# EOF\n")


def test_who_knows_no_chunks_gets_an_answer_without(connect: Connect) -> None:
    client = connect()
    answer = client.ask(request("/metrics").replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert (answer.status, answer.headers["transfer-encoding"], answer.headers["connection"]) == (200, None, "close")
    assert answer.body.endswith(b"\n# EOF\n")
    assert client.is_closed()


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.long)])
def test_thousands_of_requests_at_once_are_answered_in_order(connect: Connect, count: int) -> None:
    """Fault 91."""
    client = connect()
    paths = ["/version", "/readyz", "/nothing"]
    client.send(b"".join([request(paths[number % 3]) for number in range(count)]))
    statuses = [client.answer().status for _ in range(count)]
    assert statuses == [[200, 200, 404][number % 3] for number in range(count)]


def test_others_are_served_while_one_sends_thousands_of_requests(connect: Connect) -> None:
    greedy, modest = connect(), connect()
    greedy.send(request("/version") * 3000)
    assert modest.ask(VERSION).status == 200
    greedy.answer()


@pytest.mark.parametrize(("wire", "status"), HOSTILE)
def test_what_can_not_be_trusted_is_refused_and_the_connection_closed(
    connect: Connect, broker: BrokerProcess, wire: bytes, status: int
) -> None:
    """Faults 80 to 83."""
    client, other = connect(), connect()
    with contextlib.suppress(ConnectionError):  # it may be refused before all of it is sent
        client.send(wire + VERSION)
    answer = client.answer()
    assert (answer.status, answer.headers["connection"].lower()) == (status, "close")
    assert client.is_closed()
    assert other.ask(VERSION).status == 200


def test_another_parser_refuses_the_same(broker_factory: BrokerFactory) -> None:
    """Faults 80 to 83, 91: the daemon of the other tests has taken the fastest one that is installed."""
    broker = broker_factory(settings={"http.parser": "h11"})
    for wire, status in HOSTILE:
        client = broker.http_client()
        with contextlib.suppress(ConnectionError):
            client.send(wire + VERSION)
        assert client.answer().status == status, wire[:100]
        assert client.is_closed()
        client.close()
    client = broker.http_client()
    client.send(VERSION * 1000)
    assert [client.answer().status for _ in range(1000)] == [200] * 1000


def test_an_endless_body_is_refused_when_it_is_too_long(broker_factory: BrokerFactory) -> None:
    """Fault 82."""
    broker = broker_factory(settings={"limits.body_bytes_max": 65536})
    client = broker.http_client()
    client.send(request("/version", CHUNKED))
    piece = b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    for _ in range(5):
        client.send(piece)
    assert client.answer().status == 413
    assert client.is_closed()


@pytest.mark.parametrize("path", ["/../etc/passwd", "/%2e%2e/a", "/a%00b", "//version", "/a%2fb", "/%ff", "/version%"])
def test_a_path_that_may_mean_something_else_is_refused(connect: Connect, path: str) -> None:
    """Fault 88."""
    client = connect()
    assert client.ask(request(path)).status == 400
    assert client.ask(VERSION).status == 200


def test_a_name_that_may_have_been_led_here_is_refused(connect: Connect) -> None:
    """Fault 85."""
    client = connect()
    answer = client.ask(request("/version", host="evil.example"))
    assert answer.status == 403
    assert b"http.host_names" in answer.body
    assert client.ask(request("/version", host="127.0.0.1:8080")).status == 200


def test_another_method_is_refused_with_those_that_are_possible(connect: Connect) -> None:
    client = connect()
    answer = client.ask(request("/version", method="DELETE"))
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    answer = client.ask(request("/version", method="OPTIONS"))
    assert (answer.status, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    assert answer.headers["content-length"] is None


def test_head_is_get_without_the_body(connect: Connect) -> None:
    client = connect()
    length = client.ask(VERSION).headers["content-length"]
    answer = client.ask(request("/version", method="HEAD"), "HEAD")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", length)
    assert client.ask(VERSION).status == 200


def test_who_closes_his_side_gets_his_answer(connect: Connect) -> None:
    """Fault 60."""
    client = connect()
    client.send(request("/healthz"))
    client.socket.shutdown(1)
    assert client.answer().status == 200
    assert client.is_closed()


def test_every_answer_keeps_browsers_from_taking_it_for_something_else(connect: Connect) -> None:
    """Faults 86, 87."""
    for path in ("/version", "/<script>"):
        headers = connect().ask(request(path)).headers
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
        assert headers["content-type"] in ("application/json", "text/plain; charset=utf-8")


def test_who_sends_no_whole_request_in_time_is_told_so(broker_factory: BrokerFactory) -> None:
    settings = {"http.head_seconds": 1, "http.body_seconds": 1, "http.idle_seconds": 1}
    broker = broker_factory(settings=settings)
    for wire in (b"GET /ver", request("/version", "Content-Length: 3") + b"a"):
        client = broker.http_client()
        client.send(wire)
        assert client.answer().status == 408
        assert client.is_closed()
    assert broker.http_client().is_closed()


def test_a_stop_answers_what_is_asked_and_closes_what_is_idle(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    idle = broker.http_client()
    assert idle.ask(VERSION).status == 200
    broker.signal(signal.SIGTERM)
    assert idle.is_closed()
    idle.close()
    assert broker.wait() == 0


def test_who_comes_when_there_are_too_many_is_told_to_come_again(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(settings={"limits.connections_max": 1})
    first, second = broker.http_client(), broker.http_client()
    answer = second.answer()
    assert (answer.status, answer.headers["retry-after"], answer.headers["connection"]) == (503, "1", "close")
    assert b"limits.connections_max" in answer.body
    assert second.is_closed()
    assert first.ask(VERSION).status == 200
