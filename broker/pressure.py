"""Pressure: when publishers have to wait, and why (DESIGN §3.5).

Each mark has a distance between on and off, so that the broker does not flutter at it. Acknowledgements are never
held: they are what makes room.
"""

from __future__ import annotations

from typing import Final

import trio

from segue.broker.clock import Clock
from segue.broker.settings import Settings
from segue.storage.api import Store

__all__ = ["Pressure"]


_SHARE: Final = 4
"""Each kind of what gathers in memory for somebody's sake may take this part of the high-water mark before it is
rationed; the messages that wait for a checkpoint need the rest."""
_RATION: Final = 16
_ANY_TRANSACTION: Final = 0.75
"""Part of the bound for transactions that one of any size may use; the rest is for small ones, so that some large ones
don't stop everybody."""


class Pressure:
    """The state of the marks, and the sums that they are about. The sums are kept by whoever makes them change.

    Attributes:
        output_bytes: what waits in all connections' output buffers.
        aside_bytes: what all connections have put aside while publishers are held.
        buffer_bytes: messages of temporary queues and of topics' subscribers: they are in memory and nowhere else.
        look_ahead_bytes: messages that queues have set aside for consumers who may have them.
        transaction_bytes: memory of messages in open transactions.
        free_bytes: of the disk, when it was last looked at; -1 before that, and when it does not tell.
        held_since_ms: since when publishers are held, 0 when not.
    """

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._memory_high = False
        self._disk_low = False
        self.output_bytes = 0
        self.aside_bytes = 0
        self.buffer_bytes = 0
        self.look_ahead_bytes = 0
        self.transaction_bytes = 0
        self.free_bytes = -1
        self.held_since_ms = 0

    @property
    def memory_bytes(self) -> int:
        """Messages in memory that a checkpoint can bring to disk, messages in transactions, and output that waits.

        Not what only lives in memory, or waits for publishers to go on: to hold them would not make it any less.
        """
        return self._store.hot_bytes - self.buffer_bytes + self.output_bytes + self.transaction_bytes

    @property
    def alarm(self) -> bool:
        """True when memory or disk is past its mark."""
        return self._memory_high or self._disk_low

    def ration(self, wanted: int, together: int) -> int:
        """How much of what it wants one may have now, when all of its kind together have so much.

        All of it, or a sixteenth when there is much already, or nothing when there is twice as much.
        """
        mark = self._settings.memory.high_water_bytes // _SHARE
        if together <= mark:
            return wanted
        return wanted // _RATION if together <= 2 * mark else 0

    def fits_transactions(self, held: int, more: int) -> bool:
        """True when a transaction that takes so much memory may take so much more.

        To hold whoever sends would be no answer: who can't send can't commit, and only a commit makes room. So there
        is a bound; it lies below the low-water mark, so that publishers are never held for transactions alone.
        """
        total = self._settings.memory.transactions_bytes_max
        together = self.transaction_bytes + more
        if together <= total * _ANY_TRANSACTION:
            return True
        return together <= total and held + more <= self._settings.limits.transaction_bytes_max // _RATION

    def check(self) -> bool:
        """True when publishers have to wait. Cheap: called at the end of each step."""
        memory = self._settings.memory
        used = self._store.hot_bytes - self.buffer_bytes + self.output_bytes + self.transaction_bytes
        self._memory_high = used > (memory.low_water_bytes if self._memory_high else memory.high_water_bytes)
        held = self._memory_high or self._disk_low or self._store.congested
        if held != (self.held_since_ms != 0):
            self.held_since_ms = self._clock.now_ms() if held else 0
        return held

    async def look_at_disk(self) -> None:
        """Ask the file system; it may be slow, so beside the event loop."""
        try:
            self.free_bytes = await trio.to_thread.run_sync(self._store.disk.free_bytes)
        except OSError:
            self.free_bytes = -1  # it will tell what is wrong when it is written to
        else:
            storage = self._settings.storage
            mark = storage.disk_free_bytes_min + (storage.disk_free_hysteresis_bytes if self._disk_low else 0)
            self._disk_low = self.free_bytes < mark
        if self._memory_high or self._store.checkpoint_fault:
            self._store.ask_checkpoint()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why publishers are held right now, for operators; empty when they are not."""
        storage, memory = self._settings.storage, self._settings.memory
        reasons = []
        if self._memory_high:
            reasons.append(
                f"memory: {self.memory_bytes} bytes of messages, memory.high_water_bytes is {memory.high_water_bytes}"
            )
        if self._disk_low:
            reasons.append(
                f"disk: {self.free_bytes} bytes free, storage.disk_free_bytes_min is {storage.disk_free_bytes_min}"
            )
        if self._store.congested:
            reasons.append(f"storage: {self._store.congestion}")
        return tuple(reasons)
