"""Retained messages through crashes: a start finds those of a moment that is not before the last confirmed one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segue.broker.message import decode, encode, prefix
from segue.broker.node import Node
from segue.broker.settings import Settings
from segue.broker.users import Users
from segue.storage.api import Store
from tests.faults.storage.driver import run_store
from tests.helpers.recorded_log import RecordedLog
from tests.property.crash import Crash, crashes
from tests.property.examples import examples
from tests.unit.broker.memory_store import FakeClock

NAMES = ("a", "a.b", "c")
steps = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), min_size=1, max_size=9),
        st.sampled_from(["go on", "go on", "wait", "wait", "checkpoint"]),
    ),
    min_size=1,
    max_size=12,
)
Steps = list[tuple[list[tuple[str, bool]], str]]
State = dict[str, str]


async def started(store: Store) -> Node:
    node = Node(store, Settings(), FakeClock(), RecordedLog(), Users(Settings().users))
    await node.retained.load()
    return node


def retained(node: Node) -> State:
    found = {name: node.retained._tree.get(name) for name in NAMES}
    return {name: decode(one.record).body.rstrip(b".").decode() for name, one in found.items() if one is not None}


def check_owed(node: Node) -> None:
    """When all is on disk, nothing is owed but what is retained."""
    for log in node.store.logs.values():
        cursor = log.cursors[0]
        found = [seq for seq in range(cursor.next, log.head) if cursor.gaps is None or seq not in cursor.gaps]
        assert len(found) == len(node.retained)


@examples(25)
@given(steps, crashes(after_max=40))
def test_a_start_finds_what_was_retained_at_some_moment_since_the_last_confirmed_one(todo: Steps, crash: Crash) -> None:
    history: list[State] = [{}]
    confirmed = 0

    async def live(store: Store) -> None:
        nonlocal confirmed
        node = await started(store)
        for changes, then in todo:
            for name, keeps in changes:
                body = f"{len(history)}".ljust(900, ".") if keeps else ""
                node.retained.retain(name, encode(*prefix(1, b"\n"), body.encode()))
                history.append(retained(node))
            if then != "go on":
                await store.next_commit()
                confirmed = len(history) - 1
            if then == "checkpoint":
                await store.checkpoint()

    async def look(store: Store) -> State:
        node = await started(store)
        await store.next_commit()
        await store.next_commit()
        check_owed(node)
        return retained(node)

    with crash.end(live) as disk:
        found = run_store(disk, look)
        assert found in history[confirmed:]
        assert run_store(disk, look) == found
