"""Tests of segue.storage.holes: what was returned, condemned and set aside, and in which order it comes again."""

from __future__ import annotations

import pytest

from segue.storage.cursor import Cursor
from segue.storage.entries import Settle
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
    owed,
    settle,
    spill,
    take_all,
)

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


# -- damage


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
    cursor = cursor_on(store, 9)
    spill(store, cursor.log)
    store.damaged = {3, 4, 7}
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
