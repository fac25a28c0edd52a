"""A log that never touches the disk: temporary queues and the buffers of topic subscribers."""

from __future__ import annotations

from segue.storage.log import RECORD_OVERHEAD, Log

__all__ = ["VolatileLog"]


class VolatileLog(Log):
    """A `Log` whose records are there at once, and gone with the process. Made by `Store.create_log`."""

    __slots__ = ()

    def append(self, record: bytes) -> int:
        """Put a record at the end; it can be read at once."""
        seq = self.head
        self.hot[seq] = record
        self.head = self.sealed = self.durable = seq + 1
        size = len(record) + RECORD_OVERHEAD
        self.hot_bytes += size
        self.store.hot_bytes += size
        return seq

    def append_all(self, records: list[bytes]) -> None:
        """See `Log`."""
        for record in records:
            self.append(record)
