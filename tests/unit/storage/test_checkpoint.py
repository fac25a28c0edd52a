"""Tests of segue.storage.checkpoint: very many logs, one that fails half-way, what is set aside and what is removed."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from segue.storage.api import Cursor, Store
from segue.storage.catalog import Catalog
from segue.storage.catalog_rows import CatalogChange
from segue.storage.quarantine import Damage
from tests.faults.storage.driver import only, read_all, record, run_store
from tests.faults.storage.simulated_disk import Call, SimulatedDisk

_LOGS = 1000
_TURNS_MIN = 10


@pytest.fixture
def disk(tmp_path: Path) -> SimulatedDisk:
    return SimulatedDisk(tmp_path)


async def fill(store: Store, count: int = _LOGS, messages: int = 2) -> list[Cursor]:
    """So many logs with messages 1, 2 and so on, all durable."""
    cursors = [store.create_cursor(store.create_log({"number": number}), {}) for number in range(count)]
    for cursor in cursors:
        for _ in range(messages):
            cursor.log.append(record(f"{cursor.log.head}"))
    await store.next_commit()
    return cursors


def run_beside_the_making(
    monkeypatch: pytest.MonkeyPatch, turn: Callable[[int], None]
) -> Callable[[Store], Awaitable[int]]:
    """Make a checkpoint; `turn` is called whenever others have their turn before its catalog is written.

    Returns:
        A function that does it, and returns how many turns that were.
    """
    apply = Catalog.apply
    making = trio.Event()

    async def apply_and_note(catalog: Catalog, change: CatalogChange, committed: Callable[[], None]) -> None:
        making.set()
        await apply(catalog, change, committed)

    async def run(store: Store) -> int:
        turns = 0
        monkeypatch.setattr(Catalog, "apply", apply_and_note)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.checkpoint)
            while not store.checkpointer.under_way:
                await trio.lowlevel.checkpoint()
            while not making.is_set():
                turn(turns)
                turns += 1
                await trio.lowlevel.checkpoint()
        return turns

    return run


def test_others_have_their_turn_while_a_checkpoint_of_many_logs_is_made(
    disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand queues: everybody stood still for some hundred milliseconds every half minute."""

    async def body(store: Store) -> int:
        await fill(store)
        return await run_beside_the_making(monkeypatch, lambda number: None)(store)

    assert run_store(disk, body) >= _TURNS_MIN


