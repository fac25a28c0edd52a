"""One connection's requests: their order, answers that come later, and peers that leave."""

from __future__ import annotations

import pytest

from segue.broker.errors import NotFoundError
from segue.protocols.http import Exchange, HttpError, Route, Routes
from tests.helpers.http_client import request
from tests.unit.protocols.http.http_world import HttpWorld, post
from tests.unit.protocols.tcp.fake_connection import FakeConnection

__all__: list[str] = []


@pytest.fixture
def world() -> HttpWorld:
    return HttpWorld()


def answer(world: HttpWorld, body: bytes = b"") -> None:
    exchange = world.exchanges.pop(0)
    exchange.answer(200, body or exchange.request.body)
    world.settle_down()


def test_a_handler_sees_the_whole_request(world: HttpWorld) -> None:
    world.say(post(b"hello", "X: y"))
    (exchange,) = world.exchanges
    assert (exchange.request.method, exchange.request.body, exchange.request.headers["x"]) == ("POST", b"hello", "y")
    assert exchange.request.parameters == {"b": "b c"}
    assert (exchange.peer, exchange.peer_is_loopback) == ("127.0.0.1:1", True)


def test_the_next_request_waits_until_the_one_before_is_answered(world: HttpWorld) -> None:
    world.say(post(b"1") + post(b"2"))
    world.say(post(b"3"))
    for number in (b"1", b"2", b"3"):
        assert [exchange.request.body for exchange in world.exchanges] == [number]
        answer(world)
        assert world.heard() == [b"200 " + number]


def test_who_sends_very_much_at_once_is_not_read_for_a_while(world: HttpWorld) -> None:
    world.say(post(b"x" * 10) * 2000)
    thirst = [world.conversation.thirsty]
    while world.exchanges:
        answer(world)
    thirst.append(world.conversation.thirsty)
    assert thirst == [False, True]
    assert len(world.heard()) == 2000


def test_who_is_not_read_for_a_while_is_read_again_when_there_is_room(world: HttpWorld) -> None:
    world.say(post(b"x" * 10) * 2000)
    world.connection.read_on()
    assert not world.connection.reading
    while world.exchanges:
        answer(world)
    assert world.connection.reading


def test_an_answer_may_wait_for_the_disk(world: HttpWorld) -> None:
    def publish(exchange: Exchange) -> None:
        world.node.queue("q").publish(b"x" * 50)
        exchange.when_durable(lambda: exchange.answer(201, b"done"))

    world.handler = publish
    world.connection.last_received = world.clock.monotonic()
    world.conversation.receive(post(b"1"))
    assert world.heard() == []
    world.settle_down()
    assert world.heard() == [b"201 done"]


@pytest.mark.parametrize(
    ("error", "status"),
    [(NotFoundError("none"), b"404"), (HttpError(418, "teapot", "none"), b"418"), (KeyError(), b"500")],
)
def test_what_a_handler_raises_is_the_answer_and_the_connection_goes_on(
    world: HttpWorld, error: Exception, status: bytes
) -> None:
    def fail(exchange: Exchange) -> None:
        raise error

    world.handler = fail
    world.say(post(b"1") + post(b"2"))
    assert [heard[:3] for heard in world.heard()] == [status, status]


def test_only_the_first_answer_counts(world: HttpWorld) -> None:
    world.say(post(b"1"))
    exchange = world.exchanges[0]
    answer(world)
    exchange.answer(200, b"again")
    exchange.fail(HttpError(500, "x", "again"))
    world.settle_down()
    assert world.heard() == [b"200 1"]


def test_whoever_has_not_got_the_whole_answer_has_not_got_it(world: HttpWorld) -> None:
    lost: list[int] = []
    for number, room in enumerate((1 << 20, 10)):
        world.connection.room = room
        world.say(post(b"1"))
        world.exchanges[0].when_lost(lambda number=number: lost.append(number))  # type: ignore[misc]
        answer(world, b"x" * 1000)
    world.connection.abandon("reset")
    assert lost == [1]


def test_a_peer_that_leaves_before_the_answer_is_told_of(world: HttpWorld) -> None:
    lost: list[str] = []
    world.say(post(b"1"))
    (exchange,) = world.exchanges
    exchange.when_lost(lambda: lost.append("lost"))
    world.connection.abandon("reset")
    assert (lost, exchange.over) == (["lost"], True)
    exchange.answer(200, b"too late")
    assert world.heard() == []


def test_who_only_waits_is_told_when_the_peer_has_closed_his_side(world: HttpWorld) -> None:
    world.say(post(b"1") + post(b"2"))
    exchange = world.exchanges[0]
    exchange.when_ending(lambda: exchange.answer(200, b"nothing"))
    world.conversation.end_of_input()
    world.settle_down()
    assert world.heard() == [b"200 nothing"]
    assert world.conversation.finished
    assert world.conversation.quiet()
    assert len(world.exchanges) == 1


def test_a_stop_lets_the_request_that_is_carried_out_end_and_says_so(world: HttpWorld) -> None:
    world.say(post(b"1") + post(b"2"))
    world.connection.close("the broker is shutting down")
    world.conversation.finished = True  # as the connection does
    assert not world.conversation.quiet()
    exchange = world.exchanges.pop()
    exchange.answer(200, b"1")
    world.settle_down()
    assert b"connection: close" in bytes(world.connection.written).lower()
    assert world.heard() == [b"200 1"]
    assert world.conversation.quiet()


