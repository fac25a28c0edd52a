"""The state of a store at rest: the catalog with the journal replayed on it, in numbers and places instead of records.

What `segue.storage.recovery` does with logs and cursors in memory is done here with ranges, so that a store of any
depth can be looked at; and where recovery refuses, this goes on: messages that lost batches held are `lost`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from segue.storage.catalog_rows import CursorState
from segue.storage.entries import Define, Enqueue, Read, Return, Settle, SettleAhead
from segue.storage.gaps import Gaps
from segue.storage.log import Extent
from segue.storage.tools.catalog_image import CatalogImage
from segue.storage.tools.journal_image import FoundBatch, FoundEntry
from segue.storage.tools.ranges import Ranges, normal

__all__ = ["CursorPlace", "JournalRun", "LogPlaces", "StoreState", "owed_by"]

_RECORDS_AT: Final = 8
"""In the payload of an ENQUEUE: two counts, then 16 bytes a target, then the records."""
_TARGET_BYTES: Final = 16


class JournalRun(NamedTuple):
    """Records that follow each other in a journal file, numbered from `first` on."""

    first: int
    messages: int
    path: str
    offset: int
    size: int

    @property
    def last(self) -> int:
        """The number of its last record."""
        return self.first + self.messages - 1


@dataclass(slots=True)
class CursorPlace:
    """A cursor, as `segue.storage.cursor.Cursor` would be after recovery."""

    id: int
    next: int
    promised: int
    holes: dict[int, int]
    quarantined: Ranges
    definition: dict[str, Any]
    gaps: Gaps = field(default_factory=Gaps)

    def settle(self, first: int, last: int) -> None:
        """A SETTLE range."""
        self._settle_below(first, last)
        if last >= self.next:
            self._handed_out(first)
            self.next = last + 1
            self.gaps.drop_below(self.next)

    def settle_ahead(self, first: int, last: int) -> None:
        """A SETTLE_AHEAD range."""
        self._settle_below(first, last)
        if last >= self.next:
            self.gaps.add(max(first, self.next), last)

    def give_back(self, messages: list[tuple[int, int]]) -> None:
        """A RETURN."""
        for seq, deliveries in messages:
            if seq >= self.next:
                self._handed_out(seq)
                self.next = seq + 1
                self.gaps.drop_below(self.next)
            self.holes[seq] = deliveries

    def _handed_out(self, seq: int) -> None:
        """What is unread before `seq` was handed out, too, and is not settled."""
        for first, last in self.gaps.between(self.next, seq - 1):
            self.holes.update(dict.fromkeys(range(first, last + 1), 1))

    def _settle_below(self, first: int, last: int) -> None:
        if last - first < len(self.holes):
            for seq in range(first, last + 1):
                self.holes.pop(seq, None)
        else:
            for seq in [seq for seq in self.holes if first <= seq <= last]:
                del self.holes[seq]
        self.quarantined = [
            part
            for a, b in self.quarantined
            for part in ((a, min(b, first - 1)), (max(a, last + 1), b))
            if part[0] <= part[1]
        ]


@dataclass(slots=True)
class LogPlaces:
    """A log: who reads it, and where its records are.

    Attributes:
        definition: the caller's object; empty when it is not known.
        head: the next number to be given.
        runs: in the journal, rising.
        lost: numbers that were given to messages of lost batches, as far as that is known.
    """

    id: int
    definition: dict[str, Any]
    head: int = 1
    extents: list[Extent] = field(default_factory=list)
    runs: list[JournalRun] = field(default_factory=list)
    cursors: dict[int, CursorPlace] = field(default_factory=dict)
    lost: Ranges = field(default_factory=list)

    @property
    def name(self) -> str:
        """For people: what the definition calls it, or its number."""
        names = (self.definition.get(key) for key in ("name", "pattern", "queue"))
        return next((name for name in names if name and isinstance(name, str)), f"log {self.id}")

    def owed(self) -> Ranges:
        """What any cursor still needs."""
        return normal(part for cursor in self.cursors.values() for part in owed_by(cursor, self.head))


def owed_by(cursor: CursorPlace, head: int) -> Ranges:
    """What one cursor still needs of a log that ends before `head`."""
    ranges = [(seq, seq) for seq in cursor.holes if seq < cursor.next]
    ranges += [(first, min(last, head - 1)) for first, last in cursor.quarantined]
    ranges += cursor.gaps.between(cursor.next, head - 1)
    return normal(ranges)


class StoreState:
    """Logs and cursors.

    Attributes:
        logs: by id.
        next_id: the next id for a log or cursor.
        dropped: ids of logs and cursors that the journal deletes.
        strange: ids of logs and cursors that the journal speaks of and nobody has defined.
    """

    def __init__(self, image: CatalogImage, *, makes_unknown_logs: bool = False) -> None:
        """`makes_unknown_logs`: an ENQUEUE to a log that is not known makes one, because its DEFINE may be lost."""
        self.logs: dict[int, LogPlaces] = {}
        self.strange: set[int] = set()
        self.next_id = int(image.meta.get("next_id", 1))
        self._makes_unknown_logs = makes_unknown_logs
        self._cursors: dict[int, tuple[LogPlaces, CursorPlace]] = {}
        self.dropped: set[int] = set()
        for state in image.logs.values():
            self.logs[state.id] = LogPlaces(state.id, state.definition, state.head)
        for cursor in image.cursors.values():
            self._add_cursor(cursor)
        for log_id, extents in image.extents.items():
            if log_id in self.logs or makes_unknown_logs:
                log = self.log(log_id)
                log.extents = sorted(extents)
                if log_id in self.strange:
                    log.head = max(log.head, log.extents[-1].last + 1)
            else:
                self.strange.add(log_id)

    def log(self, log_id: int) -> LogPlaces:
        """A log; made, without a definition, when it is not known."""
        if log_id not in self.logs:
            self.logs[log_id] = LogPlaces(log_id, {})
            self.strange.add(log_id)
            self.note_id(log_id)
        return self.logs[log_id]

    def note_id(self, identity: int) -> None:
        """An id that is taken."""
        self.next_id = max(self.next_id, identity + 1)

    def replay(self, batch: FoundBatch, found: FoundEntry) -> None:
        """Apply one entry of the journal."""
        entry = found.entry
        if isinstance(entry, Enqueue):
            self._enqueue(batch, found, entry)
        elif isinstance(entry, Define):
            self._define(entry.definition)
        elif entry.cursor not in self._cursors:
            if entry.cursor not in self.dropped:
                self.strange.add(entry.cursor)
        else:
            cursor = self._cursors[entry.cursor][1]
            if isinstance(entry, Settle):
                for first, last in entry.ranges:
                    cursor.settle(first, last)
            elif isinstance(entry, SettleAhead):
                for first, last in entry.ranges:
                    cursor.settle_ahead(first, last)
            elif isinstance(entry, Return):
                cursor.give_back(entry.messages)
            else:
                assert isinstance(entry, Read)
                cursor.promised = max(cursor.promised, entry.next)

    def _enqueue(self, batch: FoundBatch, found: FoundEntry, entry: Enqueue) -> None:
        count = len(entry.records)
        before = _RECORDS_AT + _TARGET_BYTES * len(entry.targets)
        for log_id, first in entry.targets:
            if log_id not in self.logs and not self._makes_unknown_logs:
                if log_id not in self.dropped:
                    self.strange.add(log_id)
                continue
            if log_id in self.dropped:
                continue
            log = self.log(log_id)
            if first + count <= log.head and not self._makes_unknown_logs:
                continue  # known from the catalog
            if first > log.head and (log.runs or log_id not in self.strange):
                log.lost = normal([*log.lost, (log.head, first - 1)])
            log.runs.append(JournalRun(first, count, batch.path, found.offset + before, found.size - before))
            log.head = max(log.head, first + count)

    def _define(self, what: dict[str, Any]) -> None:
        kind, identity = what["do"], int(what["id"])
        self.note_id(identity)
        if kind == "log":
            self.log(identity).definition = what["definition"]
            self.strange.discard(identity)
        elif kind == "cursor":
            self.strange.discard(identity)
            self._add_cursor(CursorState(identity, int(what["log"]), int(what["next"]), 0, {}, [], what["definition"]))
        elif kind == "drop-log":
            self.dropped.add(identity)
            log = self.logs.pop(identity, None)
            for cursor in list(log.cursors) if log is not None else ():
                self._drop_cursor(cursor)
        elif kind == "drop-cursor":
            self._drop_cursor(identity)

    def _add_cursor(self, state: CursorState) -> None:
        if state.log not in self.logs and not self._makes_unknown_logs:
            self.strange.add(state.log)
            return
        log = self.log(state.log)
        if state.log in self.strange:
            log.head = max(log.head, state.next)
        place = CursorPlace(
            state.id,
            state.next,
            state.promised,
            dict(state.holes),
            list(state.quarantined),
            state.definition,
            Gaps(state.gaps or ()),
        )
        log.cursors[state.id] = place
        self._cursors[state.id] = log, place
        self.note_id(state.id)

    def _drop_cursor(self, identity: int) -> None:
        self.dropped.add(identity)
        found = self._cursors.pop(identity, None)
        if found is not None:
            found[0].cursors.pop(identity, None)
