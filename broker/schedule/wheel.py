"""A wheel: all messages that wait for one clock, in buckets, and the few of them that are in memory because it is time.

Theory of operation. A message is appended to the bucket of its time. Buckets are opened in the order of their
beginnings: from a wide one, messages are moved to narrower ones; those of the narrowest are read into a heap, and
leave it when they are due, in order of time and, where that is the same, of acceptance. Whatever is done with a
message (moved, delivered, put off) settles it where it was in the same step, so after a crash it is in one place. Each
step is bounded; `step` says when the next one is wanted, and `woken` is called when something makes it earlier.

In memory: the buckets, and at most `_READ_MAX` messages or `_READ_BYTES_MAX` bytes of them. Durable: all messages.
"""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from segue.broker.schedule.bucket import Bucket, place, span_of
from segue.broker.schedule.scheduled_message import ScheduleId, due_of, identity_of
from segue.storage.api import Log, Store

__all__ = ["Entry", "Wheel"]

_READ_MAX: Final = 65_536
_READ_BYTES_MAX: Final = 32 << 20
_AT_A_TIME: Final = 256
_BYTES_AT_A_TIME: Final = 1 << 20
"""One step: a millisecond or two, for which everybody else waits."""
_NEVER: Final = 1 << 62


class Entry(NamedTuple):
    """A message in memory; these are put in order by time, then by acceptance."""

    due_ms: int
    identity: ScheduleId
    seq: int
    bucket: Bucket
    frame: bytes


