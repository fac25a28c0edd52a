"""Tests of segue.storage.replay: what a replay makes of the entries, and cursors that are made on gaps."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.storage.cursor import Cursor
from segue.storage.entries import Return, Settle
from segue.storage.replay import apply
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
    size_of,
    spill,
    take_all,
)

# -- gaps: numbers that another cursor has settled before this one was made


def made_on_gaps(store: MemoryStore, settled: Iterable[int], count: int = 12) -> tuple[Cursor, Cursor]:
    """A cursor that has settled these of `count` messages and holds the others, and a new one on the same log."""
    first = cursor_on(store, count)
    hand_out(first)
    settle(first, settled)
    store.commit()
    second = store.create_cursor(first.log, {})
    second.read(1)
    store.commit()
    return first, second


@pytest.mark.parametrize("limit", [1, 2, 3, 20])
@pytest.mark.parametrize("spilled", [False, True])
def test_a_second_cursor_steps_over_what_is_gone(store: MemoryStore, limit: int, spilled: bool) -> None:
    first, second = made_on_gaps(store, [1, 2, 4, 5, 6, 9, 12])
    assert second.next == 3, "the first that is owed"
    if spilled:
        spill(store, first.log)
        second.read(1)
        store.bring()
    fill(first.log, 1)
    found = list[int]()
    while more := hand_out(second, limit):
        found += more
    assert found == [3, 7, 8, 10, 11, 13]
    assert (second.next, second.unread) == (14, 0)


@pytest.mark.parametrize("spilled", [False, True])
@pytest.mark.parametrize("way", ["settle", "return"])
def test_what_a_second_cursor_stepped_over_is_not_owed_after_a_crash(
    store: MemoryStore, way: str, spilled: bool
) -> None:
    """The replay took the gap before a settled message for messages that were out.

    They were looked for in vain, and set aside as damaged.
    """
    first, second = made_on_gaps(store, [2, 3, 4, 5, 8, 12])
    if spilled:
        spill(store, first.log)
        second.read(1)
        store.bring()
    fill(first.log, 1)
    while hand_out(second, 2):
        pass
    (settle if way == "settle" else give_back)(second, [7, 13])
    store.commit()
    replayed = MemoryStore.replayed(store.batches)
    again = replayed.cursors[second.id]
    waiting = [1, 6, 9, 10, 11] if way == "settle" else [1, 6, 7, 9, 10, 11, 13]
    assert (again.next, again.returned) == (14, dict.fromkeys(waiting, 1))
    assert owed(again) == owed(second)


@pytest.mark.parametrize("others", [1, 2])
@pytest.mark.parametrize("fails", [False, True])
def test_what_is_settled_while_it_is_spilled_is_not_handed_out_to_a_second_cursor(
    store: MemoryStore, others: int, fails: bool
) -> None:
    """A crash before the catalog's commit, and what it was given and returned was looked for in vain."""
    first = cursor_on(store, 9)
    hand_out(first)
    snapshot = store.snapshot(first.log)
    settle(first, [2, 3, 4, 7])
    store.commit()
    if others == 2:
        store.create_cursor(first.log, {}, at_head=True)
    if fails:
        first.log.abort_spill(snapshot.spilled_bytes)
    second = store.create_cursor(first.log, {})
    second.read(1)
    store.commit()
    assert [hand_out(second) for _ in range(3)] == [[1], [5, 6], [8, 9]]
    give_back(second, [6])
    store.commit()
    again = MemoryStore.replayed(store.batches).cursors[second.id]
    assert again.returned == {1: 1, 5: 1, 6: 1}
    if not fails:
        store.swap(snapshot)
        assert sorted(store.spilled[first.log.id]) == list(range(1, 10)), "its snapshot has what was owed then"
    assert store.hot_bytes == size_of(*first.log.hot.values())


# -- the replay

HISTORY = st.lists(
    st.tuples(st.sampled_from(["settle", "return"]), st.lists(st.integers(1, 20), min_size=1, max_size=5)), max_size=12
)
"""Lists of numbers that are settled or returned."""


