"""However late the disk is done, and in whatever thread: who waits for a commit is told, and nothing stays behind.

Steps of the event loop are made of calls in any order, as those of many connections are, while the disk stops and goes
on between any two of them. Nobody comes by later: what is owed has to go out by itself.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import trio
from hypothesis import given
from hypothesis import strategies as st

from segue.storage.store import Store
from tests.faults.storage.driver import only, record, run_store, until
from tests.faults.storage.simulated_disk import SimulatedDisk
from tests.property.examples import examples

CALLS = st.sampled_from(
    ["publish", "note", "large", "ask", "ask for more", "start", "collect", "end", "stop", "go on", "checkpoint"]
)


class World:
    """A store, and those who wait.

    Attributes:
        asked: numbers, in the order in which somebody has begun to wait.
        told: the same, in the order in which they were told.
    """

    def __init__(self, store: Store, disk: SimulatedDisk) -> None:
        self.store = store
        self.disk = disk
        self.log = store.create_log({})
        store.create_cursor(self.log, {})
        self.asked: list[int] = []
        self.told: list[int] = []

    async def play(self, calls: list[str]) -> None:
        """Then the disk works again, and the last step is over."""
        for call in calls:
            await self.do(call)
        self.disk.gate.set()
        self.store.flush()

    async def do(self, call: str) -> None:
        """One call, or the end of a step."""
        if call in ("publish", "note", "large"):
            self.log.append(record(f"{self.log.head}", 20_000 if call == "large" else 0))
        if call in ("publish", "ask"):
            self.ask(more=0)
        elif call == "ask for more":
            self.ask(more=2)
        elif call == "start":
            self.store.start()
        elif call == "collect":
            self.store.collect()
        elif call == "checkpoint":
            self.store.ask_checkpoint()
        elif call in ("stop", "go on"):
            (self.disk.gate.clear if call == "stop" else self.disk.gate.set)()
        elif call == "end":
            self.store.flush()
            await trio.lowlevel.checkpoint()

    def ask(self, *, more: int) -> None:
        """Somebody waits; when he is told, he publishes and waits again, so many times."""
        number = len(self.asked)
        self.asked.append(number)
        self.store.on_durable(partial(self.tell, number, more))

    def tell(self, number: int, more: int) -> None:
        self.told.append(number)
        if more:
            self.log.append(record("more"))
            self.ask(more=more - 1)


@given(st.lists(CALLS, max_size=60))
@examples(15)
def test_who_waits_for_a_commit_is_told_in_his_turn(calls: list[str]) -> None:
    """And what nobody waits for is durable all the same."""

    async def body(store: Store) -> None:
        world = World(store, disk)
        await world.play(calls)
        with trio.fail_after(60.0):
            await until(lambda: store.idle)
        assert world.told == world.asked
        assert only(store)[0].durable == world.log.head

    with TemporaryDirectory() as folder:
        disk = SimulatedDisk(Path(folder))
        run_store(disk, body)
