"""The state in numbers is the state that recovery comes to in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.storage.entries import (
    BatchHeader,
    define_entry,
    enqueue_entry,
    read_entry,
    return_entry,
    settle_entry,
)
from segue.storage.tools.catalog_image import CatalogImage, open_catalog_image
from segue.storage.tools.journal_image import FoundBatch, JournalImage, entries_of
from segue.storage.tools.state import CursorPlace, LogPlaces, StoreState, owed_by
from tests.unit.storage.tools.stores import open_shelf, record


def batch(*entries: bytes) -> FoundBatch:
    data = b"".join(entries)
    return FoundBatch(0, BatchHeader(40 + len(data), 0, len(entries), 0, 0, 0), "journal/0.journal", 0, data)


def replayed(*entries: bytes, state: StoreState | None = None) -> StoreState:
    state = state or StoreState(CatalogImage())
    found = batch(*entries)
    for entry in entries_of(found):
        state.replay(found, entry)
    return state


def log_entry(log: int, name: str = "q") -> bytes:
    return define_entry({"do": "log", "id": log, "definition": {"kind": "queue", "name": name}})


def cursor_entry(cursor: int, log: int, next_seq: int = 1) -> bytes:
    return define_entry({"do": "cursor", "id": cursor, "log": log, "next": next_seq, "definition": {}})


def fill(log: int, first: int, count: int) -> bytes:
    return enqueue_entry([(log, first)], [record(log, seq, 10) for seq in range(first, first + count)])


def drop(what: str, identity: int) -> bytes:
    return define_entry({"do": f"drop-{what}", "id": identity})


@pytest.fixture
def queue() -> StoreState:
    """A log with ten messages and a cursor at its start."""
    return replayed(log_entry(1), cursor_entry(2, 1), fill(1, 1, 10))


def cursor_of(state: StoreState) -> CursorPlace:
    return state.logs[1].cursors[2]


async def test_it_is_the_state_that_recovery_comes_to(crashed_store: Path) -> None:
    with open_catalog_image(crashed_store) as image:
        state = StoreState(image)
        for found in JournalImage(crashed_store, image.salt).walk(image.lsn, image.previous):
            assert isinstance(found, FoundBatch)
            for entry in entries_of(found):
                state.replay(found, entry)
    async with open_shelf(crashed_store, crash=True) as shelf:
        store = shelf.store
        assert {log.id: (log.head, log.definition) for log in store.logs.values()} == {
            log.id: (log.head, log.definition) for log in state.logs.values()
        }
        places = {cursor.id: cursor for log in state.logs.values() for cursor in log.cursors.values()}
        assert {cursor.id: (cursor.next, cursor.holes()) for cursor in store.cursors.values()} == {
            cursor.id: (cursor.next, cursor.holes) for cursor in places.values()
        }
        assert state.strange == set()
        assert shelf.queue("new").log.id == state.next_id


def test_everything_unread_is_owed(queue: StoreState) -> None:
    assert queue.logs[1].owed() == [(1, 10)]


def test_settling_behind_the_place_leaves_what_was_handed_out_before(queue: StoreState) -> None:
    replayed(settle_entry(2, [(3, 4)]), state=queue)
    cursor = cursor_of(queue)
    assert (cursor.next, cursor.holes) == (5, {1: 1, 2: 1})
    assert queue.logs[1].owed() == [(1, 2), (5, 10)]
    replayed(settle_entry(2, [(1, 2)]), state=queue)
    assert queue.logs[1].owed() == [(5, 10)]


def test_returned_messages_are_holes_with_their_deliveries(queue: StoreState) -> None:
    replayed(return_entry(2, [(4, 3)]), state=queue)
    assert cursor_of(queue).holes == {1: 1, 2: 1, 3: 1, 4: 3}
    assert cursor_of(queue).next == 5


def test_a_promise_only_rises(queue: StoreState) -> None:
    replayed(read_entry(2, 9), read_entry(2, 5), state=queue)
    assert cursor_of(queue).promised == 9


def test_settled_ranges_are_taken_out_of_what_was_set_aside() -> None:
    cursor = CursorPlace(2, 20, 20, {}, [(3, 10)], {})
    cursor.settle(5, 6)
    assert cursor.quarantined == [(3, 4), (7, 10)]
    assert owed_by(cursor, 20) == [(3, 4), (7, 10)]


def test_a_fan_out_puts_the_same_bytes_into_every_log() -> None:
    records = [record(1, 1, 10)]
    state = replayed(log_entry(1), log_entry(3), enqueue_entry([(1, 1), (3, 1)], records))
    first, second = state.logs[1].runs[0], state.logs[3].runs[0]
    assert first == second
    assert first.size == len(records[0])


def test_what_is_deleted_is_gone_and_what_is_said_of_it_later_means_nothing(queue: StoreState) -> None:
    replayed(drop("log", 1), settle_entry(2, [(1, 2)]), fill(1, 11, 2), state=queue)
    assert queue.logs == {}
    assert queue.strange == set()


def test_a_cursor_that_is_deleted_owes_nothing(queue: StoreState) -> None:
    replayed(drop("cursor", 2), state=queue)
    assert queue.logs[1].owed() == []


def test_what_nobody_has_defined_is_strange() -> None:
    state = replayed(fill(7, 1, 1), settle_entry(9, [(1, 1)]))
    assert (state.logs, state.strange) == ({}, {7, 9})


def test_after_a_loss_an_unknown_log_is_made() -> None:
    state = replayed(fill(7, 5, 2), fill(7, 9, 1), state=StoreState(CatalogImage(), makes_unknown_logs=True))
    log = state.logs[7]
    assert ([run.first for run in log.runs], log.head, log.definition) == ([5, 9], 10, {})
    # How far it went before is not known; between its own messages two are missing.
    assert log.lost == [(7, 8)]
    assert state.next_id == 8


def test_records_that_the_catalog_has_already_are_not_taken_twice() -> None:
    state = replayed(log_entry(1), fill(1, 1, 5), fill(1, 1, 5), fill(1, 6, 1))
    assert [(run.first, run.messages, run.last) for run in state.logs[1].runs] == [(1, 5, 5), (6, 1, 6)]


@pytest.mark.parametrize(
    ("definition", "name"),
    [
        ({"name": "orders"}, "orders"),
        ({"pattern": "a.#"}, "a.#"),
        ({"kind": "level", "queue": "orders", "level": 9}, "orders"),
        ({}, "log 4"),
    ],
)
def test_a_log_is_called_as_people_call_it(definition: dict[str, Any], name: str) -> None:
    assert LogPlaces(4, definition).name == name
