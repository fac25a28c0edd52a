"""Runs a store on a simulated disk, up to the end or to the crash."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import trio

from segue.storage.api import Cursor, Disk, Log, Store, StoreOptions, encode, open_store, prefix
from tests.faults.storage.simulated_disk import SimulatedCrash

__all__ = [
    "OPTIONS",
    "Sequel",
    "crashes",
    "drain_all",
    "fill",
    "nothing",
    "only",
    "read_all",
    "record",
    "run_store",
    "until",
]

OPTIONS = StoreOptions(
    journal_file_bytes=64 << 10,
    checkpoint_journal_bytes=1 << 60,
    checkpoint_interval_seconds=1e9,
    segment_bytes_min=4 << 10,
    replay_memory_bytes_max=1 << 60,
)
"""Small files, and no checkpoint that the test has not asked for."""

Sequel = Callable[[Store], Awaitable[Any]]


def run_store(
    disk: Disk, body: Sequel, options: StoreOptions = OPTIONS, clock: trio.abc.Clock | None = None, **changes: Any
) -> Any:
    """Open a store, run `body`, stop it cleanly. Returns what `body` returns, or None when the disk has crashed."""

    async def main() -> Any:
        async with open_store(disk, replace(options, **changes), lambda: 1_000_000) as store:
            return await body(store)

    try:
        return trio.run(main, clock=clock)
    except BaseException as error:
        if crashes(error):
            return None
        raise


def crashes(error: BaseException) -> bool:
    """True when a simulated crash is the reason."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(crashes, error.exceptions))
    causes = (error.__cause__, error.__context__)
    return isinstance(error, SimulatedCrash) or any(crashes(cause) for cause in causes if cause is not None)


def record(text: str, body_bytes: int = 0) -> bytes:
    """A record whose body begins with `text`."""
    return encode(*prefix(1_000_000, b"destination:/queue/a\n\n"), text.encode().ljust(body_bytes, b"."))


async def fill(store: Store, count: int = 60, size: int = 300) -> Cursor:
    """Put messages onto the one log of a store, made with its cursor if need be; they are on disk when this returns."""
    if not store.logs:
        store.create_cursor(store.create_log({}), {})
    log, cursor = only(store)
    for _ in range(count):
        log.append(record(f"{log.head}", size))
    await store.next_commit()
    return cursor


async def read_all(cursor: Cursor, limit: int = 7) -> list[tuple[int, bytes]]:
    """Take everything that can be read now, returned messages first; what is read stays out."""
    store = cursor.log.store
    out: dict[int, int] = {}
    cursor.out.append(out)
    found: list[tuple[int, bytes]] = []
    told = trio.Event()

    def tell() -> None:
        told.set()

    cursor.listener = tell
    while cursor.ready and not cursor.fault:
        taken = cursor.take_returned() if cursor.returned else None
        if taken is not None:
            seq, deliveries, data = taken
            out[seq] = deliveries + 1
            found.append((seq, data))
            continue
        if not cursor.returned:
            first, records = cursor.read(limit)
            found += enumerate(records, first)
            out.update(dict.fromkeys(range(first, first + len(records)), 1))
            if records:
                continue
        if not cursor.ready:
            break
        store.flush()
        with trio.move_on_after(0.05):  # a fault is told to the store's `on_fault`
            await told.wait()
        told = trio.Event()
    cursor.listener = None
    return found


async def drain_all(cursor: Cursor) -> list[tuple[int, bytes]]:
    """As `read_all`, and settle what was read, durably."""
    found = await read_all(cursor)
    out = cursor.out.pop()
    assert set(out) == {seq for seq, _ in found}
    cursor.settle([seq for seq, _ in found])
    await cursor.log.store.next_commit()
    return found


async def nothing(store: Store) -> None:
    """Start and stop."""


async def until(condition: Callable[[], object]) -> None:
    """Wait for what a thread of the store brings about by itself."""
    with trio.fail_after(600):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await trio.sleep(0.001)


def only(store: Store) -> tuple[Log, Cursor]:
    """The one log of a store, and its one cursor."""
    (log,) = store.logs.values()
    (cursor,) = log.cursors
    return log, cursor
