"""Replay: what the entries of the journal do to logs and cursors when a start reads them back.

A cursor is not told each time that it hands something out: that would be a write for each delivery. So a replay takes
what is settled or returned for a proof that it was handed out, and all that was unread before it, too: first deliveries
rise strictly. What of that nobody has settled is returned, delivered once. Only what was settled ahead (SETTLE_AHEAD)
proves nothing; it is a gap.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from segue.storage.cursor import Cursor
from segue.storage.entries import Define, Enqueue, Entry, Read, Return, Settle, SettleAhead
from segue.storage.log import Log

if TYPE_CHECKING:
    from segue.storage.store import Store

__all__ = ["apply"]


def apply(store: Store, entry: Entry) -> None:
    """Do again what an entry says. What it says of logs and cursors that were dropped since then is passed over."""
    if isinstance(entry, Enqueue):
        for log_id, first in entry.targets:
            log = store.logs.get(log_id)
            if log is not None:
                log.replay(first, entry.records)
    elif isinstance(entry, Define):
        _define(store, entry)
    elif (cursor := store.cursors.get(entry.cursor)) is not None:
        _apply_to(cursor, entry)
        cursor.log.touch()  # the next checkpoint takes the journal's place


def _apply_to(cursor: Cursor, entry: Settle | SettleAhead | Read | Return) -> None:
    if isinstance(entry, Settle | SettleAhead):
        settle = _settle if isinstance(entry, Settle) else _settle_ahead
        for first, last in entry.ranges:
            settle(cursor, first, last)
            cursor.log.forget_range(first, last)
    elif isinstance(entry, Read):
        cursor.promised = max(cursor.promised, entry.next)
    else:
        _give_back(cursor, entry.messages)


def _define(store: Store, entry: Define) -> None:
    what = entry.definition
    kind, identity = what["do"], int(what["id"])
    if kind == "log":
        log = store.logs.get(identity)
        if log is None:
            log = store.logs[identity] = Log(store, identity, what["definition"])
        log.definition = what["definition"]
        log.touch()
    elif kind == "cursor":
        log = store.logs[int(what["log"])]
        cursor = store.cursors[identity] = Cursor(identity, log, what["definition"], int(what["next"]))
        log.cursors.append(cursor)
        log.touch()
    elif kind == "drop-log" and identity in store.logs:
        store.forget_log(store.logs[identity])
    elif kind == "drop-cursor" and identity in store.cursors:
        store.forget_cursor(store.cursors[identity])
    store.note_id(identity)


def _settle(cursor: Cursor, first: int, last: int) -> None:
    _settle_below(cursor, first, last)
    if last >= cursor.next:
        _hand_out(cursor, first)
        cursor.advance(last + 1)


def _settle_ahead(cursor: Cursor, first: int, last: int) -> None:
    _settle_below(cursor, first, last)
    if last >= cursor.next:
        cursor.add_gaps([(max(first, cursor.next), last)])


def _give_back(cursor: Cursor, messages: Iterable[tuple[int, int]]) -> None:
    for seq, standing in messages:
        if seq >= cursor.next:
            _hand_out(cursor, seq)
            cursor.advance(seq + 1)
        if cursor.quarantined:
            # It was mended before it was handed out, and the catalog does not know that yet.
            cursor.quarantined.remove(seq, seq)
        cursor.returned[seq] = standing


def _settle_below(cursor: Cursor, first: int, last: int) -> None:
    """What of [first, last] was handed out or set aside is settled."""
    returned = cursor.returned
    if last - first < len(returned):
        for seq in range(first, last + 1):
            returned.pop(seq, None)
    else:
        for seq in [seq for seq in returned if first <= seq <= last]:
            del returned[seq]
    if cursor.quarantined:
        cursor.quarantined.remove(first, last)


def _hand_out(cursor: Cursor, seq: int) -> None:
    """`seq` was handed out, so what is unread before it was, too, and is not settled."""
    ranges = [(cursor.next, seq - 1)] if cursor.gaps is None else cursor.gaps.between(cursor.next, seq - 1)
    for first, last in ranges:
        cursor.returned.update(dict.fromkeys(range(first, last + 1), 1))
