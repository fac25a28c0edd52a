"""Small stores with everything in them, written by the storage core itself: to be looked at, or broken."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from segue.storage.api import (
    Cursor,
    Log,
    PosixDisk,
    Store,
    StoreOptions,
    encode,
    lock_directory,
    open_store,
    prefix,
)

__all__ = ["NOW_MS", "Content", "Shelf", "body_of", "open_shelf", "read_content", "record", "write_plain_store"]

NOW_MS = 1_700_000_000_000
_OPTIONS = StoreOptions(journal_file_bytes=1 << 20, segment_bytes_min=64 << 10, checkpoint_interval_seconds=3600)


class _Crash(Exception):
    """Leaves a store without a clean stop."""


class Shelf:
    """An open store, and verbs for what a broker does to it."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def queue(self, name: str) -> Cursor:
        """A new queue: its only cursor."""
        log = self.store.create_log({"kind": "queue", "name": name})
        return self.store.create_cursor(log, {"kind": "queue"})

    def topic(self, pattern: str, *names: str) -> list[Cursor]:
        """A new pattern with a cursor for each durable subscription."""
        log = self.store.create_log({"kind": "topic", "pattern": pattern})
        return [self.store.create_cursor(log, {"kind": "subscription", "name": name}) for name in names]

    async def fill(self, log: Log, count: int, size: int = 200) -> None:
        """Append messages; on return they are durable."""
        for seq in range(log.head, log.head + count):
            log.append(record(log.id, seq, size))
        self.store.want()
        await self.store.drain()

    async def take(self, cursor: Cursor, count: int) -> list[int]:
        """Hand out the next messages; returns their numbers."""
        taken: list[int] = []
        out: dict[int, int] = {}
        cursor.out.append(out)
        while len(taken) < count:
            more = trio.Event()
            cursor.listener = more.set
            first, records = cursor.read(count - len(taken))
            if not records:
                self.store.flush()
                await more.wait()
            seqs = range(first, first + len(records))
            out.update(dict.fromkeys(seqs, 1))
            taken += seqs
        return taken

    async def settle(self, cursor: Cursor, seqs: list[int]) -> None:
        """Acknowledge messages that are out; on return that is durable."""
        for out in cursor.out:
            for seq in seqs:
                out.pop(seq, None)
        cursor.settle(seqs)
        self.store.want()
        await self.store.drain()

    async def checkpoint(self) -> None:
        """What is in memory goes to disk."""
        await self.store.checkpoint()


@asynccontextmanager
async def open_shelf(root: Path, *, crash: bool = False) -> AsyncIterator[Shelf]:
    """Open a store with small segments; `crash`: it is left as a crash would leave it."""
    ticks = iter(range(1 << 40))
    now_ms: Callable[[], int] = lambda: NOW_MS + next(ticks)  # noqa: E731 - a clock in one line
    with lock_directory(root):
        try:
            async with open_store(PosixDisk(root), _OPTIONS, now_ms) as store:
                yield Shelf(store)
                if crash:
                    raise _Crash
        except* _Crash:
            pass


async def write_plain_store(root: Path, *, crash: bool = False) -> None:
    """Two queues and a topic; segments, loose blocks, holes; after a crash, a journal with all kinds of entries."""
    async with open_shelf(root, crash=crash) as shelf:
        orders, quiet = shelf.queue("orders"), shelf.queue("quiet")
        alice, bob = shelf.topic("news.#", "alice", "bob")
        for _ in range(3):
            await shelf.fill(orders.log, 1000)
            await shelf.checkpoint()
        await shelf.fill(quiet.log, 10)
        await shelf.fill(alice.log, 20)
        await shelf.settle(orders, (await shelf.take(orders, 10))[::2])
        await shelf.settle(alice, await shelf.take(alice, 20))
        await shelf.settle(bob, await shelf.take(bob, 5))
        await shelf.checkpoint()
        await shelf.fill(orders.log, 100)
        await shelf.fill(quiet.log, 5)
        await shelf.settle(orders, await shelf.take(orders, 3))
        if crash:
            gone = shelf.queue("gone")
            await shelf.fill(gone.log, 5)
            shelf.store.drop_log(gone.log)
            late = shelf.queue("late")
            await shelf.fill(late.log, 7)


def record(log_id: int, seq: int, size: int = 200) -> bytes:
    """A message that tells where it belongs."""
    body = body_of(log_id, seq, size)
    common, crc = prefix(NOW_MS, b"destination:/queue/q%d\ncontent-length:%d\n\n" % (log_id, len(body)))
    return encode(common, crc, body)


def body_of(log_id: int, seq: int, size: int = 200) -> bytes:
    """The body of that message."""
    return (b"%d-%d " % (log_id, seq)).ljust(size, b".")


Content = dict[tuple[str, str], dict[int, bytes]]
"""What each cursor still delivers, by the names of its log and itself: sequence number → record."""


async def read_content(root: Path) -> Content:
    """Open a copy of a store as a daemon would, and take everything off that it owes."""
    copy = root.with_name(f"{root.name}-read")
    shutil.copytree(root, copy)
    try:
        async with open_shelf(copy, crash=True) as shelf:
            return {
                (str(log.definition), str(cursor.definition)): dict(await _drain(shelf.store, cursor))
                for log in shelf.store.logs.values()
                for cursor in log.cursors
            }
    finally:
        shutil.rmtree(copy)


async def _drain(store: Store, cursor: Cursor) -> list[tuple[int, bytes]]:
    taken: list[tuple[int, bytes]] = []
    while cursor.returned or cursor.next < cursor.log.durable:
        more = trio.Event()
        cursor.listener = more.set
        if cursor.returned:
            again = cursor.take_returned()
            found = [(again[0], again[2])] if again is not None else []
        else:
            first, records = cursor.read(1000)
            found = list(enumerate(records, first))
        taken += found
        if not found and (cursor.returned or cursor.next < cursor.log.durable):
            store.flush()
            await more.wait()
    return taken
