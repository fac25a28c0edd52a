"""A wheel: all messages that wait for one clock, in buckets, and the few of them that are in memory because it is time.

Theory of operation. A message is appended to the bucket of its time. Buckets are opened in the order of their
beginnings: from a wide one, messages are moved to narrower ones; those of the narrowest are read into memory, and
leave it when they are due, in order of time and, where that is the same, of acceptance. Whatever is done with a
message (moved, delivered, put off) settles it where it was in the same step, so after a crash it is in one place. Each
step is bounded; `step` says when the next one is wanted, and `woken` is called when something makes it earlier.

In memory: the buckets, and at most `_READ_MAX` messages or `_READ_BYTES_MAX` bytes of them. Durable: all messages.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from segue.broker.schedule.bucket import Bucket, place, span_of
from segue.broker.schedule.imminent import Imminent
from segue.broker.schedule.scheduled_message import due_of
from segue.storage.api import Log, Store

__all__ = ["Wheel"]

_READ_MAX: Final = 65_536
_READ_BYTES_MAX: Final = 32 << 20
_AT_A_TIME: Final = 256
_BYTES_AT_A_TIME: Final = 1 << 20
"""One step: a millisecond or two, for which everybody else waits."""
_NEVER: Final = 1 << 62


class Wheel:
    """See the module.

    Attributes:
        name: of its clock, in the definitions of its logs.
        buckets: by level and beginning.
        seen: called with a bucket and messages that have been read from it, before anything is done with them.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        now_ms: Callable[[], int],
        woken: Callable[[], None],
        due: Callable[[list[bytes]], None],
    ) -> None:
        """`due`: puts messages whose time has come where they belong; then they are settled here."""
        self.name = name
        self.now_ms = now_ms
        self.buckets: dict[tuple[int, int], Bucket] = {}
        self.seen: Callable[[Bucket, list[tuple[int, bytes]]], None] = lambda bucket, messages: None
        self._store = store
        self._woken = woken
        self._due = due
        self._line: list[tuple[int, int]] = []  # beginning and -level of every bucket: the order in which they open
        self._imminent = Imminent()
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
        self._let_go_of_past(now_ms)
        count, unread_ms = self._open_next(now_ms)
        if count + self._deliver(min(now_ms, unread_ms)):
            return 0
        moments = [bucket.opens_ms for bucket in self.buckets.values() if bucket.has_more and bucket.opens_ms > now_ms]
        due_ms = self._imminent.next_ms
        if due_ms is not None and due_ms > now_ms:
            moments.append(due_ms)
        self._next_ms = min(moments, default=_NEVER)
        return max(0, self._next_ms - now_ms) / 1000 if moments else None

    def rewind(self) -> None:
        """The clock was set back: what is in memory may not be due for years."""
        seqs: dict[Bucket, list[int]] = {}
        for _, seq, bucket, _ in self._imminent.take_all():
            if seq in bucket.out:
                seqs.setdefault(bucket, []).append(seq)
        for bucket, those in seqs.items():
            bucket.put_back(those)

    def let_go(self, bucket: Bucket) -> bool:
        """Delete a bucket that has nothing any more, if it is one of these: it is made again when it is wanted.

        In its own second it stays: with short delays it is empty, and wanted again, many times.
        """
        key = bucket.level, bucket.start_ms
        if self.buckets.get(key) is not bucket or not bucket.empty or bucket.is_current(self.now_ms()):
            return False
        bucket.open = False
        del self.buckets[key]
        self._line.remove((bucket.start_ms, -bucket.level))
        self._store.drop_log(bucket.log)
        return True

    # -- buckets

    def _let_go_of_past(self, now_ms: int) -> None:
        """What was empty in its own second, and stayed."""
        for start_ms, minus_level in self._line[: bisect_left(self._line, (now_ms, 0))]:
            self.let_go(self.buckets[-minus_level, start_ms])

    def _bucket(self, level: int, start_ms: int) -> Bucket:
        bucket = self.buckets.get((level, start_ms))
        if bucket is None:
            definition: dict[str, Any] = {"kind": "delayed", "clock": self.name, "level": level, "start_ms": start_ms}
            log = self._store.create_log(definition)
            cursor = self._store.create_cursor(log, {"kind": "delayed"})
            cursor.read(1)  # nothing, but from the next commit on it may: the first messages need not wait for two
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
        full = self._imminent.messages >= _READ_MAX or self._imminent.bytes >= _READ_BYTES_MAX
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
        self.seen(bucket, found)
        level = bucket.level - 1
        for _, frame in found:
            self._bucket(level, span_of(level, due_of(frame))).take_over(frame)
        if found:
            bucket.settle([seq for seq, _ in found])
            self.let_go(bucket)
            if bucket.start_ms <= now_ms:
                self._store.want()
        return len(found)

    def _read(self, bucket: Bucket) -> int:
        found = bucket.read(_AT_A_TIME)
        self.seen(bucket, found)
        self._imminent.add(bucket, found)
        return len(found)

    # -- delivering

    def _deliver(self, now_ms: int) -> int:
        """Hand over what is due. Returns how many messages that were."""
        due = self._imminent.take(now_ms, _AT_A_TIME, _BYTES_AT_A_TIME)
        if not due:
            return 0
        frames: list[bytes] = []
        settled: dict[Bucket, list[int]] = {}
        for _, seq, bucket, frame in due:
            if seq in bucket.out:  # or it was cancelled
                frames.append(frame)
                settled.setdefault(bucket, []).append(seq)
        self._due(frames)
        for bucket, seqs in settled.items():
            bucket.settle(seqs)
            self.let_go(bucket)
        self._store.want()
        return len(due)
