"""What a data directory holds, stopped or running: logs, their cursors, their segments with fill and age."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from segue.storage.lock import holder_of
from segue.storage.log import Extent
from segue.storage.tools.catalog_image import CatalogImage, open_catalog_image
from segue.storage.tools.finding import Finding
from segue.storage.tools.journal_image import Gap, JournalImage, entries_of
from segue.storage.tools.ranges import Ranges, size, within
from segue.storage.tools.state import CursorPlace, LogPlaces, StoreState, owed_by

__all__ = ["show_store"]


def show_store(root: Path) -> dict[str, Any]:
    """The state of a store behind the last whole batch of its journal, as plain values.

    What is damaged is left out, and counted in `findings`; `segue.storage.tools.check` looks at all of it.

    Raises:
        NewerFormatError: a newer Segue wrote it.
        OSError: it can't be read.
        RecordDamagedError, ValueError: a batch of the journal contradicts itself.
    """
    with open_catalog_image(root) as image:
        journal = JournalImage(root, image.salt)
        state = StoreState(image, makes_unknown_logs=not image.is_whole)
        batches = gaps = 0
        start, previous = (image.lsn, image.previous) if image.meta else (journal.oldest, None)
        for found in journal.walk(start, previous):
            if isinstance(found, Gap):
                gaps += 1
                continue
            batches += 1
            for entry in entries_of(found):
                state.replay(found, entry)
        return {
            "directory": str(root),
            "pid": holder_of(root),
            "catalog": _catalog(image),
            "journal": {
                "files": len(journal.files),
                "bytes": sum(journal.files.values()),
                "replayed_from": start,
                "position": journal.position,
                "batches": batches,
                "gaps": gaps,
                "torn_bytes": journal.torn_bytes,
            },
            "logs": [_log(log) for log in sorted(state.logs.values(), key=lambda log: log.id)],
        }


def _catalog(image: CatalogImage) -> dict[str, Any]:
    findings: list[Finding] = image.findings
    return {
        "whole": image.is_whole,
        "lsn": image.lsn,
        "clean": bool(image.meta.get("clean", 0)),
        "findings": [finding.as_dict() for finding in findings],
    }


def _log(log: LogPlaces) -> dict[str, Any]:
    owed = log.owed()
    loose = [extent for extent in log.extents if not extent.path]
    return {
        "id": log.id,
        "name": log.name,
        "kind": log.definition.get("kind", ""),
        "definition": log.definition,
        "head": log.head,
        "owed": size(owed),
        "cursors": [_cursor(cursor, log.head) for cursor in log.cursors.values()],
        "segments": [_segment(extent, owed) for extent in log.extents if extent.path],
        "loose": {
            "blocks": len(loose),
            "messages": sum(extent.messages for extent in loose),
            "bytes": sum(extent.bytes for extent in loose),
        },
        "journal_messages": sum(run.messages for run in log.runs),
    }


def _cursor(cursor: CursorPlace, head: int) -> dict[str, Any]:
    return {
        "id": cursor.id,
        "definition": cursor.definition,
        "next": cursor.next,
        "promised": cursor.promised,
        "holes": len(cursor.holes),
        "quarantined": size(cursor.quarantined),
        "settled_ahead": cursor.gaps.messages,
        "owed": size(owed_by(cursor, head)),
    }


def _segment(extent: Extent, owed: Ranges) -> dict[str, Any]:
    return {
        "path": extent.path,
        "first": extent.first,
        "last": extent.last,
        "messages": extent.messages,
        "owed": min(extent.messages, size(within(owed, extent.first, extent.last))),
        "bytes": extent.bytes,
        "file_bytes": extent.file_bytes,
        "written_ms": extent.written_ms,
    }
