"""The journal: one thread that makes batches durable, one positioned synchronous write each.

A batch of more than 2 MiB is written in pieces of that size through one buffer: it is valid only when all of them are
there, and neither its copy in memory nor the time that copying takes grows with it.

Files are `journal/<lsn>.journal`, named by the LSN of their first byte, filled with zeros when made and used again
when a checkpoint has passed them (spares.py), larger when much is written (pace.py). An LSN is a position in the
endless sequence of all files. A batch never spans two files: where it does not fit, the next file begins.

Theory of operation. At most one batch is under way; the event loop hands over the next one only after it was told
that the last is durable. So at any moment at most one batch on disk is in doubt, and behind it there is no valid
one: that is how recovery tells a torn tail from damage. The thread wakes the loop through an eventfd, which is
40 µs cheaper than trio's `run_sync_soon` (measured: 233 to 192 µs for the round trip with the sync in it).

After a failed write or sync nothing may be assumed about the file: the failure is reported once and no further
batch is written.
"""

from __future__ import annotations

import errno
import mmap
import os
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Final

import trio

from segue.storage.batch import Batch, Entries
from segue.storage.disk import Disk, File
from segue.storage.entries import BATCH_HEADER_SIZE, batch_header, padded
from segue.storage.errors import DiskFailureError
from segue.storage.pace import FILE_BYTES_MIN, Pace
from segue.storage.spares import JOURNAL_DIRECTORY, SPARES_WANTED, Spares

__all__ = ["JOURNAL_DIRECTORY", "NO_BATCH", "Journal", "file_name"]

NO_BATCH: Final = 0xFFFF_FFFF_FFFF_FFFF
"""The `previous` of the first batch ever."""

_NOW_SECONDS: Final = 0.0005
"""How long the event loop waits for a small write itself: three times what a good disk takes."""
_SKIPS_MAX: Final = 1024
"""Batches that go to the thread at once after the disk was slow; doubled each time up to this."""
_PIECE_BYTES: Final = 2 << 20
_NO_SPACE_RETRY_SECONDS: Final = 0.5
_SPARES_LOOK_SECONDS: Final = 1.0


def file_name(lsn: int) -> str:
    """Path of the journal file that begins at `lsn`."""
    return f"{JOURNAL_DIRECTORY}/{lsn:016x}.journal"