def test_what_is_done_in_between_is_neither_lost_nor_undone(
    disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(store: Store) -> None:
        cursors = await fill(store)
        assert sum([len(await read_all(cursor, 1)) for cursor in cursors[:20]]) == 40

        def turn(number: int) -> None:
            if number >= _TURNS_MIN:
                return
            one, last = cursors[number], cursors[-1 - number]
            one.out[-1].pop(1)
            one.settle([1])
            one.log.append(record("new"))
            last.skip_to(3)
            store.drop_log(cursors[500 + number].log)
            store.want()
            store.flush()

        await run_beside_the_making(monkeypatch, turn)(store)
        await store.next_commit()

    async def sequel(store: Store) -> dict[int, list[int]]:
        logs: dict[Any, list[int]] = {}
        for log in list(store.logs.values()):
            number, cursor = log.definition["number"], log.cursors[0]
            logs[number] = sorted([*cursor.returned, *range(cursor.next, log.head)])
            if number % 100 < _TURNS_MIN:  # a commit for each, so not for all of them
                assert [seq for seq, _ in await read_all(cursor)] == logs[number]
        return logs

    run_store(disk, body)
    found = run_store(disk, sequel)
    gone = set(range(500, 500 + _TURNS_MIN))
    assert found.keys() == set(range(_LOGS)) - gone
    assert all(found[number] == [2, 3] for number in range(_TURNS_MIN))
    assert all(found[_LOGS - 1 - number] == [] for number in range(_TURNS_MIN))
    others = set(range(_TURNS_MIN, _LOGS - _TURNS_MIN)) - gone
    assert all(found[number] == [1, 2] for number in others)


# -- one that fails half-way


async def records_of(store: Store) -> dict[Any, dict[int, bytes]]:
    """All that each log owes, read as a consumer would; it goes back to its place."""
    found = {}
    for cursor in list(store.cursors.values()):
        found[cursor.log.definition["number"], cursor.definition.get("name")] = dict(await read_all(cursor))
        cursor.give_back(cursor.out.pop())
    await store.next_commit()
    return found


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize(("what", "path"), [("build", "segments/{}"), ("sync_directory", "segments/{}")])
def test_one_that_fails_at_any_log_takes_nothing_from_any(
    disk: SimulatedDisk, tmp_path: Path, number: int, what: str, path: str
) -> None:
    """Segments of the logs before it are written already, and named by nobody."""

    async def body(store: Store) -> None:
        cursors = await fill(store, 4, 30)
        store.create_cursor(cursors[2].log, {"name": "late"})
        before = await records_of(store)
        broken = path.format(cursors[number].log.id)

        def fault(call: Call) -> Exception | None:
            fails = call.what == what and call.path.startswith(broken)
            return OSError(errno.EIO, os.strerror(errno.EIO), call.path) if fails else None

        disk.fault = fault
        with pytest.raises(OSError, match="Input/output error"):
            await store.checkpoint()
        disk.fault = lambda call: None
        assert [len(cursor.log.hot) for cursor in cursors] == [30] * 4
        assert await records_of(store) == before
        for folder in disk.list("segments"):
            assert disk.list(f"segments/{folder}") == []
        await store.checkpoint()
        assert store.hot_bytes == 0
        assert await records_of(store) == before
        disk.crash_at = len(disk.calls)

    async def sequel(store: Store) -> list[tuple[Any, list[int]]]:
        return [(key, list(records)) for key, records in (await records_of(store)).items()]

    run_store(disk, body, segment_bytes_min=1 << 10)
    found = run_store(disk.copy(tmp_path / "after"), sequel)
    every = list(range(1, 31))
    assert found == [
        ((0, None), every),
        ((1, None), every),
        ((2, None), every),
        ((3, None), every),
        ((2, "late"), every),
    ]


# -- what is set aside


def test_what_is_set_aside_is_owed_after_a_checkpoint_and_a_crash(disk: SimulatedDisk, tmp_path: Path) -> None:
    """Its bytes are sound here, so the start finds that, and puts it back in its place."""

    async def body(store: Store) -> None:
        (cursor,) = await fill(store, 1, 9)
        await read_all(cursor)
        out = cursor.out[-1]
        cursor.give_back({seq: out.pop(seq) for seq in (2, 3, 7)})
        for seq in (1, 4, 9):
            del out[seq]
        cursor.settle([1, 4, 9])
        cursor.quarantine(Damage(2, 3, "its checksum is wrong"))
        await store.checkpoint()
        disk.crash_at = len(disk.calls)

    async def sequel(store: Store) -> list[int]:
        return [seq for seq, _ in await read_all(only(store)[1])]

    run_store(disk, body)
    assert run_store(disk.copy(tmp_path / "after"), sequel) == [2, 3, 5, 6, 7, 8]


def test_between_two_dead_segments_there_is_a_pause_as_long_as_the_removal_of_one(disk: SimulatedDisk) -> None:
    """A purge gives back gigabytes, and stalls nobody."""
    clock = trio.testing.MockClock()
    removals: list[tuple[float, float]] = []

    def take_time() -> None:
        began = clock.current_time()
        clock.jump(0.03)
        removals.append((began, clock.current_time()))

    def note(call: Call) -> None:
        if call.what == "unlink" and call.path.startswith("segments/"):
            trio.from_thread.run_sync(take_time)

    async def let_time_pass() -> None:
        while True:
            clock.jump(0.001)
            await trio.lowlevel.checkpoint()

    async def body(store: Store) -> None:
        for _ in range(4):
            await fill(store, count=1, messages=100)
            await store.checkpoint()
        disk.fault = note
        for log in list(store.logs.values()):
            store.drop_log(log)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(let_time_pass)
            await store.checkpoint()
            nursery.cancel_scope.cancel()

    run_store(disk, body, clock=clock)
    pauses = [began - ended for (_, ended), (began, _) in pairwise(removals)]
    assert len(pauses) == 3
    assert min(pauses) >= 0.03 - 1e-9
