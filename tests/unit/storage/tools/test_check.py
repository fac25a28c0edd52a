"""`check` finds every kind of damage, and none in a sound store; nothing is changed by it."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from random import Random

import pytest

from segue.storage.catalog import CATALOG
from segue.storage.errors import NewerFormatError
from segue.storage.tools.check import CheckReport, check_store
from segue.storage.tools.finding import FindingKind
from segue.storage.tools.show import show_store
from tests.unit.storage.tools.damage import edit, flip, overwrite, replace_bytes
from tests.unit.storage.tools.stores import body_of, open_shelf, record

SEGMENT = "segments/1/1001-2000.db"


def kinds(report: CheckReport) -> set[FindingKind]:
    return {finding.kind for finding in report.findings if finding.is_damage}


def damaged(root: Path) -> CheckReport:
    report = check_store(root)
    assert report.is_damaged, "damage was not found"
    return report


def told(report: CheckReport, kind: FindingKind) -> str:
    return "\n".join(str(finding) for finding in report.findings if finding.kind is kind)


def journal_of(root: Path) -> Path:
    return min(path for path in (root / "journal").iterdir() if not path.name.startswith("free"))


# -- sound stores


def test_a_store_behind_a_clean_stop_is_sound(stopped_store: Path) -> None:
    report = check_store(stopped_store)
    assert report.findings == []
    assert (report.counts.logs, report.counts.cursors, report.counts.segments) == (3, 4, 3)
    assert report.counts.owed == 3092 + 15 + 15
    assert report.counts.messages == 3130
    assert report.pid is None


def test_a_store_behind_a_crash_is_sound(crashed_store: Path) -> None:
    report = check_store(crashed_store)
    assert report.findings == []
    assert report.counts.logs == 4
    assert report.counts.journal_messages == 117
    assert report.counts.owed == 3092 + 15 + 15 + 7


async def test_an_empty_store_is_sound(tmp_path: Path) -> None:
    async with open_shelf(tmp_path / "new"):
        pass
    assert check_store(tmp_path / "new").findings == []


async def test_a_store_is_sound_while_it_is_open(tmp_path: Path) -> None:
    root = tmp_path / "open"
    async with open_shelf(root) as shelf:
        queue = shelf.queue("orders")
        for _ in range(3):
            await shelf.fill(queue.log, 500)
            await shelf.settle(queue, await shelf.take(queue, 100))
            await shelf.checkpoint()
            await shelf.fill(queue.log, 10)
            report = check_store(root)
            assert not report.is_damaged, report.findings
            assert report.pid == os.getpid()


async def test_numbers_that_are_settled_may_be_missing_anywhere(tmp_path: Path) -> None:
    root = tmp_path / "stragglers"
    async with open_shelf(root) as shelf:
        queue = shelf.queue("orders")
        await shelf.fill(queue.log, 2000)
        await shelf.checkpoint()
        taken = await shelf.take(queue, 2000)
        await shelf.settle(queue, [seq for seq in taken if seq % 97])
        await shelf.checkpoint()
        await shelf.fill(queue.log, 20)
    report = check_store(root)
    assert report.findings == []
    assert report.counts.owed == 20 + 20


def test_a_check_changes_nothing(crashed_store: Path) -> None:
    before = {path: path.stat() for path in sorted(crashed_store.rglob("*"))}
    check_store(crashed_store)
    after = {path: path.stat() for path in sorted(crashed_store.rglob("*"))}
    assert before.keys() == after.keys()
    assert all(before[path].st_mtime_ns == after[path].st_mtime_ns for path in before)


# -- damaged ones (fault 22, 23, 24, 25)


def test_a_flipped_bit_in_a_record_names_the_message(stopped_store: Path) -> None:
    """Fault 22."""
    at = replace_bytes(stopped_store / SEGMENT, body_of(1, 1234), body_of(1, 1234).replace(b".", b"!", 1))
    assert at > 0
    report = damaged(stopped_store)
    assert kinds(report) == {FindingKind.RECORD, FindingKind.MISSING}
    (finding,) = (finding for finding in report.findings if finding.kind is FindingKind.RECORD)
    assert (finding.path, finding.log, finding.first, finding.last) == (SEGMENT, 1, 1234, 1234)
    assert "orders" in told(report, FindingKind.MISSING)


def test_a_flipped_bit_in_a_record_of_the_catalog_names_the_message(stopped_store: Path) -> None:
    """Fault 22."""
    replace_bytes(stopped_store / CATALOG, body_of(3, 7), body_of(3, 7).replace(b".", b"!", 1))
    (finding,) = (f for f in damaged(stopped_store).findings if f.kind is FindingKind.RECORD)
    assert (finding.path, finding.log, finding.first) == (CATALOG, 3, 7)


def test_damage_of_a_message_that_was_settled_is_told_and_nothing_is_missing(stopped_store: Path) -> None:
    replace_bytes(stopped_store / "segments/1/1-1000.db", body_of(1, 3), body_of(1, 3).replace(b".", b"!", 1))
    assert kinds(damaged(stopped_store)) == {FindingKind.RECORD}


@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_damaged_page_of_a_segment_is_told_with_what_can_be_read(stopped_store: Path, page: int) -> None:
    """Fault 23."""
    with overwrite(stopped_store / SEGMENT) as data:
        data[(page - 1) * 16384 : (page - 1) * 16384 + 2000] = Random(page).randbytes(2000)
    report = damaged(stopped_store)
    assert FindingKind.SEGMENT in kinds(report)
    assert "of its 1000 messages can be read" in told(report, FindingKind.SEGMENT)
    assert {finding.path for finding in report.findings} <= {SEGMENT}


def test_a_flipped_bit_in_a_page_of_the_catalog_is_told(stopped_store: Path) -> None:
    """Fault 23."""
    with edit(stopped_store / CATALOG) as catalog:
        ((page,),) = catalog.execute("SELECT rootpage FROM sqlite_master WHERE name='cursor'")
        ((size,),) = catalog.execute("PRAGMA page_size")
    flip(stopped_store / CATALOG, (page - 1) * size + 4)
    assert FindingKind.CATALOG in kinds(damaged(stopped_store))


def test_a_flipped_bit_in_the_journal_is_told_with_file_offset_and_bytes(crashed_store: Path) -> None:
    """Fault 24."""
    start = show_store(crashed_store)["journal"]["replayed_from"]
    path = journal_of(crashed_store)
    flip(path, start + 60)
    (finding,) = (f for f in damaged(crashed_store).findings if f.kind is FindingKind.JOURNAL)
    assert finding.path == f"journal/{path.name}"
    assert finding.offset == start
    assert finding.size > 0


def test_the_torn_end_of_a_crash_is_told_and_is_no_damage(crashed_store: Path) -> None:
    position = show_store(crashed_store)["journal"]["position"]
    flip(journal_of(crashed_store), position - 4096 + 45)
    report = check_store(crashed_store)
    assert not report.is_damaged
    assert [finding.kind for finding in report.findings] == [FindingKind.TORN]


@pytest.mark.parametrize("what", ["cut", "empty", "missing"])
def test_a_segment_that_is_not_as_it_was_written_is_told(stopped_store: Path, what: str) -> None:
    """Fault 25."""
    path = stopped_store / SEGMENT
    if what == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 100_000 if what == "cut" else 0])
    report = damaged(stopped_store)
    assert kinds(report) == {FindingKind.SEGMENT, FindingKind.MISSING}
    assert {"cut": "were written", "empty": "it is empty", "missing": "it is missing"}[what] in told(
        report, FindingKind.SEGMENT
    )
    assert report.counts.segments == 3


def test_a_segment_too_many_is_told_and_is_no_damage(stopped_store: Path) -> None:
    """Fault 25."""
    (stopped_store / "segments/1/5000-5001.db").write_bytes((stopped_store / SEGMENT).read_bytes())
    os.chmod(stopped_store / "segments/1/5000-5001.db", 0o600)
    report = check_store(stopped_store)
    assert not report.is_damaged
    assert "5000-5001.db" in told(report, FindingKind.STRAY)


def test_a_segment_of_another_place_is_told(stopped_store: Path) -> None:
    """Fault 25: the right name, the wrong content."""
    (stopped_store / SEGMENT).write_bytes((stopped_store / "segments/1/1-1000.db").read_bytes())
    assert FindingKind.MISSING in kinds(damaged(stopped_store))


def test_a_journal_file_that_is_missing_is_told(crashed_store: Path) -> None:
    journal_of(crashed_store).unlink()
    assert "is missing" in told(damaged(crashed_store), FindingKind.JOURNAL)


def test_a_catalog_that_is_missing_is_told(stopped_store: Path) -> None:
    (stopped_store / CATALOG).unlink()
    report = damaged(stopped_store)
    assert "it is missing" in told(report, FindingKind.CATALOG)
    assert "may hold messages" in told(report, FindingKind.STRAY)


def test_a_newer_format_is_refused(stopped_store: Path) -> None:
    """Fault 28."""
    with edit(stopped_store / CATALOG) as catalog:
        catalog.execute("PRAGMA user_version=2")
    with pytest.raises(NewerFormatError):
        check_store(stopped_store)


# -- invariants


async def test_messages_that_are_owed_and_nowhere_are_told(tmp_path: Path) -> None:
    root = tmp_path / "gap"
    async with open_shelf(root) as shelf:
        queue = shelf.queue("orders")
        await shelf.fill(queue.log, 10)
        for seq in (11, 12, 13):
            queue.log.append(record(1, seq))
        queue.log.head += 5
        queue.log.close_run()
        await shelf.fill(queue.log, 10)
        await shelf.checkpoint()
    (finding,) = (f for f in damaged(root).findings if f.kind is FindingKind.MISSING)
    assert (finding.log, finding.first, finding.last) == (1, 14, 18)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
@pytest.mark.parametrize("path", ["LOCK", CATALOG, SEGMENT, "journal", "."])
def test_a_file_that_others_may_read_is_told(stopped_store: Path, path: str, mode: int) -> None:
    os.chmod(stopped_store / path, mode | (0o100 if (stopped_store / path).is_dir() else 0))
    report = damaged(stopped_store)
    assert [finding.path for finding in report.findings if finding.kind is FindingKind.MODE] == [path]


def test_strange_files_are_told_and_sockets_and_spares_are_none(stopped_store: Path) -> None:
    for name in ("notes.txt", "journal/old.journal.bak", "journal/free-99.journal", "journal/new-99.journal"):
        (stopped_store / name).write_bytes(b"")
        os.chmod(stopped_store / name, 0o600)
    directory = os.open(stopped_store, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"/proc/self/fd/{directory}/control.sock")
    os.close(directory)
    os.chmod(stopped_store / "control.sock", 0o600)
    report = check_store(stopped_store)
    assert not report.is_damaged
    assert [finding.path for finding in report.findings] == ["notes.txt", "journal/old.journal.bak"]


# -- what comes of it


def test_a_report_is_json(stopped_store: Path) -> None:
    (stopped_store / SEGMENT).unlink()
    shown = json.loads(json.dumps(check_store(stopped_store).as_dict()))
    assert shown["damaged"] is True
    assert {"kind", "damage", "path", "offset", "bytes", "log", "first", "last", "problem"} == set(shown["findings"][0])


def test_progress_goes_up_to_the_end(crashed_store: Path) -> None:
    seen: list[tuple[int, int]] = []
    check_store(crashed_store, lambda done, total, what: seen.append((done, total)))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert 0 < seen[0][0] <= seen[-1][0]
    assert len({total for _, total in seen}) == 1
    assert seen[-1][0] <= seen[-1][1]
