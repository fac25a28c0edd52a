"""Answers and bodies in pieces, as handlers write and read them."""

from __future__ import annotations

import pytest
import trio

from segue.broker.errors import NotFoundError
from segue.protocols.http import Exchange, HttpError
from segue.protocols.http.errors import PeerGoneError
from tests.helpers.http_client import request
from tests.unit.protocols.http.http_world import HttpWorld, post

STREAM = request("/stream", "Transfer-Encoding: chunked", method="POST")
KIB = 1 << 10


@pytest.fixture
async def world(nursery: trio.Nursery) -> HttpWorld:
    world = HttpWorld()
    world.nursery = nursery
    return world


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Reader:
    """A handler that reads a body to its end in a task, and answers with it.

    Attributes:
        pieces: what it has read; None at the end.
        go_on: it reads the next piece only when this is set.
        failure: why it could not read on.
    """

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.go_on = trio.Event()
        self.go_on.set()
        self.failure: HttpError | None = None

    def __call__(self, exchange: Exchange) -> None:
        exchange.start(lambda: self._read(exchange))

    async def _read(self, exchange: Exchange) -> None:
        try:
            await self.go_on.wait()
            while piece := await exchange.read():
                self.pieces.append(piece)
                await self.go_on.wait()
        except HttpError as error:
            self.failure = error
            raise
        exchange.answer(200, b"%d" % sum(map(len, self.pieces)))


@pytest.fixture
async def reader(world: HttpWorld) -> Reader:
    world.handler = reader = Reader()
    return reader


# -- answers


def written(world: HttpWorld) -> bytes:
    """What the peer has got since the last call, after the head of the answer."""
    wire = bytes(world.connection.written)
    world.connection.written.clear()
    return wire.partition(b"\r\n\r\n")[2] if wire.startswith(b"HTTP/") else wire


def begun(world: HttpWorld, wire: bytes = b"") -> Exchange:
    """A request that is answered in pieces."""
    world.say(wire or post(b"1"))
    exchange = world.exchanges.pop()
    exchange.begin(200)
    return exchange


async def test_an_answer_in_pieces_is_sent_as_it_comes_and_the_next_request_follows(world: HttpWorld) -> None:
    exchange = begun(world)
    for piece in (b"hello", b"", b"world"):
        exchange.write(piece)
        world.settle_down()
        assert written(world) == (chunk(piece) if piece else b"")
    exchange.end()
    exchange.write(b"too late")
    world.say(post(b"2"))
    assert written(world) == b"0\r\n\r\n"
    assert [exchange.request.body for exchange in world.exchanges] == [b"2"]


async def test_a_peer_that_knows_no_chunks_gets_none_and_sees_the_end_by_the_close(world: HttpWorld) -> None:
    exchange = begun(world, post(b"1").replace(b"HTTP/1.1", b"HTTP/1.0"))
    exchange.write(b"hello")
    exchange.end()
    world.settle_down()
    assert b"connection: close" in bytes(world.connection.written).lower()
    assert written(world) == b"hello"
    assert world.conversation.finished


async def test_an_answer_in_pieces_to_head_is_its_head(world: HttpWorld) -> None:
    exchange = begun(world, request("/a/b", method="HEAD"))
    assert exchange.over
    exchange.write(b"hello")
    world.settle_down()
    assert written(world) == b""
    world.say(post(b"2"))
    assert len(world.exchanges) == 1


async def test_a_writer_is_told_when_the_peer_does_not_read_and_when_it_reads_again(world: HttpWorld) -> None:
    world.connection.room = 1000
    exchange = begun(world)
    told: list[bool] = []
    fullness: list[bool] = []
    for size in (63, 2):
        exchange.write(b"x" * size * KIB)
        world.settle_down()
        fullness.append(exchange.full)
    assert fullness == [False, True]
    exchange.when_drained(lambda: told.append(exchange.full))
    world.connection.take_more(50 * KIB)
    assert told == []
    world.connection.take_more()
    assert told == [False]


