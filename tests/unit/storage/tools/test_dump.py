"""`dump` shows every part of one file, damaged parts included."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from segue.storage.tools.dump import Part, UnknownFileError, dump_file
from segue.storage.tools.show import show_store
from tests.unit.storage.tools.damage import flip, replace_bytes
from tests.unit.storage.tools.stores import body_of

SEGMENT = "segments/1/1-1000.db"


def parts(path: Path) -> list[Part]:
    return list(dump_file(path))


def types(path: Path) -> Counter[str]:
    return Counter(part["type"] for part in parts(path))


def journal_of(root: Path) -> Path:
    return min(path for path in (root / "journal").iterdir() if not path.name.startswith("free"))


def test_a_segment_is_its_messages_in_order(stopped_store: Path) -> None:
    head, *messages = parts(stopped_store / SEGMENT)
    assert (head["type"], head["log"]) == ("segment", 1)
    assert [message["seq"] for message in messages] == list(range(1, 1001))
    assert messages[6]["record"].body == body_of(1, 7)


def test_a_segment_can_be_read_far_from_its_store(stopped_store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    shutil.copyfile(stopped_store / SEGMENT, copy)
    assert types(copy) == {"segment": 1, "message": 1000}


def test_the_journal_is_its_batches_and_their_entries(crashed_store: Path) -> None:
    found = types(journal_of(crashed_store))
    assert found["batch"] > 5
    assert found["message"] == 3147
    assert {"enqueue", "settle", "read", "define"} <= found.keys()
    assert "damage" not in found


def test_a_spare_shows_what_its_last_use_left_in_it(crashed_store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "free-1.journal"
    shutil.copyfile(journal_of(crashed_store), copy)
    assert types(copy) == types(journal_of(crashed_store))


def test_damage_is_a_part_like_others(stopped_store: Path) -> None:
    replace_bytes(stopped_store / SEGMENT, body_of(1, 500), body_of(1, 500).replace(b".", b"!", 1))
    found = types(stopped_store / SEGMENT)
    assert (found["message"], found["damage"]) == (999, 1)


def test_a_damaged_batch_is_told_with_its_place(crashed_store: Path) -> None:
    start = show_store(crashed_store)["journal"]["replayed_from"]
    flip(journal_of(crashed_store), start + 60)
    (damage,) = (part for part in parts(journal_of(crashed_store)) if part["type"] == "damage")
    assert damage["offset"] == start
    assert damage["bytes"] > 0


def test_a_torn_end_is_told(crashed_store: Path) -> None:
    position = show_store(crashed_store)["journal"]["position"]
    flip(journal_of(crashed_store), position - 4096 + 45)
    assert parts(journal_of(crashed_store))[-1]["type"] == "torn"


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 9000])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(UnknownFileError):
        dump_file(path)


def test_a_database_that_is_no_segment_is_refused(stopped_store: Path) -> None:
    with pytest.raises(UnknownFileError):
        parts(stopped_store / "catalog.db")
