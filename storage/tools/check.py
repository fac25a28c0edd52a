"""Check a data directory, stopped or running: every checksum, and every invariant that can be checked at rest.

Nothing in the directory is changed. While a daemon runs, what is read may be replaced in the middle of the look; so
what looks damaged is looked at again, together with the catalog of that moment, and told only if it stays.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from segue.storage.block import PackedBlock, unpack_block
from segue.storage.catalog import CATALOG
from segue.storage.entries import Enqueue
from segue.storage.errors import RecordDamagedError
from segue.storage.journal import JOURNAL_DIRECTORY
from segue.storage.lock import holder_of
from segue.storage.log import Extent
from segue.storage.record import verify
from segue.storage.segment import SEGMENTS_DIRECTORY
from segue.storage.tools.catalog_image import CatalogImage, open_catalog_image
from segue.storage.tools.finding import Finding, FindingKind, Meter, Progress
from segue.storage.tools.journal_image import FoundBatch, Gap, JournalImage, entries_of
from segue.storage.tools.lost import lost_of
from segue.storage.tools.ranges import Ranges, add, normal, size, within, without
from segue.storage.tools.segment_image import SegmentImage, segment_names
from segue.storage.tools.state import LogPlaces, StoreState

__all__ = ["CheckCounts", "CheckReport", "check_store"]

_PASSES_MAX: Final = 5
_PAUSE_SECONDS: Final = 0.2
_RANGES_TOLD_MAX: Final = 20
"""Of one log or one file; the rest is counted."""
_NAMES_AT_THE_TOP: Final = frozenset({"LOCK", CATALOG, f"{CATALOG}-wal", JOURNAL_DIRECTORY, SEGMENTS_DIRECTORY})
_USUAL_WHILE_RUNNING: Final = (FindingKind.STRAY, FindingKind.TORN)
"""What a daemon is just writing: a batch, a commit of the catalog, segments of a checkpoint."""
_JOURNAL_PREFIXES: Final = ("free-", "new-")


@dataclass(slots=True)
class CheckCounts:
    """How much was looked at. `owed`: messages that some cursor still needs."""

    logs: int = 0
    cursors: int = 0
    owed: int = 0
    segments: int = 0
    blocks: int = 0
    messages: int = 0
    bytes: int = 0
    journal_batches: int = 0
    journal_messages: int = 0


@dataclass(slots=True)
class CheckReport:
    """What was found.

    Attributes:
        pid: the daemon that ran meanwhile; None when none did.
        passes: how often the store was looked at.
    """

    directory: str
    pid: int | None
    findings: list[Finding]
    counts: CheckCounts
    passes: int = 1

    @property
    def is_damaged(self) -> bool:
        """True when anything is wrong."""
        return any(finding.is_damage for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "directory": self.directory,
            "pid": self.pid,
            "damaged": self.is_damaged,
            "counts": asdict(self.counts),
            "findings": [finding.as_dict() for finding in self.findings],
        }


def check_store(root: Path, progress: Progress | None = None) -> CheckReport:
    """Look at everything in a data directory.

    Raises:
        NewerFormatError: a newer Segue wrote it.
        OSError: it can't be read.
    """
    sound: dict[str, _SegmentResult] = {}
    before: set[str] | None = None
    passes = 0
    while True:
        passes += 1
        pid = holder_of(root)
        look = _Look(root, Meter(progress), sound)
        look.run()
        damage = {str(finding) for finding in look.findings if finding.is_damage}
        if not damage or pid is None or damage == before or passes == _PASSES_MAX:
            findings = [f for f in look.findings if pid is None or f.kind not in _USUAL_WHILE_RUNNING]
            return CheckReport(str(root), pid, findings, look.counts, passes)
        before = damage
        time.sleep(_PAUSE_SECONDS)


@dataclass(slots=True)
class _SegmentResult:
    """What a sound segment holds: it never changes, so it is looked at once."""

    covered: Ranges
    blocks: int
    messages: int
    bytes: int


@dataclass(slots=True)
class _Look:
    """One look at a store."""

    root: Path
    meter: Meter
    sound: dict[str, _SegmentResult]
    findings: list[Finding] = field(default_factory=list)
    counts: CheckCounts = field(default_factory=CheckCounts)
    covered: dict[int, Ranges] = field(default_factory=dict)

    def run(self) -> None:
        with open_catalog_image(self.root) as image:
            self.findings += image.findings
            self.meter.total = self._total_bytes(image)
            state = StoreState(image)
            self._check_journal(image, state)
            self._check_loose(image)
            for log in state.logs.values():
                self._check_order(log)
                for extent in log.extents:
                    if extent.path:
                        self._check_segment(image, log, extent)
                self._check_owed(log, lost_of(image).get(log.id, []))
            self._check_files(image)
        self.counts.logs = len(state.logs)
        self.counts.cursors = sum(len(log.cursors) for log in state.logs.values())

    def _total_bytes(self, image: CatalogImage) -> int:
        files = JournalImage(self.root, image.salt).files
        journal = sum(size for base, size in files.items() if base + size > image.lsn)
        return journal + sum(extent.bytes for extents in image.extents.values() for extent in extents)

    def _tell(self, kind: FindingKind, path: str, problem: str, **more: int) -> None:
        self.findings.append(Finding(kind, path, problem, **more))

    # -- the journal

    def _check_journal(self, image: CatalogImage, state: StoreState) -> None:
        journal = JournalImage(self.root, image.salt)
        start, previous = (image.lsn, image.previous) if image.meta else (journal.oldest, None)
        has_gaps = False
        for found in journal.walk(start, previous):
            if isinstance(found, Gap):
                has_gaps = True
                self._tell_gap(found)
            else:
                self._check_batch(found, state)
        if journal.missing_at_start():
            has_gaps = True
            problem = f"the file that holds LSN {journal.position} is missing"
            self._tell(FindingKind.JOURNAL, JOURNAL_DIRECTORY, problem)
        for path, problem in journal.cut.items():
            has_gaps = True
            self._tell(FindingKind.JOURNAL, path, f"{problem}: it was cut")
        if journal.torn_bytes:
            problem = f"a batch of {journal.torn_bytes} bytes is cut short at LSN {journal.position}"
            self._tell(FindingKind.TORN, JOURNAL_DIRECTORY, problem)
        if image.is_whole and not has_gaps and holder_of(self.root) is None:
            for identity in sorted(state.strange):
                self._tell(FindingKind.ORDER, CATALOG, f"log or cursor {identity} is spoken of, and there is none")

    def _tell_gap(self, gap: Gap) -> None:
        problem = "one or more batches are damaged or missing here, and a whole one follows"
        if gap.missing >= 0:
            problem = f"the file that holds LSN {gap.missing} is missing"
        self._tell(FindingKind.JOURNAL, gap.path, problem, offset=gap.offset, size=gap.size)

    def _check_batch(self, batch: FoundBatch, state: StoreState) -> None:
        self.counts.journal_batches += 1
        try:
            for found in entries_of(batch):
                state.replay(batch, found)
                if isinstance(found.entry, Enqueue):
                    self._check_enqueue(batch, found.entry)
        except (RecordDamagedError, ValueError, KeyError) as error:
            self._tell(FindingKind.JOURNAL, batch.path, f"a batch contradicts itself: {error}", offset=batch.offset)
        self.meter.advance(batch.header.size, "journal")

    def _check_enqueue(self, batch: FoundBatch, entry: Enqueue) -> None:
        self.counts.journal_messages += len(entry.records)
        for log_id, first in entry.targets:
            covered = self.covered.setdefault(log_id, [])
            for seq, record in enumerate(entry.records, first):
                if verify(record):
                    add(covered, seq, seq)
                else:
                    problem = "its checksum is wrong"
                    self._tell(
                        FindingKind.RECORD, batch.path, problem, offset=batch.offset, log=log_id, first=seq, last=seq
                    )

    # -- what lies in the catalog and in segments

    def _check_loose(self, image: CatalogImage) -> None:
        for log_id, block in image.loose_blocks():
            self._check_block(CATALOG, log_id, block, self.covered.setdefault(log_id, []))
            self.meter.advance(len(block.records), "loose blocks")

    def _check_block(self, path: str, log_id: int, block: PackedBlock, covered: Ranges) -> None:
        runs, bad = unpack_block(block)
        for first, records in runs:
            add(covered, first, first + len(records) - 1)
        for damage in bad:
            self._tell(FindingKind.RECORD, path, damage.reason, log=log_id, first=damage.first, last=damage.last)
        self.counts.blocks += 1
        self.counts.messages += sum(len(records) for _, records in runs)
        self.counts.bytes += len(block.records)

    def _check_segment(self, image: CatalogImage, log: LogPlaces, extent: Extent) -> None:
        self.counts.segments += 1
        covered = self.covered.setdefault(log.id, [])
        known = self.sound.get(extent.path)
        if known is None:
            known = self._read_segment(image, log, extent)
        else:
            self.counts.blocks += known.blocks
            self.counts.messages += known.messages
            self.counts.bytes += known.bytes
        covered += known.covered
        self.meter.advance(extent.bytes, extent.path)

    def _read_segment(self, image: CatalogImage, log: LogPlaces, extent: Extent) -> _SegmentResult:
        before = len(self.findings)
        counts = self.counts
        start = counts.blocks, counts.messages, counts.bytes
        covered: Ranges = []
        problems = self._size_problems(extent)
        segment = SegmentImage(self.root / extent.path, log.id, image.salt or 0)
        if not problems or problems[0] != "it is missing":
            try:
                for block in segment.blocks():
                    self._check_block(extent.path, log.id, block, covered)
            except FileNotFoundError:
                problems.append("it is missing")
        problems += segment.problems
        result = _SegmentResult(covered, counts.blocks - start[0], counts.messages - start[1], counts.bytes - start[2])
        if not problems and len(self.findings) == before:
            wanted = extent.first, extent.last, extent.messages, extent.bytes
            held = (covered[0][0], covered[-1][1]) if covered else (0, 0)
            if (*held, result.messages, result.bytes) != wanted:
                problems.append(f"it holds {result.messages} messages, {extent.messages} were written")
        if problems:
            readable = f"{result.messages} of its {extent.messages} messages can be read"
            problem = f"{'; '.join(problems)}; {readable}"
            self._tell(FindingKind.SEGMENT, extent.path, problem, log=log.id)
        if len(self.findings) == before:
            self.sound[extent.path] = result
        return result

    def _size_problems(self, extent: Extent) -> list[str]:
        try:
            found = (self.root / extent.path).stat().st_size
        except FileNotFoundError:
            return ["it is missing"]
        return [] if found == extent.file_bytes else [f"it has {found} bytes, {extent.file_bytes} were written"]

    # -- invariants

    def _check_order(self, log: LogPlaces) -> None:
        upto = 0
        for extent in log.extents:
            path = extent.path or CATALOG
            if extent.first <= upto or extent.last < extent.first:
                self._tell(
                    FindingKind.ORDER,
                    path,
                    "it overlaps the one before",
                    log=log.id,
                    first=extent.first,
                    last=extent.last,
                )
            upto = max(upto, extent.last)
        if upto >= log.head:
            self._tell(FindingKind.ORDER, CATALOG, f"log {log.id} ends at {log.head - 1}, and has message {upto}")
        if log.runs and log.runs[0].first <= upto:
            problem = f"the journal goes on with message {log.runs[0].first} of log {log.id}, segments go up to {upto}"
            self._tell(FindingKind.ORDER, log.runs[0].path, problem)
        for cursor in log.cursors.values():
            if cursor.next > log.head or any(seq >= cursor.next for seq in cursor.holes):
                problem = f"cursor {cursor.id} is at {cursor.next}, and log {log.id} ends at {log.head - 1}"
                self._tell(FindingKind.ORDER, CATALOG, problem)

    def _check_owed(self, log: LogPlaces, lost: Ranges) -> None:
        owed = without(log.owed(), lost)
        self.counts.owed += size(owed)
        covered = normal(self.covered.pop(log.id, []))
        missing = without(owed, covered)
        for first, last in missing[:_RANGES_TOLD_MAX]:
            problem = "owed, and can't be read" if self._is_in_extent(log, first) else "owed, and nowhere"
            path = self._place_of(log, first)
            self._tell(FindingKind.MISSING, path, f"{problem} ({log.name})", log=log.id, first=first, last=last)
        if len(missing) > _RANGES_TOLD_MAX:
            rest = size(missing[_RANGES_TOLD_MAX:])
            self._tell(FindingKind.MISSING, CATALOG, f"{rest} more messages of {log.name} are owed", log=log.id)
        if lost:
            gone = size(lost)
            problem = (
                f"{gone} numbers of {log.name} have no message: a salvage could not bring them along, or skipped them"
            )
            self._tell(FindingKind.LOST, CATALOG, problem, log=log.id, first=lost[0][0], last=lost[-1][1])

    def _is_in_extent(self, log: LogPlaces, seq: int) -> bool:
        return any(extent.first <= seq <= extent.last for extent in log.extents)

    def _place_of(self, log: LogPlaces, seq: int) -> str:
        for extent in log.extents:
            if extent.first <= seq <= extent.last:
                return extent.path or CATALOG
        return JOURNAL_DIRECTORY if within(log.lost, seq, seq) else CATALOG

    # -- files

    def _check_files(self, image: CatalogImage) -> None:
        named = {extent.path for extents in image.extents.values() for extent in extents}
        for path, name in segment_names(self.root):
            if path not in named:
                what = "no segment of this store" if name is None else "a segment that the catalog does not name"
                then = "the next start removes it" if image.is_whole else "it may hold messages that are owed"
                self._tell(FindingKind.STRAY, path, f"{what}; {then}")
        for path in _strangers(self.root):
            self._tell(FindingKind.STRAY, path, "not a file of the store")
        for path in _open_to_others(self.root):
            self._tell(FindingKind.MODE, path, "others than its owner may use it; chmod it to 0600, a folder to 0700")


def _strangers(root: Path) -> Iterator[str]:
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        if entry.name not in _NAMES_AT_THE_TOP and not stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
            yield entry.name
    folder = root / JOURNAL_DIRECTORY
    for name in sorted(os.listdir(folder)) if folder.is_dir() else ():
        stem = name.removesuffix(".journal")
        is_in_use = len(stem) == 16 and all(digit in "0123456789abcdef" for digit in stem)
        if not name.endswith(".journal") or not (is_in_use or name.startswith(_JOURNAL_PREFIXES)):
            yield f"{JOURNAL_DIRECTORY}/{name}"


def _open_to_others(root: Path) -> Iterator[str]:
    if root.stat().st_mode & 0o077:
        yield "."
    for folder, folders, names in os.walk(root):
        for name in sorted([*folders, *names]):
            path = Path(folder) / name
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:
                continue  # a daemon has just removed it
            if mode & 0o077 and not stat.S_ISLNK(mode):
                yield path.relative_to(root).as_posix()
