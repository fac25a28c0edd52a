"""Tests of segue.storage.log: where a record is at any time, what is let go of, and what memory that frees."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.storage import log as log_module
from segue.storage.cursor import Cursor
from segue.storage.entries import Enqueue
from segue.storage.log import Extent, Log
from segue.storage.snapshot import LogSnapshot
from tests.faults.storage.driver import record
from tests.unit.storage.memory_store import MemoryStore, entries_of, fill, hand_out, size_of


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def log_with(store: MemoryStore, count: int = 0, cursors: int = 1) -> Log:
    """A new log with durable messages 1 to `count`, and cursors that may read all of them."""
    log = store.create_log({})
    for _ in range(cursors):
        store.create_cursor(log, {})
    fill(log, count)
    for cursor in log.cursors:
        cursor.read(1)
    store.commit()
    return log


def settle(cursor: Cursor, seqs: Iterable[int]) -> None:
    """Hand out all that there is, and settle some."""
    while hand_out(cursor):
        pass
    gone = list(seqs)
    for seq in gone:
        del cursor.out[0][seq]
    cursor.settle(gone)


def extent(first: int, last: int) -> Extent:
    return Extent(first, last, f"segments/1/{first}-{last}.db", last - first + 1, 100, 0)


def records(*seqs: int) -> dict[int, bytes]:
    return {seq: record(f"{seq}") for seq in seqs}


# -- the end of it


def test_numbers_rise_by_one_over_batches_and_whoever_appends(store: MemoryStore) -> None:
    one, other = log_with(store), log_with(store)
    seqs = [one.append(record("1"))]
    store.append_to((one, other), record("2"))
    seqs.append(one.append(record("3")))
    store.seal()
    seqs.append(one.append(record("4")))
    store.commit()
    assert seqs == [1, 3, 4]
    enqueued = [entry for batch in store.batches for entry in entries_of(batch) if isinstance(entry, Enqueue)]
    assert [entry.targets for entry in enqueued] == [((1, 1),), ((1, 2), (3, 1)), ((1, 3),), ((1, 4),)]
    assert (one.head, one.sealed, one.durable, other.head) == (5, 5, 5, 2)


def test_appends_in_a_row_are_one_entry_and_a_run_that_was_closed_begins_another(store: MemoryStore) -> None:
    log = log_with(store)
    for _ in range(3):
        log.append(record(f"{log.head}"))
    log.close_run()
    log.append(record("4"))
    assert store.batch.size == len(record("1")) * 4
    store.commit()
    found = [entry for entry in entries_of(store.batches[-1]) if isinstance(entry, Enqueue)]
    assert [(entry.targets[0][1], entry.records) for entry in found] == [
        (1, [*records(1, 2, 3).values()]),
        (4, [record("4")]),
    ]


def test_several_records_are_appended_as_one_by_one(store: MemoryStore) -> None:
    one, other = log_with(store), log_with(store)
    appended = list(records(1, 2, 3, 4).values())
    one.append(appended[0])
    one.append_all(appended[1:3])
    one.append_all(appended[3:])
    for each in appended:
        other.append(each)
    assert (one.head, store.batch.size) == (other.head, 2 * sum(map(len, appended)))
    store.commit()
    found = [entry for entry in entries_of(store.batches[-1]) if isinstance(entry, Enqueue)]
    assert [entry.records for entry in found] == [appended, appended]
    assert one.hot == other.hot == records(1, 2, 3, 4)


def test_a_record_is_in_memory_when_it_is_sealed_and_delivered_when_it_is_durable(store: MemoryStore) -> None:
    log = log_with(store)
    log.append(record("1"))
    assert (log.find(1), log.sealed, log.durable, store.hot_bytes) == (None, 1, 1, 0)
    store.seal()
    assert (log.find(1), log.sealed, log.durable, store.hot_bytes) == (record("1"), 2, 1, size_of(record("1")))
    store.commit()
    assert log.durable == 2


def test_what_was_changed_is_noted_once_for_the_next_checkpoint(store: MemoryStore) -> None:
    log = log_with(store)
    store.dirty.clear()
    log.dirty = False
    log.touch()
    log.touch()
    assert store.dirty == [log]


# -- where a record is


def test_it_is_found_in_memory_at_all_boundaries_and_nowhere_else(store: MemoryStore) -> None:
    log = log_with(store, 4)
    store.swap(store.snapshot(log))
    fill(log, 3)
    log.append(record("8"))
    snapshot = store.snapshot(log)
    fill(log, 1)
    log.append(record("10"))
    assert [seq for seq in range(12) if log.find(seq) is not None] == [5, 6, 7, 8, 9]
    assert {seq: log.find(seq) for seq in (5, 7, 8, 9)} == records(5, 7, 8, 9)
    assert (log.ram_first, log.spill_first, log.hot_first) == (5, 5, 8)
    store.swap(snapshot)
    assert [seq for seq in range(12) if log.find(seq) is not None] == [8, 9]
    assert (log.ram_first, log.hot_first) == (8, 8)


@given(
    steps=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4)), max_size=6),
    seq=st.integers(0, 45),
)
def test_the_extent_at_a_number_is_the_first_that_ends_at_or_above_it(steps: list[tuple[int, int]], seq: int) -> None:
    """Extents don't overlap; they touch, or numbers between are settled."""
    log = log_with(MemoryStore())
    end = 0
    for gap, more in steps:
        log.extents.append(extent(end + gap, end + gap + more))
        end += gap + more
    expected = [at for at, each in enumerate(log.extents) if each.last >= seq]
    assert log.extent_at(seq) == (expected[0] if expected else len(log.extents))