class Wheel:
    """See the module.

    Attributes:
        name: of its clock, in the definitions of its logs.
        buckets: by level and beginning.
        seen: called with a bucket, a number and a frame when a message has been read, before anything is done with it.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        now_ms: Callable[[], int],
        woken: Callable[[], None],
        due: Callable[[Entry], None],
    ) -> None:
        """`due`: puts a message whose time has come where it belongs; then it is settled here."""
        self.name = name
        self.now_ms = now_ms
        self.buckets: dict[tuple[int, int], Bucket] = {}
        self.seen: Callable[[Bucket, int, bytes], None] = lambda bucket, seq, frame: None
        self._store = store
        self._woken = woken
        self._due = due
        self._line: list[tuple[int, int]] = []  # beginning and -level of every bucket: the order in which they open
        self._heap: list[Entry] = []
        self._heap_bytes = 0
        self._next_ms = _NEVER

    def take_up(self, log: Log) -> Bucket | None:
        """A bucket that was recovered; None when there is nothing in it, and it goes."""
        level, start_ms = int(log.definition["level"]), int(log.definition["start_ms"])
        while (level, start_ms) in self.buckets:
            start_ms -= 1  # a salvage has made several of what had lost their definitions
        bucket = self._keep(log, level, start_ms)
        return None if self.let_go(bucket) else bucket

    def bucket_for(self, due_ms: int) -> Bucket:
        """Where to append a message that is due then. Durable with the open batch."""
        return self._bucket(*place(due_ms, self.now_ms()))

    def step(self) -> float | None:
        """Do a bounded part of what there is to do now.

        Returns:
            Seconds until there is more to do, 0 for at once; None when nothing waits, or for a read or a batch.
        """
        now_ms = self.now_ms()
        count, unread_ms = self._open_next(now_ms)
        if count + self._deliver(min(now_ms, unread_ms)):
            return 0
        moments = [bucket.opens_ms for bucket in self.buckets.values() if bucket.has_more and bucket.opens_ms > now_ms]
        if self._heap and self._heap[0].due_ms > now_ms:
            moments.append(self._heap[0].due_ms)
        self._next_ms = min(moments, default=_NEVER)
        return max(0, self._next_ms - now_ms) / 1000 if moments else None

    def rewind(self) -> None:
        """The clock was set back: what is in memory may not be due for years."""
        seqs: dict[Bucket, list[int]] = {}
        for entry in self._heap:
            if entry.seq in entry.bucket.out:
                seqs.setdefault(entry.bucket, []).append(entry.seq)
        for bucket, those in seqs.items():
            bucket.put_back(those)
        self._heap.clear()
        self._heap_bytes = 0

    def let_go(self, bucket: Bucket) -> bool:
        """Delete a bucket that has nothing any more, if it is one of these: it is made again when it is wanted."""
        key = bucket.level, bucket.start_ms
        if self.buckets.get(key) is not bucket or not bucket.empty:
            return False
        del self.buckets[key]
        self._line.remove((bucket.start_ms, -bucket.level))
        self._store.drop_log(bucket.log)
        return True

    # -- buckets

    def _bucket(self, level: int, start_ms: int) -> Bucket:
        bucket = self.buckets.get((level, start_ms))
        if bucket is None:
            definition: dict[str, Any] = {"kind": "delayed", "clock": self.name, "level": level, "start_ms": start_ms}
            log = self._store.create_log(definition)
            self._store.create_cursor(log, {"kind": "delayed"})
            bucket = self._keep(log, level, start_ms)
        return bucket

    def _keep(self, log: Log, level: int, start_ms: int) -> Bucket:
        bucket = self.buckets[level, start_ms] = Bucket(log, log.cursors[0], level, start_ms)
        insort(self._line, (start_ms, -level))
        log.listener = bucket.cursor.listener = partial(self._look_at, bucket)
        return bucket

    def _look_at(self, bucket: Bucket) -> None:
        """More of it can be read than a moment ago. Most of what comes is for later."""
        if bucket.opens_ms < self._next_ms:
            self._woken()

    # -- reading

    def _open_next(self, now_ms: int) -> tuple[int, int]:
        """Go on with the first bucket that is open.

        Returns:
            How many messages were read, and the time up to which nothing is unread: what is due later than that may
            not be handed over yet.
        """
        full = len(self._heap) >= _READ_MAX or self._heap_bytes >= _READ_BYTES_MAX
        for start_ms, minus_level in self._line:
            bucket = self.buckets[-minus_level, start_ms]
            if bucket.opens_ms > now_ms or not bucket.is_awaited() or bucket.cursor.fault:
                continue
            if bucket.level:
                return self._move_down(bucket, now_ms), start_ms - 1
            if not full:
                count = self._read(bucket)
                return count, start_ms - 1 if bucket.is_awaited() else _NEVER
        return 0, _NEVER

    def _move_down(self, bucket: Bucket, now_ms: int) -> int:
        found = bucket.read(_AT_A_TIME)
        level = bucket.level - 1
        for seq, frame in found:
            self.seen(bucket, seq, frame)
            self._bucket(level, span_of(level, due_of(frame))).take_over(frame)
        if found:
            bucket.settle([seq for seq, _ in found])
            self.let_go(bucket)
            if bucket.start_ms <= now_ms:
                self._store.want()
        return len(found)

    def _read(self, bucket: Bucket) -> int:
        found = bucket.read(_AT_A_TIME)
        for seq, frame in found:
            self.seen(bucket, seq, frame)
            heapq.heappush(self._heap, Entry(due_of(frame), identity_of(frame), seq, bucket, frame))
            self._heap_bytes += len(frame)
        return len(found)

    # -- delivering

    def _deliver(self, now_ms: int) -> int:
        """Hand over what is due. Returns how many messages that were."""
        heap = self._heap
        settled: dict[Bucket, list[int]] = {}
        count = size = 0
        while heap and heap[0].due_ms <= now_ms and count < _AT_A_TIME and size < _BYTES_AT_A_TIME:
            entry = heapq.heappop(heap)
            count += 1
            size += len(entry.frame)
            if entry.seq in entry.bucket.out:  # or it was cancelled
                self._due(entry)
                settled.setdefault(entry.bucket, []).append(entry.seq)
        self._heap_bytes -= size
        for bucket, seqs in settled.items():
            bucket.settle(seqs)
            self.let_go(bucket)
        if count:
            self._store.want()
        return count