def replay(cursor: Cursor, steps: list[tuple[str, list[int]]]) -> None:
    for what, seqs in steps:
        if what == "settle":
            apply(cursor.log.store, Settle(cursor.id, [(seq, seq) for seq in seqs]))
        else:
            apply(cursor.log.store, Return(cursor.id, [(seq, seq % 3 + 1) for seq in seqs]))


def possible(steps: list[tuple[str, list[int]]]) -> list[tuple[str, list[int]]]:
    """Only what is not settled yet can be settled or returned."""
    done = set[int]()
    found = []
    for what, seqs in steps:
        left = [seq for seq in dict.fromkeys(seqs) if seq not in done]
        done.update(left if what == "settle" else ())
        found.append((what, left))
    return found


@given(history=HISTORY)
def test_a_replay_owes_what_was_handed_out_and_not_settled_and_twice_is_once(
    history: list[tuple[str, list[int]]],
) -> None:
    steps = possible(history)
    cursor = cursor_on(MemoryStore(), 20)
    settled, counts = set[int](), dict[int, int]()
    for upto, (what, seqs) in enumerate(steps, 1):
        replay(cursor, steps[upto - 1 : upto])
        if what == "settle":
            settled.update(seqs)
        else:
            counts |= {seq: seq % 3 + 1 for seq in seqs}
        head = max([0, *settled, *counts])
        assert cursor.next == head + 1
        assert cursor.returned == {seq: counts.get(seq, 1) for seq in range(1, head + 1) if seq not in settled}
    once = (cursor.next, dict(cursor.returned))
    replay(cursor, steps)
    assert (cursor.next, cursor.returned) == once


@pytest.mark.parametrize(("first", "last"), [(1, 1), (2, 5), (4, 4), (1, 9), (6, 20), (10, 12), (12, 12)])
def test_a_range_that_is_settled_again_takes_all_of_it_and_nothing_else(
    store: MemoryStore, first: int, last: int
) -> None:
    cursor = cursor_on(store, 20)
    apply(store, Return(cursor.id, [(seq, 1) for seq in range(1, 10)]))
    cursor.quarantined.add(3, 4, "its checksum is wrong")
    cursor.returned = {seq: 2 for seq in cursor.returned if seq not in (3, 4)}
    for _ in range(2):
        apply(store, Settle(cursor.id, [(first, last)]))
        gone = set(range(first, last + 1))
        assert cursor.next == max(10, last + 1)
        assert owed(cursor) == set(range(1, 21)) - gone
        assert {seq for seq in (3, 4) if seq in cursor.quarantined} == {3, 4} - gone


def test_what_was_returned_after_it_was_mended_is_not_set_aside_any_more(store: MemoryStore) -> None:
    """The catalog still has it in quarantine when the crash comes.

    Kept there, it would come again once it is settled, and its deliveries would be counted anew.
    """
    cursor = cursor_on(store, 5)
    apply(store, Return(cursor.id, [(2, 1), (3, 1), (4, 1)]))
    cursor.returned = {}
    cursor.quarantined.add(2, 4, "it was found damaged before the last start")
    apply(store, Return(cursor.id, [(3, 2)]))
    assert [(first, last) for first, last, _ in cursor.quarantined] == [(2, 2), (4, 4)]
    assert cursor.returned == {3: 2}
    apply(store, Settle(cursor.id, [(3, 3)]))
    assert owed(cursor) == {2, 4, 5}


def test_a_replayed_cursor_hands_out_the_returned_ones_lowest_first(store: MemoryStore) -> None:
    cursor = cursor_on(store, 9)
    hand_out(cursor, 7)
    for seqs in ([6], [1, 4], [3]):
        give_back(cursor, seqs)
    settle(cursor, [2, 5])
    store.commit()
    assert Return(cursor.id, [(6, 1), (1, 1), (4, 1), (3, 1)]) in entries_of(store.batches[-1])
    again = MemoryStore.replayed(store.batches).cursors[cursor.id]
    again.out.append({})
    assert take_all(again) == [(1, 1), (3, 1), (4, 1), (6, 1)]
    assert hand_out(again) == [7, 8, 9], "7 was out, and nothing is known of that but the promise"
    assert again.maybe == 10


# -- any life, replayed from any batch