def test_every_message_that_is_owed_is_in_exactly_one_place_while_checkpoints_come_and_go(store: MemoryStore) -> None:
    log = log_with(store)
    for _ in range(4):
        fill(log, 3)
        snapshot = store.snapshot(log)
        fill(log, 2)
        for seq in range(1, log.durable):
            on_disk = seq in store.spilled.get(log.id, {})
            in_extent = log.extent_at(seq) < len(log.extents) and log.extents[log.extent_at(seq)].first <= seq
            assert on_disk == in_extent
            places = [on_disk, seq in (log.spilling or {}), seq in log.hot]
            assert places.count(True) == 1
            assert on_disk == (seq < log.ram_first)
        store.swap(snapshot)


# -- forgetting


def test_what_the_only_cursor_has_settled_leaves_memory_at_once(store: MemoryStore) -> None:
    log = log_with(store, 5)
    settle(log.cursors[0], [2, 3])
    assert log.hot == records(1, 4, 5)
    assert store.hot_bytes == log.hot_bytes == size_of(*log.hot.values())


def test_with_two_cursors_a_message_stays_until_both_have_passed_it(store: MemoryStore) -> None:
    log = log_with(store, 5, cursors=2)
    one, other = log.cursors
    settle(one, [1, 2, 4])
    store.commit()
    assert sorted(log.hot) == [1, 2, 3, 4, 5]
    settle(other, [1, 3])
    store.commit()
    assert (sorted(log.hot), log.low) == ([2, 3, 4, 5], 2), "2 is owed by the other"
    settle(other, [2, 4])
    store.commit()
    assert (sorted(log.hot), log.low) == ([3, 4, 5], 3), "3 by the one"
    settle(one, [3])
    store.commit()
    assert (sorted(log.hot), log.low) == ([5], 5), "and 4 by nobody"
    assert store.hot_bytes == size_of(record("5"))


@pytest.mark.parametrize(
    ("first", "last"), [(1, 6), (1, 3), (4, 6), (3, 4), (2, 2), (1, 100), (5, 100), (6, 6), (7, 9), (4, 3)]
)
@pytest.mark.parametrize("gone", [[], [3]])
def test_a_range_that_is_forgotten_is_gone_and_nothing_else(
    store: MemoryStore, first: int, last: int, gone: list[int]
) -> None:
    log = log_with(store, 6)
    settle(log.cursors[0], gone)
    log.forget_range(first, last)
    assert log.hot == records(*(seq for seq in range(1, 7) if not first <= seq <= last and seq not in gone))
    assert store.hot_bytes == log.hot_bytes == size_of(*log.hot.values())