async def test_a_task_writes_only_as_fast_as_the_peer_reads(world: HttpWorld) -> None:
    async def write(exchange: Exchange) -> None:
        exchange.begin(200)
        for _ in range(100):
            exchange.write(b"x" * 10 * KIB)
            await exchange.drained()
        exchange.end()

    world.handler = lambda exchange: exchange.start(lambda: write(exchange))
    world.connection.room = 1000
    world.say(post(b"1"))
    await world.run_tasks()
    assert world.node.pressure.output_bytes < 80 * KIB
    world.connection.take_more()
    await world.run_tasks()
    assert written(world).count(b"x") == 1000 * KIB


async def test_a_task_that_writes_to_nobody_ends(world: HttpWorld) -> None:
    ended: list[Exception] = []

    async def write(exchange: Exchange) -> None:
        exchange.begin(200)
        try:
            while True:
                exchange.write(b"x" * 10 * KIB)
                await exchange.drained()
        except HttpError as error:
            ended.append(error)
            raise

    world.handler = lambda exchange: exchange.start(lambda: write(exchange))
    world.connection.room = 1000
    world.say(post(b"1"))
    await world.run_tasks()
    world.connection.abandon("reset")
    await world.run_tasks()
    assert [type(error) for error in ended] == [PeerGoneError]


async def test_a_peer_that_leaves_before_the_end_of_an_answer_is_told_of(world: HttpWorld) -> None:
    lost: list[str] = []
    for ended in (False, True):
        world.connection = world.connect()
        world.conversation = world.connection.conversation
        world.connection.room = 1000
        exchange = begun(world)
        exchange.write(b"x" * 2000)
        exchange.when_lost(lambda ended=ended: lost.append(f"{ended=}"))  # type: ignore[misc]
        if ended:
            exchange.end()
        world.settle_down()
        world.connection.abandon("reset")
        assert exchange.over
    assert lost == ["ended=False", "ended=True"]


@pytest.mark.parametrize("error", [HttpError(400, "x", "no"), NotFoundError("no")])
async def test_an_error_after_the_beginning_breaks_the_connection_off(world: HttpWorld, error: Exception) -> None:
    exchange = begun(world)
    exchange.write(b"hello")
    world.settle_down()

    def fail() -> None:
        raise error

    exchange.attempt(fail)
    assert world.connection.closed
    assert written(world) == chunk(b"hello")


# -- bodies


async def test_a_body_is_read_as_it_comes(world: HttpWorld, reader: Reader) -> None:
    world.say(STREAM)
    await world.run_tasks()
    for piece in (b"one", b"two"):
        world.say(chunk(piece))
        await world.run_tasks()
        assert reader.pieces[-1] == piece
    world.say(chunk(b"three")[:-4])
    world.say(b"ee\r\n0\r\n\r\n" + post(b"next"))
    world.handler = world.exchanges.append
    await world.run_tasks()
    assert b"".join(reader.pieces) == b"onetwothree"
    assert world.heard() == [b"200 11"]
    assert [exchange.request.body for exchange in world.exchanges] == [b"next"]


async def test_a_body_may_be_larger_than_any_that_is_gathered(nursery: trio.Nursery) -> None:
    world = HttpWorld(body_bytes_max=100 * KIB)
    world.nursery = nursery
    world.handler = Reader()
    world.say(request("/stream", f"Content-Length: {200 * KIB}", method="POST"))
    for _ in range(20):
        await world.run_tasks()
        world.say(b"x" * 10 * KIB)
    await world.run_tasks()
    assert world.heard() == [b"200 %d" % (200 * KIB)]


async def test_nothing_more_is_read_than_a_slow_handler_reads(world: HttpWorld, reader: Reader) -> None:
    reader.go_on = trio.Event()
    world.say(STREAM + chunk(b"x" * 200 * KIB))
    world.connection.read_on()
    await world.run_tasks()
    reading = [world.connection.reading]
    assert world.conversation.next_deadline(0) == float("inf")
    reader.go_on.set()
    await world.run_tasks()
    assert max(map(len, reader.pieces)) < 100 * KIB
    assert [*reading, world.connection.reading] == [False, True]
    world.say(b"0\r\n\r\n")
    await world.run_tasks()
    assert world.heard() == [b"200 %d" % (200 * KIB)]


