"""One rising stream of messages from any number of places."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from segue.storage.block import PackedBlock
from segue.storage.tools.finding import Finding, FindingKind
from segue.storage.tools.pieces import Message, Piece, block_piece, journal_piece, merged, segment_piece
from segue.storage.tools.state import JournalRun
from tests.unit.storage.tools.stores import record

numbers = st.sets(st.integers(1, 40), max_size=15)


def piece(seqs: set[int], rank: int, first: int = 0) -> Piece:
    def read() -> Iterator[Message]:
        return iter([(seq, b"%d from %d" % (seq, rank)) for seq in sorted(seqs)])

    return Piece(first or min(seqs, default=1), max(seqs, default=1), rank, read)


@given(st.lists(numbers, max_size=6))
def test_every_message_comes_once_and_in_order_from_the_lowest_rank(places: list[set[int]]) -> None:
    found = list(merged([piece(seqs, rank) for rank, seqs in enumerate(places)]))
    assert [seq for seq, _ in found] == sorted(set().union(*places))
    for seq, text in found:
        assert text == b"%d from %d" % (seq, min(rank for rank, seqs in enumerate(places) if seq in seqs))


def test_a_piece_may_begin_later_than_it_says_or_be_empty() -> None:
    assert [seq for seq, _ in merged([piece({7}, 0, first=1), piece(set(), 1), piece({3, 9}, 2)])] == [3, 7, 9]


def test_pieces_are_opened_when_their_turn_comes() -> None:
    opened: list[int] = []

    def late(first: int) -> Piece:
        def read() -> Iterator[Message]:
            opened.append(first)
            yield first, b""

        return Piece(first, first, 0, read)

    stream = merged([late(seq) for seq in (1, 2, 3, 4)])
    assert next(stream)[0] == 1
    assert opened == [1]
    assert next(stream)[0] == 2
    assert len(opened) <= 3


def test_damaged_records_of_a_block_are_told_and_left_out() -> None:
    records = [record(1, seq, 20) for seq in (5, 6, 7)]
    blob = b"".join(records).replace(b"1-6", b"1-9")
    told: list[Finding] = []
    found = list(block_piece(1, PackedBlock(5, 7, 3, blob), told.append).read())
    assert found == [(5, records[0]), (7, records[2])]
    assert [(finding.kind, finding.first) for finding in told] == [(FindingKind.RECORD, 6)]


def test_records_of_a_run_are_read_from_their_place_in_the_journal(tmp_path: Path) -> None:
    records = [record(1, seq, 20) for seq in (5, 6, 7)]
    (tmp_path / "j").write_bytes(b"head" + b"".join(records) + b"tail")
    told: list[Finding] = []
    run = JournalRun(5, 3, "j", 4, sum(map(len, records)))
    assert list(journal_piece(tmp_path, 1, run, told.append).read()) == list(enumerate(records, 5))
    cut = run._replace(size=run.size - 3)
    assert len(list(journal_piece(tmp_path, 1, cut, told.append).read())) == 2
    assert [(finding.first, finding.last) for finding in told] == [(7, 7)]


def test_a_segment_that_can_not_be_opened_is_told(tmp_path: Path) -> None:
    told: list[Finding] = []
    missing = segment_piece(tmp_path, "segments/1/1-2.db", 1, 1, 2, 0, told.append, is_named=True)
    assert list(missing.read()) == []
    assert [(finding.kind, finding.problem) for finding in told] == [(FindingKind.SEGMENT, "No such file or directory")]
