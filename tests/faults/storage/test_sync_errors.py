"""A write or a sync fails: nothing of that batch is confirmed, and nothing confirmed is lost (faults 15, 16)."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from segue.storage.api import DiskFailureError, Store
from tests.faults.storage.driver import only, read_all, record, run_store
from tests.faults.storage.simulated_disk import Call, SimulatedDisk


@pytest.fixture
def disk(tmp_path: Path) -> SimulatedDisk:
    return SimulatedDisk(tmp_path)


def eio(call: Call) -> OSError:
    return OSError(errno.EIO, os.strerror(errno.EIO), call.path)


async def publish_two(store: Store) -> None:
    log = store.create_log({})
    store.create_cursor(log, {})
    log.append(record("first"))
    log.append(record("second"))
    await store.next_commit()


async def publish_into_a_failing_disk(store: Store) -> None:
    confirmed: list[str] = []
    log, _ = only(store)
    disk = store.disk
    assert isinstance(disk, SimulatedDisk)
    disk.fault = lambda call: eio(call) if call.what == "write_sync" else None
    log.append(record("third"))
    store.on_durable(lambda: confirmed.append("third"))
    store.flush()
    try:
        await store.next_commit()
    finally:
        assert confirmed == [], "a batch whose sync has failed is not confirmed"


def failures(error: BaseException) -> list[BaseException]:
    """The leaves of an exception group."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in failures(each)]
    return [error]


async def bodies(store: Store) -> list[bytes]:
    _, cursor = only(store)
    return [data for _, data in await read_all(cursor)]


def test_a_failed_sync_confirms_nothing_and_ends_the_store(disk: SimulatedDisk) -> None:
    """Fault 15."""
    run_store(disk, publish_two)
    with pytest.raises(BaseExceptionGroup) as caught:
        run_store(disk, publish_into_a_failing_disk)
    assert [type(leaf) for leaf in failures(caught.value)] == [DiskFailureError]


def test_after_a_failed_sync_the_next_start_has_all_that_was_confirmed(disk: SimulatedDisk) -> None:
    """Fault 15: whether the batch that failed is there or not."""
    run_store(disk, publish_two)
    with pytest.raises(BaseExceptionGroup):
        run_store(disk, publish_into_a_failing_disk)
    disk.fault = lambda call: None
    assert run_store(disk, bodies)[:2] == [record("first"), record("second")]


def test_a_disk_that_never_syncs_confirms_nothing_in_any_start(disk: SimulatedDisk) -> None:
    """Fault 16: each start serves what was confirmed before, and ends at its first batch."""
    run_store(disk, publish_two)
    for _ in range(3):
        with pytest.raises(BaseExceptionGroup):
            run_store(disk, publish_into_a_failing_disk)
    disk.fault = lambda call: None
    assert run_store(disk, bodies) == [record("first"), record("second")]


def test_a_catalog_commit_of_unknown_outcome_ends_the_store_and_loses_nothing(disk: SimulatedDisk) -> None:
    """The segments of the checkpoint stay: the catalog may name them after all."""
    run_store(disk, publish_two)

    async def checkpoint_that_fails(store: Store) -> None:
        log, _ = only(store)
        for number in range(30):
            log.append(record(f"{number}", 300))
        await store.next_commit()
        disk.fault = lambda call: eio(call) if call == ("commit", "catalog.db") else None
        await store.checkpoint()

    with pytest.raises(BaseExceptionGroup) as caught:
        run_store(disk, checkpoint_that_fails)
    assert DiskFailureError in map(type, failures(caught.value))
    assert [name for name in disk.list("segments/1") if name.endswith(".db")]
    disk.fault = lambda call: None
    assert len(run_store(disk, bodies)) == 32


def test_after_a_commit_of_unknown_outcome_the_catalog_is_not_written_again(disk: SimulatedDisk) -> None:
    """A clean stop that was about to begin would have counted rows from before a commit that is there after all."""
    run_store(disk, publish_two)
    told: list[str] = []

    def fail_once(call: Call) -> OSError | None:
        if call != ("commit", "catalog.db"):
            return None
        disk.fault = lambda call: None
        return eio(call)

    async def checkpoint_and_stop(store: Store) -> None:
        log, _ = only(store)
        log.append(record("third"))
        await store.next_commit()
        disk.commit_lands = True
        disk.fault = fail_once
        try:
            await store.checkpoint()
        except OSError as error:
            told.append(str(error))

    with pytest.raises(BaseExceptionGroup) as caught:
        run_store(disk, checkpoint_and_stop)
    assert {type(leaf) for leaf in failures(caught.value)} == {DiskFailureError}
    assert told == ["catalog.db: [Errno 5] Input/output error: 'catalog.db'"], "no checkpoint, and it is said"
    assert len(run_store(disk, bodies)) == 3


def test_a_slow_disk_holds_confirmations_back_and_the_batch_grows_meanwhile(disk: SimulatedDisk) -> None:
    """Fault 20, on the level of storage: the event loop goes on, and what gathers goes with one write."""

    async def body(store: Store) -> tuple[int, list[int]]:
        await publish_two(store)
        log, _ = only(store)
        confirmed: list[int] = []
        disk.gate.clear()
        for number in range(100):
            log.append(record(f"{number}"))
            store.on_durable(lambda number=number: confirmed.append(number))  # type: ignore[misc]
            store.flush()
        assert confirmed == []
        syncs = store.journal.syncs
        disk.gate.set()
        await store.next_commit()
        return store.journal.syncs - syncs, confirmed

    syncs, confirmed = run_store(disk, body)
    assert confirmed == list(range(100))
    assert syncs == 2, "the one under way, and one for all that came meanwhile"
