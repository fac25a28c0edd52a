"""Bring what is readable of a damaged store into a new one, and list what is not. The damaged one is not changed.

Theory of operation. The state (who reads which log, and what is owed) comes from the catalog with the journal replayed
on it, over gaps. Where the catalog is gone, logs are those that segments and journal speak of, and everything that can
be read is owed. Then each log is written anew from all places that hold messages of it (pieces.py), with the numbers
that the messages have. What is owed and in no place is lost: it is listed, and noted in the new catalog.

What can't be known is decided so that no message is lost in silence: where acknowledgements may be missing, messages
come again, and say that they may be repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from segue.storage.catalog_rows import CursorState, LogState
from segue.storage.errors import RecordDamagedError
from segue.storage.record import HEADERS_AT
from segue.storage.tools.catalog_image import CatalogImage, open_catalog_image
from segue.storage.tools.finding import Finding, FindingKind, Meter, Progress
from segue.storage.tools.journal_image import Gap, JournalImage, entries_of
from segue.storage.tools.lost import LOST_KEY, lost_of, lost_value
from segue.storage.tools.pieces import Message, Piece, block_piece, journal_piece, merged, segment_piece
from segue.storage.tools.ranges import Ranges, add, normal, within, without
from segue.storage.tools.rebuild import StoreBuilder, build_store
from segue.storage.tools.segment_image import salt_of_segment, segment_names
from segue.storage.tools.state import CursorPlace, LogPlaces, StoreState

__all__ = ["Describe", "SalvageCounts", "SalvageReport", "salvage_store"]

Describe = Callable[[bytes], dict[str, Any] | None]
"""Makes the definition of a log that has lost it from one of its records; None where it can't."""

_RECOVERED: Final = "recovered-{}"
_LOOSE_MESSAGES_MAX: Final = (4 << 20) // HEADERS_AT
"""Most messages of one log that may have been in a catalog that is gone: less than what makes a segment."""
_END: Final = 1 << 62


@dataclass(slots=True)
class SalvageCounts:
    """What was brought along."""

    logs: int = 0
    cursors: int = 0
    messages: int = 0
    bytes: int = 0
    segments: int = 0


@dataclass(frozen=True, slots=True)
class LostMessages:
    """Messages of a log that were owed and can't be read."""

    log: int
    name: str
    first: int
    last: int


@dataclass(slots=True)
class SalvageReport:
    """What came of it.

    Attributes:
        findings: what is wrong with the source.
        lost: what could not be brought along.
        renamed: logs whose definition is lost: log → the name that they have now.
        may_repeat: acknowledgements may be missing, so that messages may come again that were done.
    """

    source: str
    target: str
    findings: list[Finding] = field(default_factory=list)
    lost: list[LostMessages] = field(default_factory=list)
    renamed: dict[int, str] = field(default_factory=dict)
    may_repeat: bool = False
    counts: SalvageCounts = field(default_factory=SalvageCounts)

    @property
    def is_complete(self) -> bool:
        """True when everything that was owed is in the new store, and nothing else."""
        return not self.lost and not self.renamed and not self.may_repeat

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "source": self.source,
            "target": self.target,
            "complete": self.is_complete,
            "may_repeat": self.may_repeat,
            "counts": asdict(self.counts),
            "lost": [asdict(lost) for lost in self.lost],
            "renamed": {str(log): name for log, name in self.renamed.items()},
            "findings": [finding.as_dict() for finding in self.findings],
        }


async def salvage_store(
    source: Path, target: Path, describe: Describe = lambda record: None, progress: Progress | None = None
) -> SalvageReport:
    """Make a new store at `target` of what is readable in `source`, which no daemon may be running on.

    Args:
        source: a data directory.
        target: nothing is there yet, or an empty directory.
        describe: see `Describe`.
        progress: told how far it has come.

    Raises:
        NewerFormatError: a newer Segue wrote the source.
        OSError: the source can't be read, or the target can't be written; then nothing of it is left.
    """
    report = SalvageReport(str(source), str(target))
    with open_catalog_image(source) as image:
        salvage = _Salvage(source, image, report, describe, Meter(progress))
        salvage.read_state()
        meta: dict[str, Any] = {}
        async with build_store(target, meta) as builder:
            await salvage.write(builder)
            meta[LOST_KEY] = lost_value(salvage.lost)
    return report


