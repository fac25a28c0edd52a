"""A connection: every request is answered with what it sent, in order, however it comes and is read."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle

import h11
import trio
from hypothesis import given
from hypothesis import strategies as st

from segue.protocols.http import Exchange
from tests.helpers.http_client import request
from tests.property.examples import examples
from tests.property.http.wire import cut
from tests.unit.protocols.http.http_world import HttpWorld


@dataclass(frozen=True)
class Asked:
    """A request for its own body.

    Attributes:
        path: one that takes its body whole, or one that takes it in pieces.
        size: of the body.
        chunk_bytes: of the body's chunks; 0 for a length instead.
        at_once: it is answered in the step in which it is carried out, if it is not in pieces.
        piece_bytes: of the answer; 0 for a whole one.
    """

    path: str
    size: int
    chunk_bytes: int
    at_once: bool
    piece_bytes: int

    @property
    def body(self) -> bytes:
        return (bytes(range(256)) * (self.size // 256 + 1))[: self.size]

    @property
    def wire(self) -> bytes:
        if not self.chunk_bytes:
            return request(self.path, method="POST", body=self.body)
        pieces = [self.body[at : at + self.chunk_bytes] for at in range(0, self.size, self.chunk_bytes)]
        chunks = b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""]])
        return request(self.path, "Transfer-Encoding: chunked", method="POST") + chunks


asked = st.builds(
    Asked,
    path=st.sampled_from(["/a/b", "/stream"]),
    size=st.one_of(st.integers(0, 50), st.integers(0, 200_000)),
    chunk_bytes=st.sampled_from([0, 7_000, 100_000]),
    at_once=st.booleans(),
    piece_bytes=st.sampled_from([0, 1_000, 70_000]),
)


class Echo:
    """Answers requests with their bodies, each in its own way."""

    def __init__(self, all_asked: list[Asked]) -> None:
        self._ways = iter(all_asked)

    def __call__(self, exchange: Exchange) -> None:
        way = next(self._ways)
        if way.path == "/a/b" and way.at_once and not way.piece_bytes:
            exchange.answer(200, exchange.request.body)
        else:
            exchange.start(lambda: self._answer(exchange, way))

    async def _answer(self, exchange: Exchange, way: Asked) -> None:
        body = exchange.request.body
        while way.path == "/stream" and (piece := await exchange.read()):
            body += piece
        if not way.piece_bytes:
            exchange.answer(200, body)
            return
        exchange.begin(200)
        for at in range(0, len(body), way.piece_bytes):
            exchange.write(body[at : at + way.piece_bytes])
            await exchange.drained()
        exchange.end()


@examples(40)
@given(
    st.lists(asked, min_size=1, max_size=4),
    st.lists(st.integers(0, 400_000), max_size=5),
    st.lists(st.sampled_from([0, 10, 5_000, 300_000]), min_size=1, max_size=5),
)
def test_requests_are_answered_in_order_however_they_come_and_are_read(
    all_asked: list[Asked], at: list[int], rooms: list[int]
) -> None:
    reads = cut(b"".join([one.wire for one in all_asked]), at)
    written = trio.run(converse, all_asked, reads, rooms)
    found = answers_of(written, len(all_asked))
    assert [len(body) for body in found] == [one.size for one in all_asked]
    assert all(body == one.body for body, one in zip(found, all_asked, strict=True))


async def converse(all_asked: list[Asked], reads: list[bytes], rooms: list[int]) -> bytes:
    world = HttpWorld()
    world.handler = Echo(all_asked)
    world.connection.room = 0
    async with trio.open_nursery() as world.nursery:
        for data, room in zip(reads, cycle(rooms), strict=False):
            await wait_until_read(world)
            world.say(data)
            world.connection.read_on()
            world.connection.take_more(room)
            await world.run_tasks()
        world.connection.take_more()
        while world.connection.tasks or world.nursery.child_tasks:
            await world.run_tasks()
    assert world.node.receiving.bytes == 0
    return bytes(world.connection.written)


async def wait_until_read(world: HttpWorld) -> None:
    """A peer that is not read can't go on until it reads answers itself."""
    while not world.conversation.thirsty:
        world.connection.take_more(1000)
        await world.run_tasks()


def answers_of(wire: bytes, count: int) -> list[bytes]:
    """The bodies of all answers, as h11 reads them."""
    bodies: list[bytes] = []
    client = h11.Connection(h11.CLIENT)
    while len(bodies) < count:
        client.send(h11.Request(method="POST", target="/", headers=[("host", "a"), ("content-length", "0")]))
        client.send(h11.EndOfMessage())
        if not bodies:
            client.receive_data(wire)
        body = b""
        while not isinstance(event := client.next_event(), h11.EndOfMessage):
            assert isinstance(event, h11.Response | h11.Data), event
            body += event.data if isinstance(event, h11.Data) else b""
        bodies.append(body)
        client.start_next_cycle()
    assert client.trailing_data[0] == b""
    return bodies