async def test_who_waits_for_leave_gets_it_when_the_handler_reads(world: HttpWorld, reader: Reader) -> None:
    reader.go_on = trio.Event()
    world.say(STREAM.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    await world.run_tasks()
    assert not world.connection.written
    reader.go_on.set()
    await world.run_tasks()
    assert bytes(world.connection.written) == b"HTTP/1.1 100 Continue\r\n\r\n"
    world.say(chunk(b"x") + b"0\r\n\r\n")
    await world.run_tasks()
    assert world.heard()[-1] == b"200 1"


async def test_an_answer_before_the_body_is_read_ends_the_connection(world: HttpWorld) -> None:
    world.say(STREAM + chunk(post(b"smuggled")))
    world.exchanges.pop().answer(200, b"enough")
    world.settle_down()
    assert b"connection: close" in bytes(world.connection.written)
    assert world.heard() == [b"200 enough"]
    assert (world.conversation.finished, world.exchanges) == (True, [])


async def test_results_may_be_written_while_the_body_is_read(world: HttpWorld) -> None:
    async def echo(exchange: Exchange) -> None:
        exchange.begin(200)
        while piece := await exchange.read():
            exchange.write(piece)
        exchange.end()

    world.handler = lambda exchange: exchange.start(lambda: echo(exchange))
    world.say(STREAM)
    for piece in (b"one", b"two"):
        world.say(chunk(piece))
        await world.run_tasks()
        assert written(world) == chunk(piece)
    world.say(b"0\r\n\r\n")
    await world.run_tasks()
    assert written(world) == b"0\r\n\r\n"
    assert not world.conversation.finished


async def test_who_closes_his_side_behind_the_body_gets_his_answer(world: HttpWorld, reader: Reader) -> None:
    """Fault 60."""
    world.say(STREAM + chunk(b"x" * 100 * KIB) + b"0\r\n\r\n")
    world.conversation.end_of_input()
    await world.run_tasks()
    assert world.heard() == [b"200 %d" % (100 * KIB)]
    assert world.conversation.quiet()


async def test_a_body_that_is_not_whole_is_no_body(world: HttpWorld, reader: Reader) -> None:
    world.say(STREAM + chunk(b"one"))
    await world.run_tasks()
    world.conversation.end_of_input()
    await world.run_tasks()
    assert reader.pieces == [b"one"]
    assert [heard[:3] for heard in world.heard()] == [b"400"]


async def test_what_is_no_body_is_refused(world: HttpWorld, reader: Reader) -> None:
    world.say(STREAM + chunk(b"one") + b"no chunk\r\n")
    await world.run_tasks()
    assert [heard[:3] for heard in world.heard()] == [b"400"]
    assert world.conversation.finished


async def test_a_body_that_stands_still_is_refused_while_it_is_waited_for(world: HttpWorld, reader: Reader) -> None:
    reader.go_on = trio.Event()
    world.say(STREAM)
    await world.run_tasks()
    world.clock.advance(1000)
    reader.go_on.set()
    await world.run_tasks()
    now = world.clock.monotonic()
    assert world.conversation.next_deadline(now) == now + 20
    assert world.conversation.deadline(now + 20) != ""
    await world.run_tasks()
    assert [heard[:3] for heard in world.heard()] == [b"408"]


async def test_a_stop_ends_a_body_that_is_still_coming(world: HttpWorld, reader: Reader) -> None:
    world.say(STREAM + chunk(b"one"))
    await world.run_tasks()
    world.connection.close("the broker is shutting down")
    await world.run_tasks()
    assert reader.pieces == [b"one"]
    assert [heard[:3] for heard in world.heard()] == [b"503"]


async def test_a_peer_that_leaves_ends_the_task_that_reads(world: HttpWorld, reader: Reader) -> None:
    world.say(STREAM)
    await world.run_tasks()
    world.connection.abandon("reset")
    await world.run_tasks()
    assert isinstance(reader.failure, PeerGoneError)


async def test_a_task_that_reads_after_the_answer_gets_nothing_of_the_next_request(world: HttpWorld) -> None:
    failures: list[Exception] = []

    async def read(exchange: Exchange) -> None:
        exchange.answer(200)
        try:
            await exchange.read()
        except HttpError as error:
            failures.append(error)

    world.handler = lambda exchange: exchange.start(lambda: read(exchange))
    world.say(STREAM + b"0\r\n\r\n")
    world.handler = world.exchanges.append
    world.say(STREAM + chunk(b"next"))
    await world.run_tasks()
    assert [type(error) for error in failures] == [PeerGoneError]
