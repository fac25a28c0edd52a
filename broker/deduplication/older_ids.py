"""The ids behind the recent ones: on disk, and in memory only a filter that says in which run of them one may be.

A run is a row of records of the companion log with up to some thousands of ids. A filter has 64 runs, and each filter
is for twice as many ids as the one before, up to a million; the oldest goes as a whole when its last run has left the
window. So a large window costs 8 to 24 bytes an id, and a look-up is one for each of a few filters. Only an id that
some run may hold is looked for on disk.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final, NamedTuple

from segue.broker.deduplication.companion import CompanionLog, Remembered
from segue.broker.deduplication.entries import DIGEST_BYTES, ID_BYTES, seq_at
from segue.broker.deduplication.recent_ids import Entry
from segue.broker.deduplication.sliced_filter import SETS_MAX, SlicedFilter

__all__ = ["Find", "OlderIds"]

_RUN_IDS_MIN: Final = 64
_RUN_IDS_MAX: Final = 16_384
_RUNS_KEPT: Final = 4
"""Runs kept in memory once they were read, at most 5 MB each: who repeats himself goes on where he was."""


class Find(NamedTuple):
    """Where an id was found: the message's sequence number, the time, and how many ids had come before."""

    seq: int
    time_ms: int
    ordinal: int


class Run:
    """Ids that stand in the records [first, last] of the companion log.

    Attributes:
        which: its bit in the filter.
        ordinal, end: how many ids had come before its first one, and up to its last one.
        time_ms: when the last one came.
    """

    __slots__ = ("end", "first", "last", "ordinal", "time_ms", "which")

    def __init__(self, which: int, entry: Entry) -> None:
        self.which = which
        self.first = self.last = entry.at
        self.ordinal = self.end = entry.ordinal
        self.time_ms = entry.time_ms

    def __len__(self) -> int:
        return self.end - self.ordinal


class _Kept:
    """The records of a run in memory.

    One look-up goes through their bytes. Whoever looks up a second id goes on with more of them, mostly: for him there
    is a table, which takes as long to make as some hundred look-ups.
    """

    __slots__ = ("_ordinal", "_records", "_table")

    def __init__(self, ordinal: int, records: list[Remembered]) -> None:
        self._ordinal = ordinal
        self._records = records
        self._table: dict[bytes, Find] | None = None

    def add(self, entry: Entry) -> None:
        """Something has come to the run."""
        self._records.append((entry.at, entry.time_ms, entry.body))
        self._table = None

    def find(self, digest: bytes) -> Find | None:
        """As `_find`, for many ids."""
        if self._table is None:
            self._table = {}
            ordinal = self._ordinal
            for _, time_ms, body in self._records:
                for at in range(0, len(body) - len(body) % ID_BYTES, ID_BYTES):
                    self._table[body[at : at + DIGEST_BYTES]] = Find(seq_at(body, at), time_ms, ordinal)
                    ordinal += 1
        return self._table.get(digest)


class _Filter:
    """The runs of one filter, oldest first."""

    __slots__ = ("bits", "runs")

    def __init__(self, run_ids: int) -> None:
        self.bits = SlicedFilter(run_ids)
        self.runs: deque[Run] = deque()


class OlderIds:
    """See the module.

    Args:
        ids: about how many there are for the beginning.
    """

    __slots__ = ("_filters", "_kept", "_run_ids")

    def __init__(self, ids: int) -> None:
        self._run_ids = _RUN_IDS_MIN
        while self._run_ids < min(ids // SETS_MAX, _RUN_IDS_MAX):
            self._run_ids *= 2
        self._filters: deque[_Filter] = deque()
        self._kept: OrderedDict[int, _Kept] = OrderedDict()  # by the first record of the run

    def __len__(self) -> int:
        return sum(len(run) for each in self._filters for run in each.runs)

    @property
    def memory_bytes(self) -> int:
        """What the filters take."""
        return sum(each.bits.memory_bytes for each in self._filters)

    @property
    def first(self) -> int:
        """The oldest record of the companion log that is still needed; 0 when none is."""
        return self._filters[0].runs[0].first if self._filters else 0

    def add(self, entry: Entry) -> None:
        """What leaves the recent ids; from the oldest to the newest."""
        each = self._filters[-1] if self._filters else None
        run = each.runs[-1] if each is not None else None
        if each is None or run is None or len(run) >= self._run_ids:
            if each is None or run is None or run.which == SETS_MAX - 1:
                if each is not None:
                    self._run_ids = min(2 * self._run_ids, _RUN_IDS_MAX)
                each = _Filter(self._run_ids)
                self._filters.append(each)
                run = Run(0, entry)
            else:
                run = Run(run.which + 1, entry)
            each.runs.append(run)
        each.bits.add(run.which, entry.body, entry.start)
        run.last = entry.at
        run.time_ms = max(run.time_ms, entry.time_ms)
        run.end = entry.ordinal + len(entry.body) // ID_BYTES
        kept = self._kept.get(run.first)
        if kept is not None:
            kept.add(entry)

    def forget(self, ordinal: int, time_ms: int) -> None:
        """Let go of the oldest runs, of which nothing is in the window any more.

        Args:
            ordinal: ids with fewer before them are out of the window.
            time_ms: likewise, with an earlier time.
        """
        while self._filters:
            runs = self._filters[0].runs
            while runs and (runs[0].end <= ordinal or runs[0].time_ms <= time_ms):
                self._kept.pop(runs.popleft().first, None)
            if runs:
                return
            self._filters.popleft()

    def candidates(self, digest: bytes) -> list[Run]:
        """The runs in which an id may be; mostly none."""
        found: list[Run] = []
        for each in self._filters:
            bits = each.bits.candidates(digest)
            if bits:
                found += [run for run in each.runs if bits >> run.which & 1]
        return found

    def is_at_hand(self, runs: list[Run]) -> bool:
        """True when `look_up` needs no disk for these."""
        return all(run.first in self._kept for run in runs)

    def look_up(self, digest: bytes, runs: list[Run]) -> Find | None:
        """Look for an id in runs that are at hand; of several the last, None where there is none."""
        found = None
        for run in runs:
            found = self._kept[run.first].find(digest) or found
        return found

    async def read(self, companion: CompanionLog, digest: bytes) -> Find | None:
        """As `look_up`, with all runs in which it may be; what is read is kept for a while.

        Raises:
            READ_ERRORS: the disk does not give it now.
        """
        found = None
        for run in self.candidates(digest):
            kept = self._kept.get(run.first)
            if kept is not None:
                found = kept.find(digest) or found
                continue
            last = run.last
            records = [remembered async for remembered in companion.read(run.first, last + 1)]
            if run.last == last:  # or something has come to it meanwhile
                self._keep(run, records)
            found = _find(digest, run.ordinal, records) or found
        return found

    def _keep(self, run: Run, records: list[Remembered]) -> None:
        self._kept[run.first] = _Kept(run.ordinal, records)
        if len(self._kept) > _RUNS_KEPT:
            self._kept.popitem(last=False)


def _find(digest: bytes, ordinal: int, records: list[Remembered]) -> Find | None:
    """`ordinal`: ids before the first record."""
    found = None
    for _, time_ms, body in records:
        at = _place_of(digest, body)
        if at >= 0:
            found = Find(seq_at(body, at), time_ms, ordinal + at // ID_BYTES)
        ordinal += len(body) // ID_BYTES
    return found


def _place_of(digest: bytes, body: bytes) -> int:
    """Where the entry of an id begins, or -1."""
    at = body.find(digest)
    while at > 0 and at % ID_BYTES:
        at = body.find(digest, at + 1)
    return at