WHAT = (
    "append",
    "read",
    "read",
    "settle",
    "settle",
    "return",
    "condemn",
    "take",
    "skip",
    "drop",
    "join",
    "leave",
    "spill",
)
STEP = st.tuples(st.sampled_from(WHAT), st.integers(0, 2), st.integers(0, 3), st.integers(1, 6))


class Life:
    """One log, its cursors, and how far each of them was and what it owed behind each batch."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.log = self.store.create_log({})
        self.moments: list[dict[int, tuple[int, set[int]]]] = []
        self.handed: dict[int, set[int]] = {}
        self.spilled_bytes = -1  # of the checkpoint that is under way; it fails, so a replay begins at the beginning
        self.join()
        fill(self.log, 9)
        self.commit()

    def join(self) -> None:
        """A cursor more, which has promised to read. Nothing is settled in the batch that makes it.

        What is may be there for it, but only after a replay.
        """
        self.commit()
        self.store.create_cursor(self.log, {}).read(1)
        self.commit()

    def commit(self) -> None:
        self.store.commit()
        del self.moments[len(self.store.batches) :]
        now = {cursor.id: (cursor.next, owed(cursor)) for cursor in self.log.cursors}
        self.moments += [now] * (len(self.store.batches) - len(self.moments))

    def do(self, what: str, which: int, offset: int, amount: int) -> None:
        cursor = self.log.cursors[which % len(self.log.cursors)]
        cursor.out = cursor.out or [{}]
        held = sorted(cursor.out[0])[offset : offset + amount]
        if what == "append":
            for _ in range(amount):
                self.log.append(record(f"{self.log.head}"))
        elif what == "read":
            seqs = [*hand_out(cursor, amount), *hand_out(cursor, amount)]  # twice: a read ends at a gap
            self.handed.setdefault(cursor.id, set()).update(seqs)
        elif what == "settle":
            settle(cursor, held)
        elif what == "return":
            give_back(cursor, held)
        elif what == "condemn":
            cursor.give_back({seq: cursor.out[0].pop(seq) + CONDEMNED for seq in held})
        elif what == "take":
            take_all(cursor)
        elif what == "skip":
            cursor.skip_to(min(self.log.durable, cursor.next + amount))
        elif what == "drop":
            cursor.drop_returned(sorted(cursor.returned)[:amount])
        elif what == "join" and len(self.log.cursors) < 3:
            self.join()
        elif what == "leave" and len(self.log.cursors) > 1:
            self.commit()
            self.store.drop_cursor(cursor)
        elif what == "spill" and self.spilled_bytes < 0:
            self.spilled_bytes = self.store.snapshot(self.log).spilled_bytes
        elif what == "spill":
            self.log.abort_spill(self.spilled_bytes)
            self.spilled_bytes = -1
        self.commit()


@settings(max_examples=60)
@given(steps=st.lists(STEP, min_size=10, max_size=25))
def test_a_replay_of_every_prefix_owes_what_was_owed_then_and_has_it(steps: list[tuple[str, int, int, int]]) -> None:
    """Invariants 7 and 8, with cursors that begin on a log in which others have settled messages."""
    life = Life()
    for step in steps:
        life.do(*step)
    for upto, moment in enumerate(life.moments, 1):
        again = MemoryStore.replayed(life.store.batches[:upto])
        for cursor_id, (next_seq, seqs) in moment.items():
            found = owed(again.cursors[cursor_id])
            assert {seq for seq in found if seq < next_seq} == {seq for seq in seqs if seq < next_seq}
            assert found >= seqs, "what others have settled may be there again for one that has not got there"
            log = again.cursors[cursor_id].log
            assert {seq: log.find(seq) for seq in found} == {seq: record(f"{seq}") for seq in found}
    last = MemoryStore.replayed(life.store.batches)
    for cursor in life.log.cursors:
        known = last.cursors[cursor.id]
        for seq in life.handed.get(cursor.id, set()) & owed(cursor):
            assert known.returned.get(seq, 0) > 0 or seq < known.maybe, f"message {seq} hides a repeat"
        for seq, deliveries in cursor.returned.items():
            assert known.returned[seq] == deliveries
        assert len(known.condemned) == len(cursor.condemned)