class Journal:
    """The writing end.

    Attributes:
        position: LSN behind the last durable batch.
        previous: LSN of the last durable batch, `NO_BATCH` before the first.
        syncs: group commits so far.
        bytes_written: including padding.
        short_of_space: True while no spare file can be made.
        spares_wanted: spare files to keep ready; fewer while a checkpoint needs their space.
    """

    def __init__(
        self, disk: Disk, *, salt: int, file_bytes: int, position: int, previous: int, files: dict[int, int]
    ) -> None:
        """`files` maps the first LSN of each existing file to its size; the last one holds or ends at `position`.

        `file_bytes` is the size of a file under load.
        """
        self._disk = disk
        self._salt = salt
        self.position = position
        self.previous = previous
        self._files = dict(files)
        self._files_lock = threading.Lock()
        self._base = max(files) if files else position
        assert self._base <= position <= self._base + files.get(self._base, 0)
        self._file: File | None = disk.open(file_name(self._base)) if files else None
        # Where the next file begins at the latest; changed under the lock.
        self._end = self._base + files.get(self._base, 0)
        # It goes on with the size that was right before the restart.
        self._spares = Spares(disk, min(self._files.get(self._base, FILE_BYTES_MIN), file_bytes), file_bytes)
        self._rolled = trio.Event()
        self._token: trio.lowlevel.TrioToken | None = None
        self._queue: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._batch: Batch | None = None
        self._failure: BaseException | None = None
        self._buffer = mmap.mmap(-1, _PIECE_BYTES)  # page-aligned, as O_DIRECT wants it
        self._eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closing = threading.Event()
        # Size of a write that `begin` has begun; 0 for none.
        self._unfinished = 0
        # Size of the largest batch since somebody looked.
        self._largest = 0
        self._skip_now = 0
        self._patience = 1
        self._thread = threading.Thread(target=self._run, name="segue-journal", daemon=True)
        self.syncs = 0
        self.bytes_written = 0
        self.short_of_space = False
        self.spares_wanted = SPARES_WANTED

    @property
    def oldest(self) -> int:
        """First LSN that is still on disk."""
        with self._files_lock:
            return min(self._files, default=self.position)

    @property
    def spares(self) -> int:
        """Spare files that are ready."""
        return len(self._spares)

    def submit(self, batch: Batch) -> None:
        """Hand over a sealed batch. The one before must have been reported durable."""
        assert self._batch is None
        self._batch = batch
        self._queue.put(batch)

    def begin(self, batch: Batch) -> bool:
        """As `submit`, for a small batch: begin to write it here. True when it is under way: then `wait` comes next.

        Otherwise it is handed to the thread. A disk that is slow is not tried again for a while.
        """
        assert self._batch is None
        if self._skip_now > 0 or self._failure is not None:
            self._skip_now -= 1
        else:
            try:
                if (room := self._begin(batch)) is not None:
                    self._batch = batch
                    self._unfinished = room
                    return True
            except BaseException as error:  # noqa: BLE001 - reported by `serve`
                self._failure = error
        self.submit(batch)
        return False

    def wait(self) -> bool:
        """Wait a moment for what was begun. True when it is durable; else the thread waits, and `serve` reports."""
        assert self._file is not None
        assert self._batch is not None
        try:
            done = self._file.write_done(_NOW_SECONDS)
        except BaseException as error:  # noqa: BLE001 - reported by `serve`
            self._failure = error
            done = False
        if done:
            room, self._unfinished = self._unfinished, 0
            self._written(room)
            self._patience = 1
            self._batch = None
            return True
        self._patience = min(self._patience * 2, _SKIPS_MAX)
        self._skip_now = self._patience
        self._queue.put(self._batch)
        return False

    async def serve(
        self, durable: Callable[[Batch], None], *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Run the thread; call `durable` on the event loop for each batch that is on disk.

        Raises:
            DiskFailureError: a write or sync failed. The process must end.

        Cancellation: a batch that is under way is waited for; whether it becomes durable is then reported to nobody.
        """
        self._token = trio.lowlevel.current_trio_token()
        self._thread.start()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_spares)
                task_status.started()
                await self._report(durable)
        finally:
            self._closing.set()
            self._queue.put(None)
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._thread.join)
            self._close()

    def recycle(self, below: int) -> None:
        """Give up files that lie wholly below an LSN: kept as spares, or removed. Blocks; runs in a thread.

        Raises:
            OSError: some are still there; another call goes on.
        """
        with self._files_lock:
            old = sorted(base for base, size in self._files.items() if base + size <= below and base != self._base)
        for base in old:
            self._spares.keep(file_name(base), self._files[base])
            with self._files_lock:
                del self._files[base]
        if old:
            self._disk.sync_directory(JOURNAL_DIRECTORY)

    def give_up_spare(self) -> bool:
        """Make room on a full disk with a spare, if it is not the last. Blocks. True when there is room now.

        No new one is made until `want_spares`, or it would take the room back.
        """
        self.spares_wanted = 1
        return self._spares.give_up()

    def want_spares(self) -> None:
        """There is room again for all spares."""
        self.spares_wanted = SPARES_WANTED

    # -- event loop

    async def _report(self, durable: Callable[[Batch], None]) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._eventfd)
            os.eventfd_read(self._eventfd)
            if self._failure is not None:
                raise DiskFailureError(f"{file_name(self._base)}: {self._failure}") from self._failure
            batch, self._batch = self._batch, None
            assert batch is not None
            durable(batch)

    async def _keep_spares(self) -> None:
        spares = self._spares
        pace = Pace(spares.file_bytes, spares.file_bytes_max, trio.current_time(), self.position)
        while True:
            try:
                largest, self._largest = self._largest, 0
                await trio.to_thread.run_sync(spares.resize, pace.look(trio.current_time(), self.position, largest))
                while spares.missing(self.spares_wanted):
                    await trio.to_thread.run_sync(spares.make, self.spares_wanted)
            except OSError:
                self.short_of_space = True
                await trio.sleep(_NO_SPACE_RETRY_SECONDS)
            else:
                self.short_of_space = len(spares) < SPARES_WANTED
                self._leave_large_file()
                with trio.move_on_after(_SPARES_LOOK_SECONDS):
                    await self._rolled.wait()
                self._rolled = trio.Event()

    def _leave_large_file(self) -> None:
        """Little is written: the next batch goes to a small file, and the next checkpoint sets this one free."""
        with self._files_lock:
            if self._file is not None and self._file.size > self._spares.file_bytes:
                self._end = self._base

    def _note_roll(self) -> None:
        self._rolled.set()

    def _close(self) -> None:
        os.close(self._eventfd)
        if self._file is not None:
            self._file.close()

    # -- the journal's thread

    def _run(self) -> None:
        while (batch := self._queue.get()) is not None:
            if self._failure is None:
                try:
                    if self._unfinished:
                        self._finish()
                    else:
                        self._write(batch)
                except BaseException as error:  # noqa: BLE001 - reported to the loop, which ends the process
                    self._failure = error
            os.eventfd_write(self._eventfd, 1)

    def _write(self, batch: Batch) -> None:
        entries = batch.entries()
        if not entries.number and not batch.probes:
            return  # somebody waits for what came before, and that is durable
        room = _room(entries)
        self._largest = max(self._largest, room)
        if self.position + room > self._end:
            self._roll(room)
        assert self._file is not None
        offset = self.position - self._base
        for piece in self._pieces(entries):
            self._file.write_sync(offset, piece)
            offset += len(piece)
        self._written(room)

    def _finish(self) -> None:
        assert self._file is not None
        room, self._unfinished = self._unfinished, 0
        self._file.finish_write()
        self._written(room)

    def _written(self, room: int) -> None:
        self.previous = self.position
        self.position += room
        self.syncs += 1
        self.bytes_written += room

    def _begin(self, batch: Batch) -> int | None:
        """Begin to write a batch. Returns what it takes in the file, None when it needs more than one write."""
        entries = batch.entries()
        room = _room(entries)
        if not (entries.number or batch.probes) or room > _PIECE_BYTES or self._file is None:
            return None
        if self.position + room > self._end:
            return None
        begun = self._file.begin_write(self.position - self._base, next(self._pieces(entries)))
        return room if begun else None

    def _pieces(self, entries: Entries) -> Iterator[memoryview]:
        """The batch in pieces of whole pages, each valid until the next one is asked for."""
        number, parts = entries
        buffer = self._buffer
        buffer.seek(0)
        buffer.write(batch_header(number, parts, self.position, self.previous, self._salt))
        used = BATCH_HEADER_SIZE
        for part in parts:
            rest = memoryview(part)
            while used + len(rest) > _PIECE_BYTES:
                buffer.write(rest[: _PIECE_BYTES - used])
                rest = rest[_PIECE_BYTES - used :]
                yield memoryview(buffer)
                buffer.seek(0)
                used = 0
            buffer.write(rest)
            used += len(rest)
        if used:
            room = padded(used)
            buffer.write(bytes(room - used))
            yield memoryview(buffer)[:room]

    def _roll(self, room: int) -> None:
        base = self._base + self._files[self._base] if self._files else self._base
        while True:
            try:
                self._spares.place(file_name(base), room)
                break
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT) or self._closing.is_set():
                    raise
                # Publishers are held by now and nothing is confirmed; acknowledgements wait for space.
                self.short_of_space = True
                self._closing.wait(_NO_SPACE_RETRY_SECONDS)
        if self._file is not None:
            self._file.close()
        self._file = self._disk.open(file_name(base))
        with self._files_lock:
            self._files[base] = self._file.size
            self._base = self.position = base
            self._end = base + self._file.size
        if self._token is not None:
            self._token.run_sync_soon(self._note_roll, idempotent=True)


def _room(entries: Entries) -> int:
    return padded(BATCH_HEADER_SIZE + sum(map(len, entries.parts)))
