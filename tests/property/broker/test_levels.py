"""Queues with priorities against a list that is sorted, and through crashes and errors of the disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from segue.broker.levels import LEVEL
from segue.broker.message import encode, prefix
from segue.broker.node import Node
from segue.broker.priority import Scale
from segue.broker.queue_options import QueueOptions
from segue.broker.selector import compile_selector
from segue.broker.settings import Settings
from segue.broker.users import Users
from segue.storage.api import Store
from tests.faults.storage.driver import OPTIONS, run_store, until
from tests.faults.storage.simulated_disk import Call, SimulatedDisk
from tests.helpers.recorded_log import RecordedLog
from tests.property.broker.owed import owed_by
from tests.property.crash import Crash, crashes
from tests.property.examples import examples
from tests.unit.broker.actors import FakeOutput, FakeSink, World, body_of
from tests.unit.broker.memory_store import FakeClock

_PREFETCH = 3
_SILENT = 11
_HALVES = (compile_selector("half = 0"), compile_selector("half = 1"))
_Step = tuple[str, int, int]
_ACTIONS = ("publish", "publish", "acknowledge", "return", "leave", "spill")
_played = st.lists(st.tuples(st.sampled_from(_ACTIONS), st.integers(0, _SILENT), st.integers(1, 4)), max_size=40)
_LIFE = ("publish", "publish", "publish", "delete", "checkpoint", "options")
_lived = st.lists(st.tuples(st.sampled_from(_LIFE), st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=10)


def message(body: str, priority: int | None, size: int = 0, half: int = 0) -> bytes:
    said = b"" if priority is None else b"priority:%d\n" % priority
    headers = said + b"half:%d\ncontent-length:1\n\n" % half
    return encode(*prefix(1000, headers), body.encode().ljust(size, b"."))


class Model:
    """What a queue with priorities owes: body → (minus its level, whether it is unread, order of acceptance)."""

    def __init__(self, priority_max: int) -> None:
        self._scale = Scale(priority_max)
        self._accepted: dict[str, tuple[int, bool, int]] = {}
        self._waiting: dict[str, tuple[int, bool, int]] = {}

    def publish(self, body: str, priority: int | None) -> None:
        self._accepted[body] = self._waiting[body] = -self._scale.level(priority), True, len(self._accepted)

    def take(self, count: int) -> list[str]:
        first = sorted(self._waiting, key=self._waiting.__getitem__)[:count]
        for body in first:
            del self._waiting[body]
        return first

    def give_back(self, body: str) -> None:
        level, _, order = self._accepted[body]
        self._waiting[body] = level, False, order


@examples(60)
@given(st.sampled_from([1, 3, 9, 10, 255]), _played)
def test_what_consumers_get_is_what_a_sorted_list_has_first(priority_max: int, todo: list[_Step]) -> None:
    world, model = World(), Model(priority_max)
    queue = world.node.declare_queue("q", options=QueueOptions(priority_max=priority_max))
    sink, subscription = world.consume(queue, prefetch=_PREFETCH)
    held: dict[str, int] = {}
    for number, (what, priority, count) in enumerate(todo):
        chosen = sorted(held)[:count]
        if what == "publish":
            for copy in range(count):
                one = (priority + 7 * copy) % (_SILENT + 1)
                body, said = f"{number}.{copy}", None if one == _SILENT else one * priority_max // 10
                queue.publish(message(body, said))
                model.publish(body, said)
            world.node.store.want()
            world.settle_down()
        elif what == "acknowledge":
            world.acknowledge(subscription.consumer, *[held.pop(body) for body in chosen])
        elif what == "return":
            for body in chosen:
                model.give_back(body)
            world.give_back(subscription.consumer, *[held.pop(body) for body in chosen])
        elif what == "leave":
            for body in held:
                model.give_back(body)
            held.clear()
            world.node.sessions[subscription.consumer.session_id].close()
            sink, subscription = world.consume(queue, prefetch=_PREFETCH)
        else:
            for log in queue.logs:
                world.store.spill(log)
        taken = sink.take()
        assert [one.body for one in taken] == model.take(_PREFETCH - len(held))
        held |= {one.body: one.seq for one in taken}
    assert queue.statistics().in_flight == len(held)


@examples(40)
@given(st.sampled_from([1, 9, 255]), _played)
def test_consumers_that_select_get_each_what_a_sorted_list_of_his_own_has_first(
    priority_max: int, todo: list[_Step]
) -> None:
    """The messages of even and of odd numbers are two queues in one."""
    world, models = World(), [Model(priority_max), Model(priority_max)]
    queue = world.node.declare_queue("q", options=QueueOptions(priority_max=priority_max))
    consumers = [world.consume(queue, prefetch=_PREFETCH, selector=one) for one in _HALVES]
    held: list[dict[str, int]] = [{}, {}]
    for number, (what, priority, count) in enumerate(todo):
        half = priority % 2
        _, subscription = consumers[half]
        chosen = sorted(held[half])[:count]
        if what == "publish":
            for copy in range(count):
                one = (priority + 7 * copy) % (_SILENT + 1)
                body, said = f"{number}.{copy}", None if one == _SILENT else one * priority_max // 10
                queue.publish(message(body, said, half=copy % 2))
                models[copy % 2].publish(body, said)
            world.node.store.want()
            world.settle_down()
        elif what == "acknowledge":
            world.acknowledge(subscription.consumer, *[held[half].pop(body) for body in chosen])
        elif what == "return":
            for body in chosen:
                models[half].give_back(body)
            world.give_back(subscription.consumer, *[held[half].pop(body) for body in chosen])
        elif what == "leave":
            for body in held[half]:
                models[half].give_back(body)
            held[half].clear()
            world.node.sessions[subscription.consumer.session_id].close()
            consumers[half] = world.consume(queue, prefetch=_PREFETCH, selector=_HALVES[half])
        else:
            for log in queue.logs:
                world.store.spill(log)
        for of_half, model, (its_sink, _) in zip(held, models, consumers, strict=True):
            taken = its_sink.take()
            assert [one.body for one in taken] == model.take(_PREFETCH - len(of_half))
            of_half |= {one.body: one.seq for one in taken}
    assert queue.statistics().in_flight == len(held[0]) + len(held[1])


def node_on(store: Store) -> Node:
    return Node(store, Settings(), FakeClock(), RecordedLog(), Users(Settings().users))


async def owed(store: Store) -> set[str]:
    """The bodies of everything that is in any log."""
    records = [record for log in store.logs.values() for record in (await owed_by(log.cursors[0])).values()]
    return {body_of(record).rstrip(".") for record in records}


@examples(20)
@given(_lived, crashes(after_max=40))
def test_after_a_crash_each_level_has_its_queue_and_the_messages_are_those_of_a_moment(
    todo: list[_Step], crash: Crash
) -> None:
    """A queue that is deleted goes with all of its levels; a level is there with its first message, or not at all."""
    history: list[set[str]] = [set()]
    confirmed = 0

    async def live(store: Store) -> None:
        nonlocal confirmed
        node = node_on(store)
        for number, (what, one, other) in enumerate(todo):
            expected = set(history[-1])
            if what == "publish":
                queue = node.queues.get("q") or node.declare_queue("q", options=QueueOptions(priority_max=9))
                for body, priority in ((f"{number}.1", one), (f"{number}.2", other)):
                    queue.publish(message(body, priority, 500))
                    expected.add(body)
            elif what == "options" and "q" in node.queues:
                node.queues["q"].apply(QueueOptions(priority_max=one))
            elif what == "delete" and "q" in node.queues:
                node.delete_queue("q")
                expected.clear()
            elif what == "checkpoint":
                await store.checkpoint()
            history.append(expected)
            await store.next_commit()
            confirmed = len(history) - 1

    async def look(store: Store) -> set[str]:
        names = {log.definition["name"] for log in store.logs.values() if log.definition["kind"] == "queue"}
        assert {log.definition["queue"] for log in store.logs.values() if log.definition["kind"] == LEVEL} <= names
        found = await owed(store)
        node = node_on(store)
        assert sum(queue.cursor.ready for queue in node.queues.values()) == len(found)
        return found

    with crash.end(live) as disk:
        assert run_store(disk, look) in history[confirmed:]


def test_a_level_that_the_disk_does_not_give_holds_up_no_other_until_it_does(tmp_path: Path) -> None:
    """Fault 26: what is lower goes on at once, without anything else having to happen."""
    disk = SimulatedDisk(tmp_path)

    async def live(store: Store) -> list[list[str]]:
        node = node_on(store)
        queue = node.declare_queue("q", options=QueueOptions(priority_max=9))
        for number in range(40):
            queue.publish(message(f"high {number}", 9, 500))
        await store.next_commit()
        await store.checkpoint()
        level = queue.log_of(9)

        def broken(call: Call) -> Exception | None:
            is_its_segment = call.what == "open_database" and call.path.startswith(f"segments/{level.id}/")
            return OSError(errno.EIO, os.strerror(errno.EIO), call.path) if is_its_segment else None

        disk.fault = broken
        for number in range(3):
            queue.publish(message(f"low {number}", 0))
        await store.next_commit()
        sink = FakeSink()
        session = node.open_session("", "", "", FakeOutput())
        session.subscribe_queue(queue, sink, prefetch=50, settles=True)
        node.end_step()
        await until(lambda: len(sink.deliveries) == 3)
        first = [body.rstrip(".") for body in sink.bodies()]
        assert "Input/output error" in queue.cursor.fault
        disk.fault = lambda call: None
        await until(lambda: len(sink.deliveries) == 40)
        return [first, [body.rstrip(".") for body in sink.bodies()]]

    first, rest = run_store(disk, live, OPTIONS, clock=MockClock(rate=100))
    assert first == [f"low {number}" for number in range(3)]
    assert rest == [f"high {number}" for number in range(40)]