class _Salvage:
    """One salvage.

    Attributes:
        lost: by log, that of earlier salvages included.
    """

    def __init__(
        self, source: Path, image: CatalogImage, report: SalvageReport, describe: Describe, meter: Meter
    ) -> None:
        self._source = source
        self._image = image
        self._report = report
        self._describe = describe
        self._meter = meter
        self._journal = JournalImage(source, image.salt)
        self._salt = self._journal.salt if self._journal.salt is not None else _salt_of_segments(source)
        self._strays: dict[int, list[Piece]] = {}
        self.lost: dict[int, Ranges] = {log: list(ranges) for log, ranges in lost_of(image).items()}

    # -- reading

    def read_state(self) -> None:
        image, report = self._image, self._report
        report.findings += image.findings
        gaps = self._replay(StoreState(image))
        report.may_repeat = bool(gaps) or not image.is_whole
        if report.may_repeat:
            # What is not known may have been lost: once more, and this time an unknown log makes one.
            self._state = StoreState(image, makes_unknown_logs=True)
            self._replay(self._state)
        report.findings += gaps
        self._find_strays()
        for log in self._state.logs.values():
            self._meter.total += sum(extent.messages for extent in log.extents) + sum(run.messages for run in log.runs)

    def _replay(self, state: StoreState) -> list[Finding]:
        """Replay the journal over gaps; returns what is wrong with it."""
        found: list[Finding] = []
        self._state = state
        image, journal = self._image, self._journal
        start, previous = (image.lsn, image.previous) if image.meta else (journal.oldest, None)
        for part in journal.walk(start, previous):
            if isinstance(part, Gap):
                problem = "batches are lost: they are damaged, or their file is missing"
                found.append(Finding(FindingKind.JOURNAL, part.path, problem, part.offset, part.size))
                continue
            try:
                for entry in entries_of(part):
                    state.replay(part, entry)
            except (RecordDamagedError, ValueError, KeyError) as error:
                problem = f"a batch contradicts itself: {error}"
                found.append(Finding(FindingKind.JOURNAL, part.path, problem, part.offset))
        found += [Finding(FindingKind.JOURNAL, path, f"{problem}: it was cut") for path, problem in journal.cut.items()]
        if journal.missing_at_start():
            problem = f"the file that holds LSN {journal.position} is missing"
            found.append(Finding(FindingKind.JOURNAL, "journal", problem))
        return found

    def _find_strays(self) -> None:
        """Segments that the catalog does not name: a checkpoint came to no end, or the catalog is gone."""
        named = {extent.path for extents in self._image.extents.values() for extent in extents}
        for path, name in segment_names(self._source):
            if name is None or path in named:
                continue
            if name.log in self._state.dropped or (name.log not in self._state.logs and self._image.is_whole):
                continue  # its log was deleted
            log = self._state.log(name.log)
            last = name.last or _END  # a checkpoint names a file by its last message when it is finished
            if not self._image.is_whole and name.last:
                log.head = max(log.head, name.last + 1)
            piece = segment_piece(
                self._source, path, log.id, name.first, last, self._salt, lambda finding: None, is_named=False
            )
            self._strays.setdefault(log.id, []).append(piece)

    def _pieces(self, log: LogPlaces, tell: Callable[[Finding], None]) -> list[Piece]:
        root = self._source
        pieces = [
            segment_piece(root, e.path, log.id, e.first, e.last, self._salt, tell, is_named=True)
            for e in log.extents
            if e.path
        ]
        pieces += [block_piece(log.id, block, tell) for _, block in self._image.loose_blocks(log.id)]
        pieces += [journal_piece(root, log.id, run, tell) for run in log.runs]
        return pieces + self._strays.get(log.id, [])

    # -- writing

    async def write(self, builder: StoreBuilder) -> None:
        taken = {str(log.definition.get("name")) for log in self._state.logs.values() if log.definition}
        skip = self._numbers_to_skip()
        for log in sorted(self._state.logs.values(), key=lambda log: log.id):
            self._skip_numbers(log, skip)
            pieces = self._pieces(log, self._report.findings.append)
            if not log.definition:
                if not pieces and not log.cursors:
                    continue  # only its number is known
                self._define(log, taken)
            if self._report.may_repeat and not log.cursors:
                self._add_cursor(log, pieces)
                await self._write_all(builder, log, pieces)
            else:
                await self._write_owed(builder, log, pieces)
        await builder.finish(self._state.next_id)
        self._report.counts.segments = builder.segments

    async def _write_owed(self, builder: StoreBuilder, log: LogPlaces, pieces: list[Piece]) -> None:
        """What the cursors of a log say is owed; where it can't be read, it is lost."""
        known_lost = self.lost.get(log.id, [])
        owed = without(log.owed(), known_lost)
        kept = await self._write_log(builder, log, owed, pieces)
        self._lose(log, without(owed, kept), known_lost)

    async def _write_all(self, builder: StoreBuilder, log: LogPlaces, pieces: list[Piece]) -> None:
        """Everything that there is of a log, as nobody knows what is owed. What is known to be damaged is lost."""
        before = len(self._report.findings)
        known_lost = self.lost.get(log.id, [])
        kept = await self._write_log(builder, log, without([(1, log.head - 1)], known_lost), pieces)
        told = [f for f in self._report.findings[before:] if f.kind is FindingKind.RECORD]
        damaged = without(normal((finding.first, finding.last) for finding in told), kept)
        # Other numbers that are nowhere may have been settled long ago. A check must not miss them.
        self._lose(log, damaged, without([(1, log.head - 1)], kept))

    def _lose(self, log: LogPlaces, lost: Ranges, known: Ranges) -> None:
        self._report.lost += [LostMessages(log.id, log.name, first, last) for first, last in lost]
        self.lost[log.id] = normal([*known, *lost])

    async def _write_log(self, builder: StoreBuilder, log: LogPlaces, owed: Ranges, pieces: list[Piece]) -> Ranges:
        """Write what of `owed` can be read; returns it."""
        kept: Ranges = []
        wanted = [piece for piece in pieces if within(owed, piece.first, piece.last)]
        await builder.add_messages(log.id, self._kept(log, owed, wanted, kept))
        cursors = [self._cursor_state(log, cursor, kept) for cursor in log.cursors.values()]
        await builder.add_log(LogState(log.id, log.head, log.definition), cursors)
        counts = self._report.counts
        counts.logs += 1
        counts.cursors += len(cursors)
        return kept

    def _kept(self, log: LogPlaces, owed: Ranges, pieces: list[Piece], kept: Ranges) -> Iterator[Message]:
        """What is owed and can be read; `kept` gets the numbers of it."""
        counts = self._report.counts
        at = 0
        for seq, record in merged(pieces):
            self._meter.advance(1, log.name)
            while at < len(owed) and owed[at][1] < seq:
                at += 1
            if at < len(owed) and owed[at][0] <= seq:
                add(kept, seq, seq)
                counts.messages += 1
                counts.bytes += len(record)
                yield seq, record

    def _cursor_state(self, log: LogPlaces, cursor: CursorPlace, kept: Ranges) -> CursorState:
        """A cursor that owes what it owed and what could be read."""
        holes = {
            seq: 1
            for first, last in cursor.quarantined
            for begin, end in within(kept, first, last)
            for seq in range(begin, end + 1)
        }
        holes |= {seq: deliveries for seq, deliveries in cursor.holes.items() if within(kept, seq, seq)}
        next_seq = min(cursor.next, log.head)
        holes = {seq: deliveries for seq, deliveries in holes.items() if seq < next_seq}
        promised = log.head if self._report.may_repeat else cursor.promised
        gaps = cursor.gaps if cursor.gaps and next_seq == cursor.next else None
        return CursorState(cursor.id, log.id, next_seq, promised, holes, [], cursor.definition, gaps)

    # -- what is not known any more

    def _numbers_to_skip(self) -> int:
        """How many messages of one log may have been given numbers that nobody knows of any more, at most.

        A number that was given is never given again: consumers know messages by it.
        """
        if not self._report.may_repeat:
            return 0
        lost_bytes = sum(f.size for f in self._report.findings if f.kind is FindingKind.JOURNAL and f.size > 0)
        return lost_bytes // HEADERS_AT + (0 if self._image.is_whole else _LOOSE_MESSAGES_MAX)

    def _skip_numbers(self, log: LogPlaces, count: int) -> None:
        if count:
            old = log.head
            log.head += count
            self.lost[log.id] = normal([*self.lost.get(log.id, []), (old, log.head - 1)])
            for cursor in log.cursors.values():
                if cursor.next == old:
                    cursor.next = log.head

    def _define(self, log: LogPlaces, taken: set[str]) -> None:
        """A definition for a log that has lost it, under a name that no other has."""
        with closing(merged(self._pieces(log, lambda finding: None))) as messages:
            first = next(messages, None)
        definition = self._describe(first[1]) if first is not None else None
        definition = definition or {"kind": "queue", "name": _RECOVERED.format(log.id)}
        name = str(definition["name"])
        if name in taken:
            name = f"{name}.{_RECOVERED.format(log.id)}"
        taken.add(name)
        log.definition = {**definition, "name": name}
        self._report.renamed[log.id] = name

    def _add_cursor(self, log: LogPlaces, pieces: list[Piece]) -> None:
        """A log without a cursor would drop its messages."""
        identity = self._state.next_id
        self._state.note_id(identity)
        is_queue = log.definition.get("kind") == "queue"
        definition = {"kind": "queue"} if is_queue else {"kind": "subscription", "name": _RECOVERED.format(log.id)}
        first = min((piece.first for piece in pieces), default=log.head)
        log.cursors[identity] = CursorPlace(identity, first, log.head, {}, [], definition)


def _salt_of_segments(root: Path) -> int:
    """The store's random number, from the first segment that tells it; 0 when none does."""
    salts = (salt_of_segment(root / path) for path, name in segment_names(root) if name is not None)
    return next((salt for salt in salts if salt is not None), 0)