@pytest.mark.parametrize("picked_out_max", [0, 1000])
@pytest.mark.parametrize("spilling", [False, True])
def test_a_purge_lets_go_of_all_but_what_is_out_and_what_came_later(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch, picked_out_max: int, spilling: bool
) -> None:
    monkeypatch.setattr(log_module, "_PICKED_OUT_MAX", picked_out_max)
    log = log_with(store, 2 if spilling else 0)
    (cursor,) = log.cursors
    if spilling:
        store.snapshot(log)
    fill(log, 9)
    first = log.hot_first
    hand_out(cursor, 2)
    hand_out(cursor, 3 if spilling else 1)
    cursor.settle([first])
    cursor.give_back({first + 2: cursor.out[0].pop(first + 2)})
    del cursor.out[0][first]
    log.append(record("under way"))
    store.seal()
    before = store.hot_bytes - size_of(*log.hot.values())
    cursor.skip_to(log.durable)
    assert list(log.hot) == [first + 1, first + 2, first + 9]
    assert store.hot_bytes == log.hot_bytes == before + size_of(*log.hot.values())


def test_a_range_is_not_forgotten_while_two_cursors_owe_it(store: MemoryStore) -> None:
    log = log_with(store, 6, cursors=2)
    log.forget_range(1, 6)
    assert log.hot == records(1, 2, 3, 4, 5, 6)


def test_a_range_leaves_what_is_being_spilled_alone(store: MemoryStore) -> None:
    log = log_with(store, 4)
    snapshot = store.snapshot(log)
    fill(log, 4)
    log.forget_range(2, 6)
    assert (log.spilling, log.hot) == (records(1, 2, 3, 4), records(7, 8))
    log.forget_range(1, 8)
    assert store.hot_bytes == log.hot_bytes == size_of(*records(1, 2, 3, 4).values())
    store.swap(snapshot)
    assert store.hot_bytes == 0


def test_when_a_cursor_leaves_what_only_it_owed_goes_with_it(store: MemoryStore) -> None:
    log = log_with(store, 6, cursors=3)
    one, other, third = log.cursors
    settle(one, [1, 2, 3, 5])
    settle(other, [1, 2])
    store.drop_cursor(third)
    assert sorted(log.hot) == [3, 4, 5, 6], "below 3 nobody owes anything"
    store.drop_cursor(other)
    assert log.hot == records(4, 6)
    assert store.hot_bytes == size_of(*log.hot.values())
    store.drop_cursor(one)
    assert (log.hot, store.hot_bytes, log.low, log.first_owed()) == ({}, 0, 7, 7)


def test_a_new_cursor_begins_with_the_first_message_that_is_owed_or_behind_the_last(store: MemoryStore) -> None:
    log = log_with(store, 6)
    settle(log.cursors[0], [1, 2, 4])
    log.append(record("7"))
    assert store.create_cursor(log, {}).next == 3
    assert store.create_cursor(log, {}, at_head=True).next == 8
    unheard = store.create_log({})
    unheard.append(record("1"))
    assert store.create_cursor(unheard, {}).next == 1


def test_a_log_that_is_deleted_takes_no_memory(store: MemoryStore) -> None:
    log = log_with(store, 6)
    log.append(record("7"))
    store.drop_log(log)
    assert (log.hot, log.cursors, store.hot_bytes, store.logs, store.cursors) == ({}, [], 0, {}, {})
    store.commit()
    assert store.hot_bytes == 0, "what was in its last batch is nobody's"


# -- checkpoints


