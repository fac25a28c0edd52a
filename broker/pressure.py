"""Pressure: when publishers have to wait, and why (DESIGN §3.5).

Each mark has a distance between on and off, so that the broker does not flutter at it. Acknowledgements are never
held: they are what makes room.
"""

from __future__ import annotations

import trio

from segue.broker.clock import Clock
from segue.broker.settings import Settings
from segue.storage.api import Store

__all__ = ["Pressure"]


class Pressure:
    """The state of the marks.

    Attributes:
        output_bytes: what waits in all connections' output buffers; kept by the front-ends.
        free_bytes: of the disk, when it was last looked at; -1 before that.
        reasons: why publishers are held right now, for operators; empty when they are not.
        held_since_ms: since when, 0 when not.
    """

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._memory_high = False
        self._disk_low = False
        self.output_bytes = 0
        self.free_bytes = -1
        self.held_since_ms = 0
        self.reasons: tuple[str, ...] = ()

    @property
    def memory_bytes(self) -> int:
        """Messages in memory and output that waits."""
        return self._store.hot_bytes + self.output_bytes

    @property
    def alarm(self) -> bool:
        """True when memory or disk is past its mark."""
        return self._memory_high or self._disk_low

    @property
    def output_high(self) -> bool:
        """True when output that clients don't read takes a quarter of the memory there is for messages."""
        return self.output_bytes > self._settings.memory.high_water_bytes // 4

    def check(self) -> bool:
        """True when publishers have to wait. Cheap: called at the end of each step."""
        memory = self._settings.memory
        used = self._store.hot_bytes + self.output_bytes
        self._memory_high = used > (memory.low_water_bytes if self._memory_high else memory.high_water_bytes)
        held = self._memory_high or self._disk_low or self._store.congested
        if held or self.reasons:
            self._explain(held)
        return held

    async def look_at_disk(self) -> None:
        """Ask the file system; it may be slow, so beside the event loop."""
        self.free_bytes = await trio.to_thread.run_sync(self._store.disk.free_bytes)
        storage = self._settings.storage
        mark = storage.disk_free_bytes_min
        if self._disk_low:
            mark += storage.disk_free_hysteresis_bytes
        self._disk_low = self.free_bytes < mark
        if self._memory_high or self._store.checkpoint_fault:
            self._store.ask_checkpoint()

    def _explain(self, held: bool) -> None:
        if not held:
            self.reasons = ()
            self.held_since_ms = 0
            return
        self.held_since_ms = self.held_since_ms or self._clock.now_ms()
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
        self.reasons = tuple(reasons)