def test_deadlines_are_for_what_is_awaited(world: HttpWorld) -> None:
    now = world.clock.monotonic()
    assert world.conversation.next_deadline(now) == now + 75
    world.say(b"POST /a/b HT")
    assert world.conversation.next_deadline(now) == now + 10
    world.say(b"TP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na")
    assert world.conversation.next_deadline(now) == now + 20
    world.clock.advance(19)
    world.say(b"b")
    assert world.conversation.deadline(now + 25) == ""
    assert world.conversation.deadline(now + 39) != ""
    world.settle_down()
    assert [heard[:3] for heard in world.heard()] == [b"408"]


def test_a_request_that_is_carried_out_may_take_its_time(world: HttpWorld) -> None:
    world.say(post(b"1"))
    assert world.conversation.next_deadline(0) == float("inf")
    assert world.conversation.deadline(world.clock.monotonic() + 10_000) == ""


def test_what_is_held_of_bodies_is_counted(world: HttpWorld) -> None:
    world.say(post(b"x" * 50_000)[:-10_000])
    assert world.node.receiving.bytes == 40_000
    world.say(b"x" * 10_000)
    answer(world)
    assert world.node.receiving.bytes == 0


def test_a_request_that_comes_too_slowly_for_others_is_refused() -> None:
    world, other = crowded_world()
    world.say(post(b"x" * 20_000)[:-1])
    other.conversation.receive(post(b"y" * 20_000)[:-1])
    assert not other.conversation.thirsty
    wait_for_frames(world)
    assert [heard[:3] for heard in world.heard()] == [b"408"]
    assert other.conversation.thirsty


def test_what_comes_behind_a_request_that_is_carried_out_keeps_nobody_waiting() -> None:
    world, other = crowded_world()
    world.say(post(b"1") + post(b"x" * 50_000)[:-1])
    other.conversation.receive(post(b"y" * 20_000)[:-1])
    assert (world.conversation.thirsty, other.conversation.thirsty) == (False, True)
    wait_for_frames(world)
    answer(world)
    assert world.heard() == [b"200 1"]
    world.connection.read_on()
    assert not world.connection.reading  # the other one was first, and is not done
    other.conversation.receive(b"y")
    assert world.connection.reading


def crowded_world() -> tuple[HttpWorld, FakeConnection]:
    """A node that has room for one large body at a time, and a second connection to it."""
    world = HttpWorld(memory={"receiving_bytes_max": 30_000})
    return world, world.connect()


def wait_for_frames(world: HttpWorld) -> None:
    """Others wait for the first in the line until it is late."""
    for _ in range(2):
        world.node.receiving.check(world.clock.monotonic(), held=False)
        world.clock.advance(world.settings.limits.frame_seconds)
    world.settle_down()


def test_routes_come_from_elsewhere(world: HttpWorld) -> None:
    assert [route.path for route in world.frontend.routes] == ["/a/{b}", "/a/{b}", "/stream", "/stream"]
    assert isinstance(world.frontend.routes, Routes)


@pytest.mark.parametrize(
    "wire",
    [
        request("/theirs/x"),
        request("/theirs/%zz"),
        request("/theirs/x", host="elsewhere"),
        request("/theirs/x", "A : b"),
        request("/theirs/x", "A: " + "b" * 20_000),
    ],
)
def test_what_no_route_answers_is_said_as_its_interface_says_it(world: HttpWorld, wire: bytes) -> None:
    render = lambda exchange, error: exchange.answer(error.status, b"theirs")  # noqa: E731
    world.frontend.routes.add(Route("GET", "/theirs", lambda _: None, render))
    world.say(request("/theirs/x") + request("/other") + wire)
    first, plain, theirs = world.heard()
    assert plain.endswith(b"There is nothing at /other\n")
    assert first[3:] == theirs[3:] == b" theirs"


@pytest.mark.parametrize(("seconds", "reset", "lost"), [(0.0, True, True), (0.0, False, False), (6.0, True, False)])
def test_an_answer_is_lost_too_if_the_peer_tears_the_connection_down_at_once(
    world: HttpWorld, seconds: float, reset: bool, lost: bool
) -> None:
    world.say(post(b"1"))
    losses: list[bool] = []
    world.exchanges[0].when_lost(lambda: losses.append(True))
    answer(world)
    world.clock.advance(seconds)
    world.connection.was_reset = reset
    world.connection.abandon("gone")
    assert losses == [True] * lost


def test_who_has_asked_for_more_has_read_the_answer(world: HttpWorld) -> None:
    world.say(post(b"1"))
    losses: list[bool] = []
    world.exchanges[0].when_lost(lambda: losses.append(True))
    answer(world)
    world.say(b"POST")
    world.connection.was_reset = True
    world.connection.abandon("gone")
    assert losses == []


@pytest.mark.parametrize(
    ("origin", "status"),
    [("http://evil.example", b"403"), ("null", b"403"), ("http://localhost", b"200"), ("http://localhost:80", b"200")],
)
def test_a_page_of_somebody_else_changes_nothing(world: HttpWorld, origin: str, status: bytes) -> None:
    """Fault 86: a form of any page would be sent with the credentials that the browser has stored."""
    world.handler = lambda exchange: exchange.answer(200)
    world.say(post(b"x=1", f"Origin: {origin}", "Content-Type: text/plain"))
    assert world.heard()[0].startswith(status)
