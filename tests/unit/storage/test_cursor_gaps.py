"""Tests of segue.storage.cursor: messages that are moved away before their turn, through spills and replays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.storage.cursor import READ_AHEAD, READ_BYTES_MAX, Cursor
from segue.storage.entries import SettleAhead
from segue.storage.standing import CONDEMNED
from tests.faults.storage.driver import record
from tests.unit.storage.memory_store import (
    MemoryStore,
    cursor_on,
    entries_of,
    fill,
    give_back,
    hand_out,
    settle,
    size_of,
    spill,
)


def hand_out_across(cursor: Cursor, limit: int) -> list[int]:
    """As `hand_out`, across gaps."""
    seqs, records = cursor.read_across(limit)
    assert records == [record(f"{seq}") for seq in seqs]
    assert len(records) <= limit
    cursor.out.append(dict.fromkeys(seqs, 1))
    return list(seqs)


WAYS = [hand_out, hand_out_across]


def hand_out_all(
    store: MemoryStore, cursor: Cursor, limit: int = 1000, way: Callable[[Cursor, int], list[int]] = hand_out
) -> list[int]:
    """What comes until nothing comes, with the reads from disk that it takes."""
    found, idle = list[int](), 0
    while idle < 2:
        seqs = way(cursor, limit)
        found += seqs
        idle = 0 if seqs else idle + 1
        store.commit()
        store.bring()
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 20])
@pytest.mark.parametrize("place", ["hot", "spilling", "spilled", "spilled before"])
@pytest.mark.parametrize("way", WAYS)
def test_the_cursor_steps_over_what_was_moved_away(
    store: MemoryStore, limit: int, place: str, way: Callable[[Cursor, int], list[int]]
) -> None:
    cursor = cursor_on(store, 12)
    if place == "spilled before":
        spill(store, cursor.log)
    elif place == "spilling":
        store.snapshot(cursor.log)
    cursor.settle_ahead([3, 4, 8])
    cursor.settle_ahead([5, 10])
    if place == "spilled":
        spill(store, cursor.log)
    assert (cursor.unread, cursor.ready, cursor.waiting) == (7, 7, 7)
    assert hand_out_all(store, cursor, limit, way) == [1, 2, 6, 7, 9, 11, 12]
    assert cursor.gaps is None
    assert (cursor.unread, cursor.next) == (0, 13)


def test_it_stands_in_the_batch_and_not_in_memory(store: MemoryStore) -> None:
    cursor = cursor_on(store, 6)
    cursor.settle_ahead([2, 3])
    cursor.settle_ahead([5])
    assert sorted(cursor.log.hot) == [1, 4, 6]
    assert store.hot_bytes == size_of(*cursor.log.hot.values())
    store.commit()
    assert entries_of(store.batches[-1]) == [SettleAhead(cursor.id, [(2, 3), (5, 5)])]


def test_what_is_moved_from_the_head_leaves_nothing_to_keep(store: MemoryStore) -> None:
    cursor = cursor_on(store, 9)
    cursor.settle_ahead([1, 2])
    cursor.settle_ahead([3])
    assert (cursor.next, cursor.gaps, cursor.unread) == (4, None, 6)


def test_to_move_nothing_is_nothing(store: MemoryStore) -> None:
    cursor = cursor_on(store, 3)
    cursor.settle_ahead([])
    assert cursor.gaps is None
    assert not store.batch


def test_a_checkpoint_writes_only_what_was_left(store: MemoryStore) -> None:
    cursor = cursor_on(store, 8)
    cursor.settle_ahead([2, 5, 6])
    snapshot = store.snapshot(cursor.log)
    cursor.settle_ahead([8])
    store.swap(snapshot)
    assert sorted(store.spilled[cursor.log.id]) == [1, 3, 4, 7, 8], "8 was moved after the snapshot"
    assert snapshot.owes(1, 8) == 5
    assert snapshot.owes(5, 6) == 0


def test_a_checkpoint_passes_a_gap_behind_which_nothing_is_read(store: MemoryStore) -> None:
    cursor = cursor_on(store, 6)
    cursor.settle_ahead([4, 5, 6])
    settle(cursor, hand_out(cursor, 3))
    (state,) = store.snapshot(cursor.log).cursors
    assert (state.next, state.gaps) == (cursor.next, cursor.gaps) == (7, None)
    fill(cursor.log, 1)
    assert hand_out_all(store, cursor) == [7]


def test_what_is_moved_away_during_a_spill_that_fails_does_not_come_back(store: MemoryStore) -> None:
    cursor = cursor_on(store, 5)
    snapshot = store.snapshot(cursor.log)
    cursor.settle_ahead([2, 4])
    cursor.log.abort_spill(snapshot.spilled_bytes)
    assert sorted(cursor.log.hot) == [1, 3, 5]
    assert store.hot_bytes == size_of(*cursor.log.hot.values())
    assert hand_out_all(store, cursor) == [1, 3, 5]


def test_a_purge_counts_what_was_there(store: MemoryStore) -> None:
    cursor = cursor_on(store, 9)
    cursor.settle_ahead([2, 3, 6])
    assert cursor.skip_to(5) == 2
    assert (cursor.unread, list(cursor.gaps or ())) == (4, [(6, 6)])
    assert cursor.skip_to(10) == 4
    assert cursor.gaps is None


def test_across_gaps_one_read_gives_all_of_one_place_that_there_are(store: MemoryStore) -> None:
    cursor = cursor_on(store, 6)
    cursor.settle_ahead([2, 4])
    spill(store, cursor.log)
    fill(cursor.log, 6)
    cursor.settle_ahead([8, 10])
    assert hand_out_across(cursor, 9) == [], "it is on its way from disk"
    store.bring()
    assert hand_out_across(cursor, 3) == [1, 3, 5]
    assert hand_out_across(cursor, 9) == [6]
    assert hand_out_across(cursor, 9) == [7, 9, 11, 12]
    assert hand_out_across(cursor, 9) == []


def test_across_gaps_what_may_be_a_repeat_is_not_read_together_with_what_is_none(store: MemoryStore) -> None:
    cursor = cursor_on(store, 9)
    cursor.settle_ahead([2, 4, 7])
    cursor.maybe = 6
    assert hand_out_across(cursor, 9) == [1, 3, 5]
    assert hand_out_across(cursor, 9) == [6, 8, 9]


def test_across_gaps_no_more_bytes_are_read_than_otherwise(store: MemoryStore) -> None:
    cursor = cursor_on(store, 1)
    fill(cursor.log, 6, READ_BYTES_MAX // 3)
    cursor.settle_ahead([3, 5])
    assert [list(cursor.read_across(9)[0]) for _ in range(3)] == [[1, 2, 4], [6, 7], []]


def test_across_gaps_what_is_promised_goes_on_ahead_of_what_is_read(store: MemoryStore) -> None:
    count = 2 * READ_AHEAD
    cursor = cursor_on(store, count)
    cursor.settle_ahead(list(range(2, count, 2)))
    found = []
    while seqs := hand_out_across(cursor, READ_AHEAD // 8):
        found += seqs
        assert cursor.next <= cursor.promised
        store.commit()
    assert found == [*range(1, count, 2), count]


@pytest.mark.parametrize("way", WAYS)
def test_what_was_moved_away_is_not_set_aside_when_its_block_is_damaged(
    store: MemoryStore, way: Callable[[Cursor, int], list[int]]
) -> None:
    cursor = cursor_on(store, 5)
    spill(store, cursor.log)
    cursor.settle_ahead([3])
    store.damaged = {2, 3, 4}
    assert hand_out_all(store, cursor, way=way) == [1, 5]
    assert [(first, last) for first, last, _ in cursor.quarantined] == [(2, 2), (4, 4)]
    cursor.recover_quarantined(1, 5)
    assert sorted(cursor.returned) == [2, 4]


operations = st.lists(
    st.tuples(st.sampled_from(["read", "read", "settle", "return", "move", "commit", "skip"]), st.integers(0, 99)),
    max_size=25,
)


@given(operations=operations)
def test_a_replay_owes_what_was_owed(operations: list[tuple[str, int]]) -> None:
    store = MemoryStore()
    cursor = cursor_on(store, 20)
    for what, number in operations:
        out = gather_out(cursor)
        if what == "read":
            WAYS[number % 2](cursor, number % 5 + 1)
        elif what == "settle":
            settle(cursor, out[number % 4 :: 2])
        elif what == "return":
            cursor.give_back({seq: cursor.out[0].pop(seq) for seq in out[number % 3 :: 3]})
        elif what == "move":
            cursor.settle_ahead(unread(cursor)[number % 7 :: number // 20 + 1])
        elif what == "skip" and number % 5 == 0:
            cursor.skip_to(min(21, cursor.next + 3))
        elif what == "commit":
            store.commit()
    fill(cursor.log, 1)
    (replayed,) = MemoryStore.replayed(store.batches).cursors.values()
    owed = {*cursor.holes(), *unread(cursor)}
    assert {*replayed.returned, *unread(replayed)} == owed
    assert owed <= set(replayed.log.hot), "what is owed is there"


def gather_out(cursor: Cursor) -> list[int]:
    """All that is out, which is in one container then."""
    cursor.out[:] = [{seq: count for container in cursor.out for seq, count in container.items()}]
    return sorted(cursor.out[0])


def unread(cursor: Cursor) -> list[int]:
    return [seq for seq in range(cursor.next, cursor.log.durable) if cursor.gaps is None or seq not in cursor.gaps]


def test_to_skip_some_is_to_settle_so_many_at_most_and_never_none_while_there_are(store: MemoryStore) -> None:
    cursor = cursor_on(store, 9)
    cursor.settle_ahead([3, 4, 5])
    skipped = []
    while cursor.unread:
        skipped.append(cursor.skip(2))
    assert all(skipped)
    assert sum(skipped) == 6
    assert (cursor.next, cursor.gaps) == (10, None)
    assert cursor.skip(2) == 0


def test_to_skip_all_is_one_range_however_many_gaps_there_are(store: MemoryStore) -> None:
    cursor = cursor_on(store, 100)
    cursor.settle_ahead(list(range(2, 100, 2)))
    store.commit()
    assert cursor.skip(cursor.unread) == 51
    assert (cursor.next, cursor.gaps, cursor.unread) == (101, None, 0)
    assert len(store.batch.ranges) == 1


def test_what_could_go_out_is_neither_out_nor_settled_nor_condemned(store: MemoryStore) -> None:
    cursor = cursor_on(store, 7)
    out = hand_out(cursor, 4)
    settle(cursor, [1])
    give_back(cursor, [2])
    cursor.give_back({3: CONDEMNED})
    cursor.settle_ahead([6])
    assert out == [1, 2, 3, 4]
    assert [seq for seq in range(1, 8) if cursor.is_ready(seq)] == [2, 5, 7]
    assert cursor.gap_ranges == 1
    assert cursor_on(store, 2).gap_ranges == 0