def test_what_is_settled_while_it_is_spilled_is_not_in_memory_afterwards(store: MemoryStore) -> None:
    log = log_with(store, 6)
    snapshot = store.snapshot(log)
    fill(log, 2)
    settle(log.cursors[0], [2, 7])
    assert store.hot_bytes == size_of(*records(1, 2, 3, 4, 5, 6, 8).values()), "the spilling is not touched"
    store.swap(snapshot)
    assert (log.hot, log.spilling) == (records(8), None)
    assert store.hot_bytes == log.hot_bytes == size_of(record("8"))


def test_a_spilling_that_fails_gives_back_all_that_is_still_owed(store: MemoryStore) -> None:
    log = log_with(store, 6)
    snapshot = store.snapshot(log)
    fill(log, 3)
    settle(log.cursors[0], [2, 6, 8])
    log.abort_spill(snapshot.spilled_bytes)
    assert log.hot == records(1, 3, 4, 5, 7, 9)
    assert list(log.hot) == [1, 3, 4, 5, 7, 9], "rising, as the next checkpoint writes them"
    assert (log.spilling, log.hot_first, log.ram_first, log.dirty) == (None, 1, 1, True)
    assert store.hot_bytes == log.hot_bytes == size_of(*log.hot.values())


def test_a_spilling_that_fails_gives_back_what_any_of_two_cursors_owes(store: MemoryStore) -> None:
    log = log_with(store, 4, cursors=2)
    snapshot = store.snapshot(log)
    while hand_out(log.cursors[0]):
        pass
    log.abort_spill(snapshot.spilled_bytes)
    assert store.dirty == [log], "the next one looks at it again, whatever happens until then"
    snapshot = store.snapshot(log)
    settle(log.cursors[0], [1, 2, 3, 4])
    log.abort_spill(snapshot.spilled_bytes)
    assert log.hot == records(1, 2, 3, 4)
    settle(log.cursors[1], [1, 2])
    store.commit()
    assert log.hot == records(3, 4)
    assert store.hot_bytes == size_of(*log.hot.values())


def test_a_spilling_that_fails_gives_back_what_is_out_with_either_of_two_cursors(store: MemoryStore) -> None:
    log = log_with(store, 5, cursors=2)
    snapshot = store.snapshot(log)
    settle(log.cursors[0], [1, 2, 4, 5])
    settle(log.cursors[1], [1, 3, 4])
    log.abort_spill(snapshot.spilled_bytes)
    assert log.hot == records(2, 3, 5), "1 and 4 nobody owes"
    assert store.hot_bytes == log.hot_bytes == size_of(*log.hot.values())


def test_after_a_failed_one_the_next_spilling_has_everything(store: MemoryStore) -> None:
    log = log_with(store, 3)
    for _ in range(3):
        snapshot = store.snapshot(log)
        fill(log, 2)
        log.abort_spill(snapshot.spilled_bytes)
    snapshot = store.snapshot(log)
    store.swap(snapshot)
    assert store.spilled[log.id] == records(*range(1, 10))
    assert (store.hot_bytes, log.extents[0][:2]) == (0, (1, 9))


@pytest.mark.parametrize("fails", [False, True])
def test_a_log_that_is_deleted_while_it_is_spilled_gives_its_memory_back_in_the_end(
    store: MemoryStore, fails: bool
) -> None:
    log = log_with(store, 4)
    snapshot = store.snapshot(log)
    fill(log, 2)
    store.drop_log(log)
    assert store.hot_bytes == size_of(*records(1, 2, 3, 4).values())
    if fails:
        log.abort_spill(snapshot.spilled_bytes)
    else:
        store.swap(snapshot)
    assert (store.hot_bytes, log.spilling) == (0, None)


def test_what_nobody_owes_is_not_written_and_never_owed_again(store: MemoryStore) -> None:
    log = store.create_log({})
    fill(log, 3)
    assert log.first_owed() == 1
    store.swap(store.snapshot(log))
    assert (store.spilled[log.id], log.extents, store.hot_bytes) == ({}, [], 0)
    assert store.create_cursor(log, {}).next == 4


