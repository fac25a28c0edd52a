"""What a look at a store brings to light: findings, and how far the look has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Finding", "FindingKind", "Meter", "Progress"]

Progress = Callable[[int, int, str], None]
"""Called with bytes done, bytes in all, and what is being looked at."""


class FindingKind(StrEnum):
    """What is wrong. Stable: scripts compare them."""

    CATALOG = "catalog"
    """The catalog is missing, is none, or a page, a row or a number in it is wrong."""
    WAL = "catalog-wal"
    """The catalog's write-ahead log is damaged: commits are missing from the catalog."""
    JOURNAL = "journal"
    """A batch or a whole file of the journal is damaged or missing, and what follows it is there."""
    SEGMENT = "segment"
    """A segment file is missing, has the wrong size, belongs elsewhere, or pages or blocks of it are damaged."""
    RECORD = "record"
    """A message fails its checksum."""
    ORDER = "order"
    """Extents of a log overlap, or numbers contradict each other."""
    MISSING = "missing"
    """Messages are owed, and are nowhere."""
    MODE = "mode"
    """Others than the owner may read or write a file or folder."""
    STRAY = "stray"
    """A file that no part of the store names. No damage: what a crash leaves is removed by the next start."""
    TORN = "torn"
    """A write that a crash has cut short. No damage: it was confirmed to nobody, and the next start cuts it off."""
    LOST = "lost"
    """Numbers without a message, since a salvage that could not bring it along. No damage of this store."""

    @property
    def is_damage(self) -> bool:
        """False for what is only told."""
        return self not in (FindingKind.STRAY, FindingKind.TORN, FindingKind.LOST)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        path: relative to the data directory.
        offset, size: where in the file, bytes; -1 when the whole file is meant or it is not known.
        log: the log that it concerns, 0 for none.
        first, last: the messages that it concerns, 0 for none.
    """

    kind: FindingKind
    path: str
    problem: str
    offset: int = -1
    size: int = -1
    log: int = 0
    first: int = 0
    last: int = 0

    @property
    def is_damage(self) -> bool:
        """See `FindingKind`."""
        return self.kind.is_damage

    def as_dict(self) -> dict[str, Any]:
        """For JSON; what does not apply is None."""
        return {
            "kind": self.kind.value,
            "damage": self.is_damage,
            "path": self.path,
            "offset": self.offset if self.offset >= 0 else None,
            "bytes": self.size if self.size >= 0 else None,
            "log": self.log or None,
            "first": self.first or None,
            "last": self.last or None,
            "problem": self.problem,
        }

    def __str__(self) -> str:
        where = self.path
        if self.offset >= 0:
            where += f", offset {self.offset}" + (f", {self.size} bytes" if self.size >= 0 else "")
        if self.first:
            where += f", message {self.first}" if self.first == self.last else f", messages {self.first}-{self.last}"
        return f"{where}: {self.problem}"


class Meter:
    """Adds up what is done, and tells.

    Attributes:
        total: bytes in all.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress
        self._done = 0
        self.total = 0

    def advance(self, size: int, what: str) -> None:
        """So many bytes more are done."""
        self._done += size
        if self._progress is not None:
            self._progress(self._done, self.total, what)
