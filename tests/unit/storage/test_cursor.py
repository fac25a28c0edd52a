"""Tests of segue.storage.cursor: what is handed out when, and what is owed."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from segue.storage.cursor import READ_AHEAD, READ_BYTES_MAX, Cursor
from segue.storage.entries import Read, Settle
from segue.storage.quarantine import Damage
from tests.faults.storage.driver import record
from tests.unit.storage.memory_store import (
    MemoryStore,
    cursor_on,
    entries_of,
    fill,
    give_back,
    hand_out,
    new_cursor_on,
    settle,
    size_of,
    spill,
)

# -- reading


def test_first_deliveries_rise_without_gaps_and_never_past_what_is_durable(store: MemoryStore) -> None:
    cursor = cursor_on(store, 5)
    cursor.log.append(record("6"))
    assert cursor.read(2) == (1, [record("1"), record("2")])
    assert cursor.read(9) == (3, [record("3"), record("4"), record("5")])
    assert cursor.read(9) == (6, [])
    store.commit()
    assert cursor.read(9) == (6, [record("6")])


def test_nothing_sealed_is_read_before_it_is_durable(store: MemoryStore) -> None:
    cursor = cursor_on(store, 1)
    cursor.log.append(record("2"))
    store.seal()
    assert hand_out(cursor) == [1]
    assert (cursor.unread, cursor.ready) == (0, 0)


def test_what_can_go_out_is_what_is_unread_and_what_was_returned(store: MemoryStore) -> None:
    cursor = cursor_on(store, 5)
    hand_out(cursor, 3)
    assert (cursor.unread, cursor.ready) == (2, 2)
    give_back(cursor, [1, 3])
    assert (cursor.unread, cursor.ready) == (2, 4)


def test_a_read_is_bounded_in_bytes_but_gives_a_larger_message_alone(store: MemoryStore) -> None:
    cursor = cursor_on(store)
    sizes = [READ_BYTES_MAX // 2 - 1000, READ_BYTES_MAX // 2 - 1000, 10_000, READ_BYTES_MAX + 1, 10]
    for size in sizes:
        cursor.log.append(record("", size))
    store.commit()
    assert [len(cursor.read(9)[1]) for _ in range(5)] == [2, 1, 1, 1, 0]


def test_a_read_stops_where_the_spilling_ends_and_goes_on_behind(store: MemoryStore) -> None:
    cursor = cursor_on(store, 3)
    snapshot = store.snapshot(cursor.log)
    fill(cursor.log, 2)
    assert hand_out(cursor) == [1, 2, 3]
    assert hand_out(cursor) == [4, 5]
    store.swap(snapshot)
    assert hand_out(cursor) == []


def test_a_listener_is_told_of_new_messages_and_the_logs_own_goes_first(store: MemoryStore) -> None:
    told = list[str]()
    cursor = cursor_on(store)
    cursor.listener = lambda: told.append("cursor")
    fill(cursor.log, 1)
    cursor.log.listener = lambda: told.append("log")
    fill(cursor.log, 1)
    assert told == ["cursor", "log"]


# -- how far it may go: `promised`


def promise_of(store: MemoryStore) -> list[int]:
    """READ entries in the last batch."""
    return [entry.next for entry in entries_of(store.batches[-1]) if isinstance(entry, Read)]


def test_nothing_is_handed_out_before_the_promise_of_it_is_durable(store: MemoryStore) -> None:
    cursor = new_cursor_on(store, 3)
    assert cursor.promised == 1
    assert cursor.read(9) == (1, [])
    assert store.batch.wanted, "somebody waits for it"
    store.seal()
    assert cursor.read(9) == (1, []), "on its way is not durable"
    store.commit()
    assert promise_of(store) == [1 + READ_AHEAD]
    assert cursor.promised == 1 + READ_AHEAD
    assert hand_out(cursor) == [1, 2, 3]


def test_who_waits_for_a_promise_is_told_when_it_is_durable(store: MemoryStore) -> None:
    cursor = new_cursor_on(store, 3)
    found = list[int]()
    cursor.listener = lambda: found.extend(hand_out(cursor))
    hand_out(cursor)
    assert found == []
    store.commit()
    assert found == [1, 2, 3]


def test_a_promise_is_renewed_in_time_and_asked_for_once(store: MemoryStore) -> None:
    cursor = cursor_on(store, READ_AHEAD)
    cursor.read(READ_AHEAD // 2)
    assert not store.batch, "half of it is left"
    cursor.read(1)
    cursor.read(1)
    assert store.batch.reads == {cursor: cursor.next - 1 + READ_AHEAD}
    assert not store.batch.wanted, "nobody waits"
    store.seal()
    cursor.read(1)
    assert not store.batch, "the other one is still on its way"


def test_a_log_in_memory_has_no_promises_to_keep(store: MemoryStore) -> None:
    log = store.create_log({}, journaled=False)
    cursor = store.create_cursor(log, {})
    log.append(record("1"))
    assert hand_out(cursor) == [1]
    give_back(cursor, [1])
    cursor.drop_returned([1])
    assert cursor.skip_to(1) == 0
    assert not store.batch
    assert not store.dirty


def test_what_may_have_been_handed_out_before_a_crash_says_so_and_no_more(store: MemoryStore) -> None:
    cursor = cursor_on(store, 3)
    hand_out(cursor)
    (again,) = MemoryStore.replayed(store.batches).cursors.values()
    assert (again.next, again.maybe, again.promised) == (1, 4, 1 + READ_AHEAD)
    unasked = new_cursor_on(MemoryStore(), 3)
    (again,) = MemoryStore.replayed(unasked.log.store.batches).cursors.values()  # type: ignore[attr-defined]
    assert (again.next, again.maybe) == (1, 1), "nothing was handed out"


# -- settling


def test_what_is_settled_stands_in_the_batch_and_not_in_memory(store: MemoryStore) -> None:
    cursor = cursor_on(store, 6)
    hand_out(cursor)
    settle(cursor, [4, 3])
    settle(cursor, [1])
    assert sorted(cursor.log.hot) == [2, 5, 6]
    store.commit()
    assert entries_of(store.batches[-1]) == [Settle(cursor.id, [(1, 1), (3, 4)])]
    assert (cursor.low(), sorted(cursor.holes())) == (2, [2, 5, 6])


def test_the_lowest_that_is_owed_may_be_out_returned_set_aside_or_unread(store: MemoryStore) -> None:
    cursor = cursor_on(store, 5)
    hand_out(cursor, 4)
    lows = [cursor.low()]
    settle(cursor, [1])
    give_back(cursor, [2])
    lows.append(cursor.low())
    cursor.quarantine(Damage(1, 2, "its checksum is wrong"))
    settle(cursor, [3])
    lows.append(cursor.low())
    cursor.settle_quarantined()
    lows.append(cursor.low())
    settle(cursor, [4])
    lows.append(cursor.low())
    assert lows == [1, 2, 2, 4, 5]


def test_a_purge_settles_what_is_unread_and_leaves_the_rest(store: MemoryStore) -> None:
    cursor = cursor_on(store, 9)
    hand_out(cursor, 3)
    give_back(cursor, [2])
    assert cursor.skip_to(7) == 3
    assert cursor.skip_to(5) == 0, "never back"
    assert (cursor.next, cursor.unread, sorted(cursor.holes())) == (7, 3, [1, 2, 3])
    assert sorted(cursor.log.hot) == [1, 2, 3, 7, 8, 9]
    assert store.hot_bytes == size_of(*cursor.log.hot.values())
    store.commit()
    assert entries_of(store.batches[-1])[1:] == [Settle(cursor.id, [(4, 6)])]
    assert hand_out(cursor) == [7, 8, 9]


def test_a_purge_past_the_promise_needs_no_new_one(store: MemoryStore) -> None:
    cursor = new_cursor_on(store, 9)
    cursor.skip_to(8)
    assert (cursor.promised, cursor.asked) == (8, 8)
    store.commit()
    hand_out(cursor)
    assert store.batch.reads == {cursor: 8 + READ_AHEAD}
    again = MemoryStore.replayed(store.batches).cursors[cursor.id]
    assert (again.next, again.promised, again.maybe) == (8, 8, 1), "nothing was handed out"


# -- what lies on disk


def on_disk(store: MemoryStore, count: int, *, damaged: Iterable[int] = ()) -> Cursor:
    """A cursor that has promised to read, and whose messages are all on disk."""
    cursor = cursor_on(store, count)
    spill(store, cursor.log)
    store.damaged.update(damaged)
    return cursor


def test_what_is_on_disk_is_read_ahead_once_and_handed_out_bit_by_bit(store: MemoryStore) -> None:
    cursor = on_disk(store, 10)
    fill(cursor.log, 2)
    told = list[int]()
    cursor.listener = lambda: told.append(cursor.next)
    assert (hand_out(cursor), hand_out(cursor)) == ([], [])
    assert store.asked_for() == [1]
    store.bring()
    assert told == [1]
    assert [hand_out(cursor, 4) for _ in range(4)] == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10], [11, 12]]
    assert store.asked_for() == [], "all that is on disk was in the window"


def test_what_was_read_ahead_past_the_promise_waits_for_the_next_one(store: MemoryStore) -> None:
    cursor = new_cursor_on(store, 9)
    spill(store, cursor.log)
    cursor.promised = cursor.asked = 4
    cursor.read(1)
    store.bring()
    assert (hand_out(cursor), hand_out(cursor)) == ([1, 2, 3], [])
    store.commit()
    assert hand_out(cursor) == [4, 5, 6, 7, 8, 9]


def test_a_window_that_runs_low_is_filled_behind_its_end(store: MemoryStore) -> None:
    cursor = on_disk(store, 10)
    cursor.read(1)
    cursor.window.fill(cursor.window.generation, [(1, [record(f"{seq}") for seq in range(1, 5)])], [], 5)
    assert hand_out(cursor, 2) == [1, 2]
    assert store.asked_for() == [1, 5]
    assert hand_out(cursor, 2) == [3, 4]
    assert store.asked_for() == [1, 5], "one read at a time"


def test_a_purge_throws_away_what_was_read_and_what_is_being_read(store: MemoryStore) -> None:
    cursor = on_disk(store, 10)
    cursor.read(1)
    cursor.skip_to(4)
    store.bring()
    assert hand_out(cursor) == [], "what was read before the purge is ignored"
    assert store.asked_for() == [4]
    store.bring()
    assert hand_out(cursor, 2) == [4, 5]
    cursor.skip_to(9)
    assert (hand_out(cursor), store.asked_for()) == ([], [9])
    store.bring()
    assert hand_out(cursor) == [9, 10]


def test_a_cursor_that_is_gone_takes_nothing_any_more(store: MemoryStore) -> None:
    cursor = on_disk(store, 4)
    cursor.read(1)
    cursor.listener = lambda: pytest.fail("a deleted cursor was told")
    store.drop_cursor(cursor)
    store.bring()
    assert (cursor.window.bytes, cursor.returned, cursor.fetched) == (0, {}, {})


# -- damage


def test_what_is_damaged_is_set_aside_in_its_turn_and_the_rest_is_handed_out(store: MemoryStore) -> None:
    cursor = on_disk(store, 9, damaged=[1, 4, 5, 9])
    cursor.read(1)
    store.bring()
    assert hand_out(cursor, 2) == [2, 3]
    assert list(cursor.quarantined) == [Damage(1, 1, "its checksum is wrong")], "the others were not reached yet"
    assert hand_out(cursor) == [6, 7, 8]
    assert hand_out(cursor) == []
    assert [damage.first for damage in cursor.quarantined] == [1, 4, 5, 9]
    assert (cursor.next, cursor.unread, cursor.low()) == (10, 0, 1)
    assert cursor.log in store.dirty


def test_damage_is_no_delivery_so_no_promise_is_its_bound(store: MemoryStore) -> None:
    cursor = cursor_on(store, 9)
    spill(store, cursor.log)
    cursor.promised = cursor.asked = 5
    cursor.window.fill(0, [(1, [record("1"), record("2")]), (9, [record("9")])], [Damage(3, 8, "gone")], 10)
    assert hand_out(cursor) == [1, 2]
    assert hand_out(cursor) == []
    assert (cursor.next, list(cursor.quarantined)) == (9, [Damage(3, 8, "gone")])
    store.commit()
    assert hand_out(cursor) == [9]


def test_of_damage_below_the_next_message_only_the_rest_is_set_aside(store: MemoryStore) -> None:
    """A segment is damaged as a whole; what a cursor has had of it is settled, or in memory."""
    cursor = on_disk(store, 9)
    cursor.read(1)
    store.bring()
    assert hand_out(cursor, 3) == [1, 2, 3]
    cursor.window.clear()
    cursor.window.fill(cursor.window.generation, [(7, [record("7")])], [Damage(2, 6, "gone")], 8)
    assert hand_out(cursor) == [7]
    assert list(cursor.quarantined) == [Damage(4, 6, "gone")]
