"""Reading a part of a log beside its consumers: for lists, for browsers, for jobs."""

from __future__ import annotations

from segue.broker.errors import UnreadableError
from segue.storage.api import READ_ERRORS, Log

__all__ = ["read_part"]


async def read_part(log: Log, seq: int, end: int, bytes_max: int, whose: str) -> tuple[list[tuple[int, bytes]], int]:
    """Messages of [seq, end) from memory or disk, and the number below which that is complete.

    What was settled may or may not be among them.

    Args:
        log: what to read.
        seq: the first number.
        end: the number behind the last one.
        bytes_max: about how much; one message at least.
        whose: what an error is to begin with.

    Raises:
        UnreadableError: what lies on disk can't be read.
    """
    found: list[tuple[int, bytes]] = []
    size = 0
    while seq < end and size < bytes_max and (record := log.find(seq)) is not None:
        found.append((seq, record))
        size += len(record)
        seq += 1
    if found:
        return found, seq
    if seq >= log.ram_first:
        return [], seq + 1  # it was taken and settled meanwhile
    try:
        runs, _, upto = await log.store.reader.read_range(log, seq, end, bytes_max)
    except READ_ERRORS as error:
        raise UnreadableError(f"{whose}: {error}") from error
    return [(s, record) for first, records in runs for s, record in enumerate(records, first) if s < end], upto
