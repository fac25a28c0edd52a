"""Every sound block of a segment is read, whatever happened to the rest of the file."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from segue.storage.block import PackedBlock
from segue.storage.errors import NewerFormatError
from segue.storage.tools.catalog_image import open_catalog_image
from segue.storage.tools.segment_image import (
    SegmentImage,
    SegmentName,
    read_segment_name,
    salt_of_segment,
    segment_names,
)
from tests.unit.storage.tools.damage import edit, flip, overwrite

PATH = "segments/1/1-1000.db"


def salt_of(root: Path) -> int:
    with open_catalog_image(root) as image:
        assert image.salt is not None
        return image.salt


def image_of(root: Path, log: int = 1, salt: int | None = None) -> SegmentImage:
    return SegmentImage(root / PATH, log, salt_of(root) if salt is None else salt)


def read(root: Path) -> tuple[list[PackedBlock], list[str]]:
    image = image_of(root)
    return list(image.blocks()), image.problems


def test_a_sound_segment_has_all_its_blocks_and_no_problem(stopped_store: Path) -> None:
    blocks, problems = read(stopped_store)
    assert problems == []
    assert sum(block.last - block.first + 1 for block in blocks) == 1000
    assert [block.first for block in blocks] == sorted(block.first for block in blocks)


def test_a_segment_of_another_store_or_log_is_none_of_ours(stopped_store: Path) -> None:
    for image in (image_of(stopped_store, salt=1), image_of(stopped_store, log=2)):
        assert list(image.blocks()) == []
        assert "does not say that it is a segment" in image.problems[0]


def test_a_row_with_a_wrong_checksum_is_told_and_left_out(stopped_store: Path) -> None:
    whole, _ = read(stopped_store)
    with edit(stopped_store / PATH) as segment:
        segment.execute("UPDATE block SET last=last+1 WHERE first=1")
    blocks, problems = read(stopped_store)
    assert blocks == whole[1:]
    assert any("row of block 1 is wrong" in problem for problem in problems)


def test_a_row_that_is_missing_is_told(stopped_store: Path) -> None:
    whole, _ = read(stopped_store)
    with edit(stopped_store / PATH) as segment:
        segment.execute("DELETE FROM block WHERE first=?", (whole[3].first,))
    blocks, problems = read(stopped_store)
    assert blocks == whole[:3] + whole[4:]
    assert any("a block is missing" in problem for problem in problems)


@pytest.mark.parametrize("page", [1, 2, 3, 5])
def test_a_page_of_noise_costs_only_what_stands_in_it(stopped_store: Path, page: int) -> None:
    whole, _ = read(stopped_store)
    with overwrite(stopped_store / PATH) as data:
        size = int.from_bytes(data[16:18], "big")
        data[(page - 1) * size : page * size] = Random(size).randbytes(size)
    blocks, problems = read(stopped_store)
    assert {block[:3] for block in blocks} <= {block[:3] for block in whole}
    assert len(blocks) >= len(whole) - 3
    assert problems or blocks != whole


def test_a_file_that_was_cut_gives_what_is_left(stopped_store: Path) -> None:
    whole, _ = read(stopped_store)
    path = stopped_store / PATH
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    blocks, problems = read(stopped_store)
    assert 0 < len(blocks) < len(whole)
    assert problems


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"not a database"])
def test_a_file_that_is_no_database_is_told(stopped_store: Path, content: bytes) -> None:
    (stopped_store / PATH).write_bytes(content)
    blocks, problems = read(stopped_store)
    assert blocks == []
    assert problems


def test_a_newer_format_is_refused(stopped_store: Path) -> None:
    with edit(stopped_store / PATH) as segment:
        segment.execute("UPDATE meta SET value=99 WHERE key='format'")
    with pytest.raises(NewerFormatError):
        read(stopped_store)


def test_a_segment_tells_its_store_even_when_its_first_page_is_gone(stopped_store: Path) -> None:
    salt = salt_of(stopped_store)
    assert salt_of_segment(stopped_store / PATH) == salt
    with overwrite(stopped_store / PATH) as data:
        data[:100] = Random(100).randbytes(100)
    assert salt_of_segment(stopped_store / PATH) == salt
    flip(stopped_store / PATH, 0)
    (stopped_store / PATH).write_bytes(b"")
    assert salt_of_segment(stopped_store / PATH) is None


def test_the_name_of_a_segment_says_what_is_in_it() -> None:
    assert read_segment_name("segments/7/1-64.db") == SegmentName("segments/7/1-64.db", 7, 1, 64)


@pytest.mark.parametrize(
    "path", ["segments/7/1-64", "segments/x/1-64.db", "journal/7/1-64.db", "segments/7/1.db", "segments/7/-64.db", "7"]
)
def test_other_names_are_none(path: str) -> None:
    assert read_segment_name(path) is None


def test_every_file_below_segments_is_listed(stopped_store: Path) -> None:
    (stopped_store / "segments" / "notes.txt").write_text("hello")
    names = dict(segment_names(stopped_store))
    assert names["segments/notes.txt"] is None
    assert [path for path, name in names.items() if name is not None] == [
        "segments/1/1-1000.db",
        "segments/1/1001-2000.db",
        "segments/1/2001-3000.db",
    ]
