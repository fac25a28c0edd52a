"""Whatever endpoints answer, whenever the broker is killed: each message reaches its subscribers, or its retries end.

What a subscriber has taken, and what it has acknowledged, is not pushed to it again; only of a message that was being
pushed when the broker was killed may something be pushed twice, under the same id.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import trio
from hypothesis import given
from hypothesis import strategies as st

from segue.broker.errors import NotHeldError
from segue.protocols.push.options import PushType
from tests.property.examples import examples
from tests.unit.protocols.push.push_world import TRIED, Endpoint, PushWorld, push_world

HOSTS: Final = ("a", "b", "c")
RETRIES: Final = 2
DELAY_SECONDS: Final = 60
NO_ANSWER: Final = 0
HANGS: Final = -1

Step = tuple[str, int, int]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("post"), st.integers(1, 4), st.just(0)),
        st.tuples(st.just("answer"), st.integers(0, 2), st.sampled_from([200, 202, 500, 503, NO_ANSWER, HANGS])),
        st.tuples(st.just("wait"), st.sampled_from([1, 30, 60, 200]), st.just(0)),
        st.tuples(st.just("acknowledge"), st.integers(0, 30), st.just(0)),
        st.tuples(st.just("crash"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


class PushHistory:
    """A push queue, and what its subscribers know of it.

    Attributes:
        ids: of all messages that were posted.
        done: messages that a host has taken or acknowledged.
        failed: messages that are given up, and hosts that have not got them.
        repeated: messages that were being pushed when the broker was killed.
        acknowledged: messages that somebody has acknowledged; in unicast the next host may be at it by then.
        reservations: message, host and reservation of all pushes.
    """

    def __init__(self, world: PushWorld, kind: PushType) -> None:
        self.world = world
        self.kind = kind
        self.ids: list[str] = []
        self.done: set[tuple[str, str]] = set()
        self.failed: set[tuple[str, str]] = set()
        self.repeated: set[str] = set()
        self.acknowledged: set[str] = set()
        self.reservations: list[tuple[str, str, str]] = []
        world.open(*HOSTS, kind=kind, retries=RETRIES, retries_delay_seconds=DELAY_SECONDS, error_queue="errors")

    async def play(self, step: Step) -> None:
        what, number, status = step
        if what == "post":
            ids = [str(len(self.ids) + one) for one in range(number)]
            self.ids += ids
            self.world.post_messages(*ids)
            await self.look(0)
        elif what == "answer":
            await self.set_answer(HOSTS[number], status)
        elif what == "wait":
            await self.look(number)
        elif what == "acknowledge" and self.reservations:
            await self.acknowledge(*self.reservations[number % len(self.reservations)])
        elif what == "crash":
            self.repeated |= {message_id for message_id in self.ids if self.is_under_way(message_id)}
            await self.world.crash()
            await self.look(0)

    async def set_answer(self, host: str, status: int) -> None:
        before = self.world.endpoints.get(host, Endpoint())
        gate = trio.Event() if status == HANGS else None
        self.world.endpoints[host] = Endpoint(200 if status == HANGS else status, gate)
        if before.gate is not None:
            before.gate.set()
        await self.look(0)

    async def acknowledge(self, message_id: str, host: str, reservation_id: str) -> None:
        told: list[bool] = []
        try:
            self.world.push_queue.acknowledge(message_id, reservation_id, host, lambda: told.append(True))
        except NotHeldError:
            return
        await self.look(0)
        assert told
        self.done.add((message_id, host))
        self.acknowledged.add(message_id)

    async def look(self, seconds: int) -> None:
        """Let time pass, and look at what has become of everything."""
        for push in await (self.world.later(seconds) if seconds else self.world.run()):
            assert (push.id, push.host) not in self.done or push.id in self.repeated
            self.reservations.append((push.id, push.host, push.reservation_id))
        for message_id in self.ids:
            result = self.world.push_queue.result(message_id)
            if result is None:
                continue
            for host, one in result.tries.subscribers.items():
                assert one.tries <= RETRIES + 1
                if one.status == "deleted":
                    self.done.add((message_id, host))
                elif one.status == "error" and result.tries.is_finished(self.world.options):
                    self.failed.add((message_id, host))

    def is_under_way(self, message_id: str) -> bool:
        result = self.world.push_queue.result(message_id)
        return result is not None and result.tries.under_way

    async def come_to_an_end(self) -> None:
        for host in HOSTS:
            await self.set_answer(host, 200)
        for _ in range(2 * RETRIES + 4):
            await self.look(DELAY_SECONDS)


@examples(60)
@given(steps)
async def test_multicast_reaches_everybody_or_has_used_up_its_retries(played: list[Step]) -> None:
    async with push_world() as world:
        history = PushHistory(world, PushType.MULTICAST)
        for step in played:
            await history.play(step)
        await history.come_to_an_end()
        failed = history.failed
        assert history.done | failed == {(message_id, host) for message_id in history.ids for host in HOSTS}
        check_that_nothing_is_left(world)
        assert len(world.bodies("errors")) == len({message_id for message_id, _ in failed})


@examples(60)
@given(steps)
async def test_unicast_reaches_somebody_or_has_used_up_all_retries(played: list[Step]) -> None:
    async with push_world() as world:
        history = PushHistory(world, PushType.UNICAST)
        for step in played:
            await history.play(step)
        await history.come_to_an_end()
        failed = Counter(message_id for message_id, _ in history.failed)
        taken = Counter(message_id for message_id, _ in history.done)
        for message_id in history.ids:
            once = taken[message_id] == 1 or message_id in history.repeated | history.acknowledged
            assert (once and taken[message_id]) or failed[message_id] == len(HOSTS) or message_id in history.repeated
        check_that_nothing_is_left(world)


def check_that_nothing_is_left(world: PushWorld) -> None:
    assert world.counts() == (0, 0, 0)
    assert TRIED not in world.node.queues or world.counts(TRIED) == (0, 0, 0)
    assert world.push_queue._held == {}
    assert (world.push_queue._tried_held, world.push_queue._tried_bytes) == (0, 0)
    assert len(world.timers) == 0
