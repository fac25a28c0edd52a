"""Tests of segue.storage.store: which batches are reported, and in which order."""

from __future__ import annotations

from pathlib import Path

from segue.storage.api import Store
from tests.faults.storage.driver import record, run_store, until
from tests.faults.storage.simulated_disk import SimulatedDisk


def test_callbacks_run_in_the_order_of_their_batches_whatever_they_set_off(tmp_path: Path) -> None:
    """A receipt may set off a flush, and with it the report of the next batch: not before the rest of this one's."""
    disk = SimulatedDisk(tmp_path)

    async def body(store: Store) -> list[str]:
        log = store.create_log({})
        store.create_cursor(log, {})
        told: list[str] = []

        def first() -> None:
            told.append("first")
            store.flush()

        for _ in range(20):
            told.append("next")
            disk.gate.clear()  # the journal's thread waits for this one
            log.append(record("first"))
            store.on_durable(first)
            store.on_durable(lambda: told.append("first, too"))
            store.flush()
            log.append(record("second"))
            store.on_durable(lambda: told.append("second"))
            store.flush()
            disk.gate.set()
            await until(lambda: store.idle)
        return told

    assert run_store(disk, body, journal_file_bytes=1 << 20) == ["next", "first", "first, too", "second"] * 20


def test_what_begins_when_nothing_was_to_be_written_is_committed(tmp_path: Path) -> None:
    """Nobody else comes by for it."""

    async def body(store: Store) -> list[str]:
        log = store.create_log({})
        await store.next_commit()
        told: list[str] = []

        def begin() -> None:
            told.append("began")
            log.append(record("first"))
            store.on_durable(lambda: told.append("durable"))

        store.on_durable(lambda: store.on_durable(begin))
        store.flush()
        await until(lambda: store.idle)
        return told

    assert run_store(SimulatedDisk(tmp_path), body) == ["began", "durable"]


def test_a_probe_waits_for_the_disk_though_there_is_nothing_to_write(tmp_path: Path) -> None:
    disk = SimulatedDisk(tmp_path)

    async def probe(store: Store) -> tuple[int, int]:
        before = store.journal.syncs
        await store.probe()
        await store.probe()
        store.create_log({"after": "probes"})
        await store.next_commit()
        return before, store.journal.syncs

    before, after = run_store(disk, probe)
    assert after == before + 3

    async def read(store: Store) -> list[object]:
        return [log.definition.get("after") for log in store.logs.values()]

    assert run_store(disk, read) == ["probes"]
