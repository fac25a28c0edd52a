"""What a store owes: the messages of each cursor, read without taking them."""

from __future__ import annotations

from segue.broker.levels import SEQ_BITS
from segue.storage.api import Cursor, Log
from tests.property.storage.world import unread

__all__ = ["level_tag", "owed_by", "queue_of"]


async def owed_by(cursor: Cursor) -> dict[int, bytes]:
    """Number → record of everything that a cursor owes; what goes while that is read is not among it."""
    log = cursor.log
    numbers = sorted({*cursor.holes(), *unread(cursor)})
    records: dict[int, bytes] = {}
    seq = 1
    while seq < log.ram_first and any(log.find(seq) is None for seq in numbers):
        part = await log.store.reader.read_range(log, seq, log.ram_first, 4096)
        records |= {first + n: data for first, some in part.runs for n, data in enumerate(some)}
        seq = part.upto
    found = {seq: log.find(seq) or records.get(seq) for seq in numbers}
    return {seq: record for seq, record in found.items() if record is not None}


def queue_of(log: Log) -> str:
    """The name of the queue that a log is of, or that it is a level of."""
    return str(log.definition.get("name") or log.definition["queue"])


def level_tag(log: Log) -> int:
    """What is added to a number in a log, so that it is the one that the queue gives to consumers."""
    return (log.definition["level"] + 1) << SEQ_BITS if log.definition["kind"] == "level" else 0
