"""The holes of a cursor: what was handed out, or could not be read, and is not settled.

Each is in one of three places: out with a consumer (`out`), returned and waiting (`returned`), or set aside because its
bytes are damaged (`quarantined`). They are kept where they are used, so that a delivery and its acknowledgement cost
one dict entry each; `holes()` collects them when a checkpoint asks. Who delivers caps them by count, never by span: one
stuck message is one hole, and stops nobody.

In memory: all of it. Durable: what was settled, and the standings of what was returned; what was out when the broker
ended has come back with the next start, delivered once.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from segue.storage.quarantine import Damage, Quarantine
from segue.storage.standing import CONDEMNED

if TYPE_CHECKING:
    from segue.storage.log import Log

__all__ = ["Holes"]


class Holes:
    """See the module.

    Attributes:
        id: of the cursor.
        log: whose messages they are.
        out: containers of what is out: sequence number → deliveries so far, this one included.
        returned: sequence number → standing (deliveries so far), waiting to go out again; see standing.py.
        condemned: a heap of exactly those numbers in `returned` that are not to be delivered again.
        quarantined: damaged messages; never delivered, and kept until `settle_quarantined`.
        listener: called when more can be read than a moment ago, but for messages that have just become durable:
            those are told to `log.listener`, or to this one where there is none.
        fault: why nothing can be read from disk at the moment; empty when it can.
        fetched: records of returned messages that were read from disk.
        fetching: one of these is on its way.
    """

    __slots__ = (
        "_heap", "condemned", "fault", "fetched", "fetching", "id", "listener", "log", "out", "quarantined", "returned",
    )  # fmt: skip

    def __init__(self, cursor_id: int, log: Log) -> None:
        self.id = cursor_id
        self.log = log
        self.out: list[dict[int, int]] = []
        self.returned: dict[int, int] = {}
        self.quarantined = Quarantine()
        self.listener: Callable[[], None] | None = None
        self.fetching = False
        self.fault = ""
        self.fetched: dict[int, bytes] = {}
        self._heap: list[int] = []
        self.condemned: list[int] = []

    @property
    def has_returned(self) -> bool:
        """True when a returned message is to be delivered again, before any other."""
        heap = self._heap
        while heap and heap[0] not in self.returned:
            heapq.heappop(heap)
        return bool(heap)

    def holes(self) -> dict[int, int]:
        """Unsettled sequence numbers below `next`, but for quarantined ones → deliveries so far."""
        found = dict(self.returned)
        for container in self.out:
            found.update(container)
        return found

    def low_hole(self) -> int | None:
        """The lowest sequence number of all of them; None when there is none."""
        lowest = [min(part) for part in (self.returned, *self.out) if part]
        damaged = self.quarantined.low()
        if damaged is not None:
            lowest.append(damaged)
        return min(lowest, default=None)

    # -- taking

    def take_returned(self) -> tuple[int, int, bytes] | None:
        """The lowest returned message: sequence number, deliveries so far, record.

        Returns:
            None when there is none, or when its bytes are still on the way from disk, or the disk does not give them
            now (`listener` is called when that changes).
        """
        return self._take(self._heap)

    def take_condemned(self) -> tuple[int, int, bytes] | None:
        """As `take_returned`, of those that are not to be delivered again."""
        return self._take(self.condemned)

    def spare(self, seq: int, standing: int, record: bytes | None = None) -> None:
        """Put back what `take_returned` or `take_condemned` gave: as if it had not been taken.

        What was fetched from disk, and is given, stays at hand. Who looks at several cursors again whenever one of them
        has something would else fetch for the first while he looks at the second, and so on without an end.
        """
        if record is not None and self.log.find(seq) is None:
            self.fetched[seq] = record
        self.returned[seq] = standing
        heapq.heappush(self._heap if standing < CONDEMNED else self.condemned, seq)

    # -- settling

    def settle(self, seqs: list[int]) -> None:
        """These messages are done for good. They must have been handed out and taken from where they were kept.

        Durability: with the batch that is open now; `store.on_durable` tells when.
        """
        log = self.log
        if log.journaled:
            settled = log.store.batch.settled
            if self in settled:
                settled[self] += seqs
            else:
                settled[self] = list(seqs)
            log.touch()
        log.forget(seqs)

    def give_back(self, messages: dict[int, int]) -> None:
        """These messages (sequence number → deliveries so far, or a standing from `CONDEMNED` on) go back."""
        if not messages:
            return
        self.returned.update(messages)
        for seq, standing in messages.items():
            heapq.heappush(self._heap if standing < CONDEMNED else self.condemned, seq)
        if self.log.journaled:
            self.log.store.batch.returns.setdefault(self, {}).update(messages)
            self.log.touch()

    def condemn_returned(self, messages: dict[int, int]) -> None:
        """Messages that wait in `returned` get a standing each; durable as with `give_back`."""
        if messages:
            self._heap = sorted(seq for seq in self._heap if seq not in messages)
            self.give_back(messages)

    def set_aside(self, messages: dict[int, int]) -> None:
        """Messages that `read` gave wait for somebody who may have them: they are as `returned`, with 0 deliveries.

        `take_returned` does not give them; `take_aside` does. A crash does not make deliveries of them.
        """
        self.returned.update(messages)
        if self.log.journaled:
            self.log.store.batch.returns.setdefault(self, {}).update(messages)
            self.log.touch()

    def keep_aside(self, seq: int, standing: int) -> None:
        """As `set_aside`, for one that `take_returned` gave."""
        self.returned[seq] = standing

    def take_aside(self, seqs: Iterable[int]) -> None:
        """Somebody takes messages that were set aside."""
        returned = self.returned
        for seq in seqs:
            if returned.pop(seq, None) is None:
                self.quarantined.remove(seq, seq)  # its block is damaged, but who set it aside has its bytes

    def bring_back(self, seqs: Iterable[int]) -> None:
        """What was set aside goes out again by `take_returned`."""
        for seq in seqs:
            if seq in self.returned:
                heapq.heappush(self._heap, seq)

    def drop_returned(self, seqs: Iterable[int]) -> None:
        """Settle messages that wait in `returned`."""
        gone = [seq for seq in seqs if self.returned.pop(seq, None) is not None]
        if gone:
            self._forget_condemned()
            self.settle(gone)

    # -- damage

    def quarantine(self, damage: Damage) -> None:
        """Set returned messages aside whose bytes are damaged: holes that are not delivered."""
        for seq in [seq for seq in self.returned if damage.first <= seq <= damage.last]:
            del self.returned[seq]
            self.quarantined.add(seq, seq, damage.reason)
        self._forget_condemned()

    def settle_quarantined(self) -> int:
        """Give up what is set aside. Returns how many messages that were, at most."""
        count = len(self.quarantined)
        for first, last, _ in list(self.quarantined):
            self.log.store.batch.ranges.append((self, first, last))
            self.quarantined.remove(first, last)
        if count:
            self.log.touch()
        return count

    def recover_quarantined(self, first: int, last: int) -> None:
        """These can be read again: what of them is set aside goes back to its place."""
        for damage in list(self.quarantined):
            for seq in range(max(first, damage.first), min(last, damage.last) + 1):
                self.returned[seq] = 1
                heapq.heappush(self._heap, seq)
        self.quarantined.remove(first, last)
        self.log.touch()

    # -- starts and ends

    def recovered(self) -> None:
        """Take up work after a replay."""
        self._heap = sorted(seq for seq, standing in self.returned.items() if standing < CONDEMNED)
        self.condemned = sorted(seq for seq, standing in self.returned.items() if standing >= CONDEMNED)

    def retire(self) -> None:
        """The cursor is deleted: what is on its way to it will be ignored."""
        self.listener = None
        self.returned.clear()
        self.condemned.clear()
        self.fetched.clear()

    # -- inside

    def _take(self, heap: list[int]) -> tuple[int, int, bytes] | None:
        while heap:
            seq = heap[0]
            if seq not in self.returned:
                heapq.heappop(heap)
                continue
            record = self.log.find(seq) or self.fetched.pop(seq, None)
            if record is None:
                if not self.fetching and not self.fault:
                    self.fetching = True
                    self.log.store.fetch(self, seq)
                return None
            heapq.heappop(heap)
            return seq, self.returned.pop(seq), record
        return None

    def _forget_condemned(self) -> None:
        """Some may be gone from `returned`."""
        if self.condemned:
            self.condemned = sorted(seq for seq in self.condemned if seq in self.returned)
