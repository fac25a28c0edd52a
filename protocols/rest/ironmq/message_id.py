"""What messages are called here: decimal digits, as clients of IronMQ expect, that tell where a message is.

An id is a place: the queue's log and the number in it, or, for a message that is delivered later, where the schedule
has it. So it is found at once however deep the queue is. A message that is moved (it was delayed, or is a dead letter)
is called what it was called before: the id that it was given first stands in its headers. It is no longer a place then,
and who asks for such a message without a reservation has it looked for (lookup.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from segue.broker.message import HEADERS_AT, headers_end
from segue.broker.schedule.scheduled_message import ScheduleId

if TYPE_CHECKING:
    from segue.broker.queue import Queue

__all__ = ["ID_HEADER", "MessageId", "id_of", "id_text", "ids_of_next", "read_id", "scheduled_id_text", "stored_digits"]

ID_HEADER: Final = "iron-message-id"
_ID_KEY: Final = f"\n{ID_HEADER}:".encode()
_NUMBER_BITS: Final = 57
"""Of a queue's numbers (levels.py). With logs up to 63, an id has the 18 or 19 digits that IronMQ's have."""
_SCHEDULED: Final = "9"
_DUE_DIGITS, _LOG_DIGITS, _SEQ_DIGITS = 15, 12, 15
_SCHEDULED_DIGITS: Final = 1 + _DUE_DIGITS + _LOG_DIGITS + _SEQ_DIGITS
_DIGITS_MAX: Final = 64


class MessageId(NamedTuple):
    """An id, taken apart.

    Attributes:
        log: of the queue that it was first in; 0 for one that was delivered later.
        number: there.
        scheduled: where it waited, or waits.
    """

    log: int
    number: int
    scheduled: ScheduleId | None = None


def id_text(log_id: int, number: int) -> str:
    """The id of a message in a queue."""
    return str(log_id << _NUMBER_BITS | number)


def ids_of_next(queue: Queue, count: int) -> list[str]:
    """The ids of the messages that are published next, in this step: they have no priority, so it is known where."""
    first = queue.log.id << _NUMBER_BITS | queue.log.head
    return list(map(str, range(first, first + count)))


def scheduled_id_text(identity: ScheduleId) -> str:
    """The id of a message that is delivered later."""
    return f"{_SCHEDULED}{identity.due_ms:0{_DUE_DIGITS}}{identity.log:0{_LOG_DIGITS}}{identity.seq:0{_SEQ_DIGITS}}"


def id_of(queue: Queue, number: int, record: bytes) -> str:
    """What a message is called: as at first, if that stands in it."""
    return stored_digits(record, _ID_KEY) or id_text(queue.log.id, number)


def stored_digits(record: bytes, key: bytes) -> str:
    """The value of a header that is made of digits; empty when there is none, or a sender has made up another one.

    `key`: what it begins with where it is not the first header. This is done for each message, twice: `Headers`, which
    finds any header and undoes escapes, would take three times as long.
    """
    at = record.find(key, HEADERS_AT, headers_end(record))
    if at < 0:
        return ""
    at += len(key)
    value = record[at : record.index(b"\n", at)]
    return value.decode() if value.isdigit() and len(value) <= _DIGITS_MAX else ""


def read_id(text: str) -> MessageId | None:
    """What an id says; None for what is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        return None
    if len(text) == _SCHEDULED_DIGITS and text.startswith(_SCHEDULED):
        due_end = 1 + _DUE_DIGITS
        log_end = due_end + _LOG_DIGITS
        identity = ScheduleId(int(text[1:due_end]), int(text[due_end:log_end]), int(text[log_end:]))
        return MessageId(0, 0, identity)
    log_id, number = divmod(int(text), 1 << _NUMBER_BITS)
    return MessageId(log_id, number)
