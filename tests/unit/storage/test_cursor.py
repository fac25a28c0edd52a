"""Tests of segue.storage.cursor: what is handed out when, and what is owed."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from segue.storage.cursor import READ_AHEAD, READ_BYTES_MAX, Cursor
from segue.storage.entries import Read, Settle
from segue.storage.quarantine import Damage
from segue.storage.standing import CONDEMNED
from tests.faults.storage.driver import record
from tests.unit.storage.memory_store import (
    MemoryStore,
    cursor_on,
    entries_of,
    fill,
    give_back,
    hand_out,
    new_cursor_on,
    owed,
    settle,
    size_of,
    spill,
    take_all,
)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


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


# -- what was returned


def test_returned_messages_come_lowest_first_with_their_deliveries(store: MemoryStore) -> None:
    cursor = cursor_on(store, 9)
    hand_out(cursor, 6)
    for seqs in ([5], [2, 6], [4]):
        give_back(cursor, seqs)
    assert take_all(cursor) == [(2, 1), (4, 1), (5, 1), (6, 1)]
    give_back(cursor, [5, 4])
    assert take_all(cursor) == [(4, 2), (5, 2)]
    assert cursor.next == 7, "the unread ones wait in their place"
    assert cursor.holes() == {1: 1, 2: 2, 3: 1, 4: 3, 5: 3, 6: 2}


def test_returned_messages_that_are_dropped_do_not_come(store: MemoryStore) -> None:
    cursor = cursor_on(store, 5)
    hand_out(cursor)
    give_back(cursor, [1, 2, 3])
    cursor.drop_returned([1, 3, 4, 77])
    assert store.batch.settled == {cursor: [1, 3]}, "what is out is not waiting"
    assert take_all(cursor) == [(2, 1)]


@pytest.mark.parametrize("where", ["in memory", "being spilled", "on disk"])
def test_what_was_read_too_much_is_read_again(store: MemoryStore, where: str) -> None:
    cursor = cursor_on(store, 9)
    if where != "in memory":
        snapshot = store.snapshot(cursor.log)
        if where == "on disk":
            store.swap(snapshot)
            cursor.read(1)
            store.bring()
    for upto in (7, 3, 2, 1):
        first, records = cursor.read(upto)
        assert (first, len(records)) == (1, upto)
        cursor.read_again(1)
    assert cursor.unread == 9
    assert len(cursor.read(5)[1]) == 5
    cursor.read_again(4)
    cursor.read_again(4)
    assert cursor.read(9) == (4, [record(f"{seq}") for seq in range(4, 10)])


# -- what is not to be delivered again


def condemned(store: MemoryStore) -> Cursor:
    """A cursor with 3 and 6 condemned, 5 and 8 returned, and 1 out, of 9 messages."""
    cursor = cursor_on(store, 9)
    hand_out(cursor)
    settle(cursor, [2, 4, 7, 9])
    cursor.give_back({8: 1, 6: CONDEMNED + 2, 5: 1, 3: CONDEMNED * 2})
    for seq in (3, 5, 6, 8):
        del cursor.out[0][seq]
    return cursor


def test_a_condemned_message_waits_apart_and_is_owed_all_the_same(store: MemoryStore) -> None:
    cursor = condemned(store)
    assert (len(cursor.condemned), cursor.ready, cursor.has_returned) == (2, 2, True)
    assert take_all(cursor) == [(5, 1), (8, 1)]
    assert (len(cursor.condemned), cursor.ready, cursor.has_returned) == (2, 0, False)
    assert owed(cursor) == {1, 3, 5, 6, 8}
    assert cursor.take_condemned() == (3, CONDEMNED * 2, record("3"))
    assert cursor.take_condemned() == (6, CONDEMNED + 2, record("6"))
    assert (cursor.take_condemned(), len(cursor.condemned)) == (None, 0)


def test_a_condemned_message_that_can_not_be_moved_waits_on_in_its_place(store: MemoryStore) -> None:
    cursor = condemned(store)
    store.commit()
    seq, standing, _ = cursor.take_condemned() or (0, 0, b"")
    cursor.spare(seq, standing)
    assert not store.batch, "that is nothing new"
    assert (len(cursor.condemned), cursor.low()) == (2, 1)
    assert cursor.take_condemned() == (3, CONDEMNED * 2, record("3"))


def test_a_condemned_message_is_condemned_after_a_crash(store: MemoryStore) -> None:
    cursor = condemned(store)
    store.commit()
    again = MemoryStore.replayed(store.batches).cursors[cursor.id]
    again.out.append({})
    assert again.returned == {1: 1, 3: CONDEMNED * 2, 5: 1, 6: CONDEMNED + 2, 8: 1}
    assert take_all(again) == [(1, 1), (5, 1), (8, 1)]
    assert again.take_condemned() == (3, CONDEMNED * 2, record("3"))


def test_condemned_messages_can_be_dropped_as_other_returned_ones(store: MemoryStore) -> None:
    cursor = condemned(store)
    cursor.drop_returned(list(cursor.returned))
    assert (len(cursor.condemned), cursor.has_returned, cursor.ready) == (0, False, 0)
    assert (cursor.take_condemned(), cursor.take_returned()) == (None, None)
    assert owed(cursor) == {1}


def test_nothing_given_back_is_nothing_written(store: MemoryStore) -> None:
    cursor = cursor_on(store)
    cursor.give_back({})
    cursor.drop_returned([])
    cursor.settle_quarantined()
    assert not store.batch


def test_a_returned_message_on_disk_is_fetched_once_and_nothing_overtakes_it(store: MemoryStore) -> None:
    cursor = cursor_on(store, 4)
    hand_out(cursor, 2)
    give_back(cursor, [1, 2])
    spill(store, cursor.log)
    fill(cursor.log, 1)
    assert (cursor.take_returned(), cursor.take_returned()) == (None, None)
    assert store.asked_to_fetch() == [1]
    assert (cursor.low(), cursor.ready) == (1, 5), "it waits all the same"
    told = list[bool]()
    cursor.listener = lambda: told.append(True)
    store.bring()
    assert told == [True]
    assert cursor.take_returned() == (1, 1, record("1"))
    assert cursor.take_returned() is None
    assert store.asked_to_fetch() == [2]


def test_nothing_is_fetched_while_the_disk_does_not_give_anything(store: MemoryStore) -> None:
    cursor = cursor_on(store, 4)
    hand_out(cursor, 1)
    give_back(cursor, [1])
    spill(store, cursor.log)
    cursor.fault = "broken"
    assert cursor.take_returned() is None
    assert cursor.read(9) == (2, [])
    assert (store.asked_to_fetch(), store.asked_for(), cursor.fetching, cursor.window.reading) == ([], [], False, False)


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


def test_a_damaged_returned_message_is_set_aside_and_not_handed_out(store: MemoryStore) -> None:
    cursor = cursor_on(store, 5)
    hand_out(cursor)
    give_back(cursor, [1, 2, 4])
    cursor.quarantine(Damage(2, 4, "its checksum is wrong"))
    assert [seq for seq, _, _ in cursor.quarantined] == [2, 4], "3 and 5 are out"
    assert take_all(cursor) == [(1, 1)]
    assert (cursor.ready, owed(cursor)) == (0, {1, 2, 3, 4, 5})


def test_what_is_set_aside_is_in_every_snapshot_until_it_is_given_up(store: MemoryStore) -> None:
    """It is owed, and a checkpoint that left it out would settle it."""
    cursor = on_disk(store, 9, damaged=[3, 4, 7])
    cursor.read(1)
    store.bring()
    while hand_out(cursor):
        pass
    snapshot = store.snapshot(cursor.log)
    assert snapshot.cursors[0].quarantined == [(3, 3), (4, 4), (7, 7)]
    snapshot.work_out()
    assert [snapshot.owes(seq, seq) for seq in (3, 4, 5, 7)] == [1, 1, 1, 1]
    settle(cursor, list(cursor.out[0]))
    store.swap(snapshot)
    assert cursor.settle_quarantined() == 3
    snapshot = store.snapshot(cursor.log)
    assert snapshot.cursors[0].quarantined == []
    snapshot.work_out()
    assert snapshot.owes(1, 9) == 0
    store.commit()
    settled = [entry for entry in entries_of(store.batches[-1]) if isinstance(entry, Settle)]
    assert settled[1:] == [Settle(cursor.id, [(seq, seq)]) for seq in (3, 4, 7)]


def test_what_can_be_read_again_goes_back_to_its_place(store: MemoryStore) -> None:
    cursor = cursor_on(store, 6)
    hand_out(cursor)
    give_back(cursor, [2, 3, 4, 6])
    cursor.quarantine(Damage(2, 4, "its checksum is wrong"))
    cursor.recover_quarantined(3, 9)
    assert list(cursor.quarantined) == [Damage(2, 2, "its checksum is wrong")]
    assert take_all(cursor) == [(3, 1), (4, 1), (6, 1)]


def test_a_start_puts_back_into_its_place_what_can_be_read_again(store: MemoryStore) -> None:
    """As it comes from the catalog: no returned message has ever been there."""
    cursor = cursor_on(store, 6)
    cursor.next, cursor.returned = 6, {5: 2}
    cursor.quarantined.add(2, 4, "it was found damaged before the last start")
    cursor.recovered()
    store.dirty.remove(cursor.log)
    cursor.log.dirty = False
    cursor.recover_quarantined(3, 4)
    assert store.dirty == [cursor.log]
    cursor.out.append({})
    assert take_all(cursor) == [(3, 1), (4, 1), (5, 2)]
    assert cursor.low() == 2