# -- the replay


def test_what_the_catalog_knows_already_is_not_replayed_again(store: MemoryStore) -> None:
    log = Log(store, 9, {}, head=5)
    log.replay(2, [*records(2, 3, 4).values()])
    assert (log.hot, log.head) == ({}, 5)
    log.replay(5, [*records(5, 6).values()])
    log.replay(7, [record("7")])
    assert (log.hot, log.head, log.sealed, log.hot_first) == (records(5, 6, 7), 8, 8, 5)
    log.replay(5, [*records(5, 6).values()])
    assert log.hot == records(5, 6, 7)
    assert store.hot_bytes == log.hot_bytes == size_of(*log.hot.values())


@pytest.mark.parametrize(("first", "count"), [(6, 1), (4, 2), (99, 3)])
def test_a_replay_that_does_not_go_on_where_the_log_ends_is_refused(store: MemoryStore, first: int, count: int) -> None:
    log = Log(store, 9, {}, head=5)
    with pytest.raises(ValueError, match=f"log 9 goes on with message {first}, and its next one is 5"):
        log.replay(first, [record("x")] * count)
    assert (log.hot, log.head) == ({}, 5)


def test_a_replay_begins_anew_behind_what_was_settled_meanwhile(store: MemoryStore) -> None:
    """`hot_first` may not stay behind: below it, the log is asked for extents."""
    log = log_with(store)
    log.replay(1, [*records(1, 2).values()])
    log.forget_range(1, 2)
    log.replay(3, [record("3")])
    assert (log.hot, log.hot_first) == (records(3), 3)


# -- memory

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["append", "settle", "skip", "return", "commit", "begin", "end", "abort", "join", "leave", "clear"]
        ),
        st.integers(0, 2),
        st.integers(1, 5),
    ),
    max_size=40,
)


def play(store: MemoryStore, log: Log, step: tuple[str, int, int]) -> None:
    """One step in the life of a log."""
    what, which, amount = step
    cursors = log.cursors
    cursor = cursors[which % len(cursors)] if cursors else None
    if what == "append":
        for _ in range(amount):
            log.append(record("x" * amount))
    elif what == "commit":
        store.commit()
    elif what == "join" and len(cursors) < 3:
        store.create_cursor(log, {}, at_head=amount > 2)
    elif what == "clear" and amount == 5:
        store.drop_log(log)
    elif cursor is None:
        return
    elif what == "settle":
        hand_out(cursor, amount)
        settle(cursor, sorted(cursor.out[0])[which : which + amount])
    elif what == "return" and cursor.out:
        cursor.give_back({seq: cursor.out[0].pop(seq) for seq in sorted(cursor.out[0])[:amount]})
        cursor.drop_returned(sorted(cursor.returned)[1:])
    elif what == "skip":
        cursor.skip_to(min(log.durable, cursor.next + amount))
    elif what == "leave":
        store.drop_cursor(cursor)


@given(steps=STEPS)
def test_the_memory_of_records_is_counted_right_whatever_happens(steps: list[tuple[str, int, int]]) -> None:
    store = MemoryStore()
    logs = [log_with(store, 3), log_with(store, 3, cursors=2)]
    under_way: dict[Log, LogSnapshot] = {}
    for number, step in enumerate(steps):
        log = logs[number % 2]
        if log.id in store.logs:
            play(store, log, step)
        if step[0] == "begin" and log.spilling is None and log.id in store.logs:
            under_way[log] = store.snapshot(log)
        elif step[0] == "end" and log in under_way:
            store.swap(under_way.pop(log))
        elif step[0] == "abort" and log in under_way:
            log.abort_spill(under_way.pop(log).spilled_bytes)
        for each in logs:
            spilling = under_way[each].spilling if each in under_way else {}
            assert each.hot_bytes == size_of(*each.hot.values(), *spilling.values())
        assert store.hot_bytes == sum(each.hot_bytes for each in logs)
