"""Plays a list of operations against a store on a simulated disk and against the model, through crashes and starts."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import trio
from hypothesis import strategies as st

from segue.storage.api import Cursor, Log, Store
from segue.storage.log import RECORD_OVERHEAD
from tests.faults.storage.driver import OPTIONS, read_all, record, run_store
from tests.faults.storage.simulated_disk import CrashModel, SimulatedDisk
from tests.property.lives import Lives
from tests.property.operation import Operation, operation_lists
from tests.property.storage.model import CursorModel, LogModel, Model, State

__all__ = ["World", "operations", "set_aside", "unread"]

SIZES = (0, 10, 300, 3000, 20_000)
"""Of bodies. The last ones make a block each, and a batch of a few of them fills a journal file."""


def operations(max_size: int = 50) -> st.SearchStrategy[list[Operation]]:
    """Lists of operations on a store with a log and some messages in it.

    Those on messages come more often than those on logs, and crashes now and then.
    """
    message = [
        "append",
        "append",
        "append_many",
        "append_to",
        "read",
        "read",
        "settle",
        "settle",
        "return",
        "take_returned",
    ]
    other = ["create_log", "create_cursor", "drop_cursor", "drop_log", "skip", "move", "move", "browse", "checkpoint"]
    wait = ["flush", "wait", "wait", "breathe"]
    end = ["crash", "crash_soon", "stop", "checkpoint_and_crash"]
    begin = [Operation("create_log"), Operation("append_many", amount=9, seed=2), Operation("wait")]
    return operation_lists(
        message, message, message, other, wait, wait, end, begin=begin, max_size=max_size, amount_max=30
    )


class World(Lives):
    """A store, its disk and its model.

    Attributes:
        damaged: bytes of a segment were changed behind the store's back.
    """

    def __init__(self, root: Path, **options: Any) -> None:
        super().__init__(root, **options)
        self.model = Model()
        self._serial = 0
        self._held: dict[str, dict[int, int]] = {}
        self.damaged = False

    def play_until(self, call: int, steps: list[Operation], crash: Operation) -> bool:
        """Play, and let the power go off at a call of the disk. False when there were not so many calls."""
        self.disk.crash_at = call
        self.disk.commit_lands = crash.seed % 2 == 0
        self._dying = crash
        self.play(steps)
        return self._lives > 0

    def play_crashing_starts(self, steps: list[Operation], model: CrashModel, starts: int) -> None:
        """Play, crash, and crash again at call 0, 1, 2 … of the starts that follow."""
        crash = Operation("crash", which=1, crash=model)
        self._steps.extend([*steps, crash])
        self._run(self._live)
        for call in range(starts):
            self._after_crash(replace(crash, seed=call))
            self.disk.crash_at = call
            self.disk.commit_lands = call % 3 == 0
            self._run(self._last_life)
        self._after_crash(crash)
        assert self._run(self._last_life)

    def play_and_cut_everywhere(self, steps: list[Operation]) -> None:
        """Play; then start with the journal as it was after each batch behind the last checkpoint."""
        ends: list[tuple[int, int]] = []

        async def live(store: Store) -> None:
            self._store = store
            await self._begin()
            for operation in steps:
                await getattr(self, f"_{operation.what}")(operation)
                await self._wait(operation)
                ends.append((store.journal.position, self.model.confirmed))
            ends[:] = [(end, moment) for end, moment in ends if end >= store.checkpointer._catalog.lsn]
            self.disk.crash_at = len(self.disk.calls)

        run_store(self.disk, live, OPTIONS, **self._options)
        whole = self.disk.materialise(self._root / "whole", "synced", random.Random(0))
        moments = self.model.moments
        for number, (end, moment) in enumerate(ends):
            cut = whole.copy(self._root / f"cut-{number}")
            for path in cut.root.glob("journal/0*.journal"):
                keep = max(0, end - int(path.name.split(".")[0], 16))
                data = path.read_bytes()
                path.write_bytes(data[:keep].ljust(len(data), b"\0"))
            self.model.moments, self.model.confirmed = moments[moment : moment + 1], 0
            self.model.logs = moments[moment]
            assert run_store(SimulatedDisk(cut.root), self._last_life, OPTIONS, **self._options)

    # -- comparing

    async def _begin(self) -> None:
        """Look at everything in a store that was just opened, and go on from there."""
        store = self._store
        self._held = {}
        found: State = {}
        for log in store.logs.values():
            records = await self._records_of(log)
            cursors = {}
            for cursor in log.cursors:
                owed = {*cursor.returned, *set_aside(cursor), *unread(cursor)}
                cursors[cursor.definition["name"]] = {seq: records[seq] for seq in sorted(owed) if seq in records}
            found[log.definition["name"]] = log.head, log.definition.get("version", 0), cursors
        self.model.settle_on(found)
        for cursor in store.cursors.values():
            model = self._model_of(cursor)
            model.returned = set(cursor.returned)
            model.given = cursor.next - 1
            self._check_flags(cursor, model)
            model.handed |= model.returned
            model.aside = set_aside(cursor)
        self.model.start_again()  # with what was found: a crash may come before anything else is confirmed
        if self.model.sum_of_heads % 2:
            await self._take_everything()
        await self._wait(Operation("wait"))

    async def _records_of(self, log: Log) -> dict[int, bytes]:
        """Every record of a log that is still there, without taking it."""
        found = {seq: data for seq in range(1, log.head) if (data := log.find(seq)) is not None}
        seq = 1
        while seq < log.ram_first:
            part = await log.store.reader.read_range(log, seq, log.ram_first, 4096)
            for first, last, _ in part.damage:
                assert self.damaged, "nobody has touched its bytes"
                found |= {n: self.model.record(log.definition["name"], n) for n in range(first, last + 1)}
            found |= {first + n: data for first, records in part.runs for n, data in enumerate(records)}
            seq = part.upto
        return found

    def _check_flags(self, cursor: Cursor, model: CursorModel) -> None:
        """What may be a repeat says so, and how often it was delivered is not forgotten."""
        for seq in model.handed & model.owed(cursor.log.head):
            assert cursor.returned.get(seq, 0) > 0 or seq < cursor.maybe, f"message {seq} hides a repeat"
        for seq, deliveries in model.counts.items():
            if seq not in model.settled | set_aside(cursor):
                known = cursor.returned.get(seq, 0)
                if self.damaged and known == 1:
                    model.counts[seq] = 1  # what comes back from quarantine begins to count anew
                else:
                    assert known >= deliveries, f"deliveries of {seq} are forgotten: {known} of {deliveries}"

    async def _take_everything(self) -> None:
        """Read all that is owed the way a consumer does, and give it back."""
        for cursor in self._store.cursors.values():
            model = self._model_of(cursor)
            returned = sorted(cursor.returned)
            taken = await read_all(cursor)
            seqs = [seq for seq, _ in taken]
            aside = self._look_aside(cursor, model)
            readable = model.owed(cursor.log.head) - aside
            assert seqs == [n for n in returned if n not in aside] + sorted(readable - set(returned)), (
                "returned ones first, in order"
            )
            known = self.model.logs[cursor.log.definition["name"]].records
            assert [data for _, data in taken] == [known[seq - 1] for seq in seqs]
            cursor.give_back(cursor.out.pop())
            model.returned = readable
            model.counts = dict(cursor.returned)
            model.given = cursor.next - 1
            model.handed |= model.returned
            self.model.mark()

    def _look_aside(self, cursor: Cursor, model: CursorModel) -> set[int]:
        """Take note of what was found damaged since the last look."""
        aside = set_aside(cursor)
        found = aside - model.aside
        assert self.damaged or not found, "nobody has touched its bytes"
        assert not found & (model.settled | model.out), "what is done or out is not looked at"
        assert model.aside <= aside
        model.aside = aside
        model.returned -= aside
        return aside

    def _model_of(self, cursor: Cursor) -> CursorModel:
        return self.model.logs[cursor.log.definition["name"]].cursors[cursor.definition["name"]]

    # -- choosing

    def _log(self, operation: Operation) -> Log | None:
        logs = list(self._store.logs.values())
        return logs[operation.which % len(logs)] if logs else None

    def _cursor(self, operation: Operation) -> Cursor | None:
        cursors = list(self._store.cursors.values())
        return cursors[operation.which % len(cursors)] if cursors else None

    def _body(self, operation: Operation) -> bytes:
        self._serial += 1
        return record(f"{self._serial}", SIZES[operation.seed % len(SIZES)])

    def _name(self) -> str:
        self._serial += 1
        return f"n{self._serial}"

    # -- operations

    async def _create_log(self, operation: Operation) -> None:
        if len(self._store.logs) < 5:
            name, cursor_name = self._name(), self._name()
            log = self._store.create_log({"name": name})
            self._store.create_cursor(log, {"name": cursor_name})
            self.model.logs[name] = LogModel(cursors={cursor_name: CursorModel(1)})
            self.model.mark()

    async def _create_cursor(self, operation: Operation) -> None:
        log = self._log(operation)
        if log is not None and len(log.cursors) < 3:
            name = self._name()
            model = self.model.logs[log.definition["name"]]
            # At the start it may or may not see what others have settled: see docs/formats/journal.md.
            cursor = self._store.create_cursor(log, {"name": name}, at_head=True)
            if operation.amount % 2:
                self._append_one(log, operation)
            assert cursor.next == model.head or operation.amount % 2
            model.cursors[name] = CursorModel(cursor.next)
            self.model.mark()

    async def _drop_cursor(self, operation: Operation) -> None:
        cursor = self._cursor(operation)
        if cursor is not None:
            del self.model.logs[cursor.log.definition["name"]].cursors[cursor.definition["name"]]
            self._store.drop_cursor(cursor)
            self.model.mark()

    async def _drop_log(self, operation: Operation) -> None:
        log = self._log(operation)
        if log is not None:
            if operation.amount % 2:
                log.append(self._body(operation))
            del self.model.logs[log.definition["name"]]
            self._store.drop_log(log)
            self.model.mark()

    def _append_one(self, log: Log, operation: Operation) -> None:
        data = self._body(operation)
        model = self.model.logs[log.definition["name"]]
        assert log.append(data) == model.head, "numbers have no gap"
        model.records.append(data)

    async def _append(self, operation: Operation) -> None:
        log = self._log(operation)
        if log is not None:
            self._append_one(log, operation)
            self.model.mark()

    async def _append_many(self, operation: Operation) -> None:
        for number in range(operation.amount):
            log = self._log(Operation("", operation.which + number % 3))
            if log is not None:
                self._append_one(log, operation)
        self.model.mark()

    async def _append_to(self, operation: Operation) -> None:
        logs = tuple(self._store.logs.values())[: operation.amount]
        if len(logs) > 1:
            for _ in range(operation.which + 1):
                data = self._body(operation)
                self._store.append_to(logs, data)
                for log in logs:
                    self.model.logs[log.definition["name"]].records.append(data)
            self.model.mark()

    async def _read(self, operation: Operation) -> None:
        cursor = self._cursor(operation)
        if cursor is None or cursor.returned:
            return
        model = self._model_of(cursor)
        first, records = cursor.read(operation.amount)
        for seq, data in enumerate(records, first):
            assert data == self.model.logs[cursor.log.definition["name"]].records[seq - 1], "byte for byte"
            assert seq > model.given, "first deliveries rise strictly"
            assert seq not in model.settled
            model.given = seq
            self._hand_out(cursor, model, seq, 1)

    async def _take_returned(self, operation: Operation) -> None:
        cursor = self._cursor(operation)
        if cursor is not None and (taken := cursor.take_returned()) is not None:
            seq, deliveries, data = taken
            model = self._model_of(cursor)
            self._look_aside(cursor, model)
            assert seq == min(model.returned), "the lowest comes first"
            assert data == self.model.logs[cursor.log.definition["name"]].records[seq - 1]
            model.returned.discard(seq)
            self._hand_out(cursor, model, seq, deliveries + 1)

    def _hand_out(self, cursor: Cursor, model: CursorModel, seq: int, deliveries: int) -> None:
        assert seq < cursor.log.durable, "delivered means synced"
        if not any(container is self._held.get(cursor.definition["name"]) for container in cursor.out):
            held = self._held[cursor.definition["name"]] = {}
            cursor.out.append(held)
        self._held[cursor.definition["name"]][seq] = deliveries
        model.out.add(seq)
        model.handed.add(seq)

    async def _settle(self, operation: Operation) -> None:
        cursor = self._cursor(operation)
        if cursor is not None:
            model = self._model_of(cursor)
            seqs = self._choose(cursor, operation)
            cursor.settle(seqs)
            model.settled.update(seqs)
            self.model.mark()

    async def _return(self, operation: Operation) -> None:
        cursor = self._cursor(operation)
        if cursor is not None:
            model = self._model_of(cursor)
            held = dict(self._held.get(cursor.definition["name"], {}))
            seqs = self._choose(cursor, operation)
            cursor.give_back({seq: held[seq] for seq in seqs})
            model.returned.update(seqs)
            model.counts |= {seq: held[seq] for seq in seqs}
            self.model.mark()

    def _choose(self, cursor: Cursor, operation: Operation) -> list[int]:
        """Some of what is out, in some order, taken from where it is kept."""
        held = self._held.get(cursor.definition["name"], {})
        rng = random.Random(operation.seed)
        seqs = rng.sample(sorted(held), min(operation.amount, len(held)))
        for seq in seqs:
            del held[seq]
        self._model_of(cursor).out.difference_update(seqs)
        return seqs

    async def _skip(self, operation: Operation) -> None:
        cursor = self._cursor(operation)
        if cursor is not None:
            model = self._model_of(cursor)
            upto = min(cursor.log.durable, cursor.next + operation.amount * 3)
            skipped = [seq for seq in unread(cursor) if seq < upto]
            waiting = list(cursor.returned)
            cursor.drop_returned(waiting)
            assert cursor.skip_to(upto) == len(skipped)
            model.settled.update(skipped, waiting)
            model.returned.clear()
            model.given = max(model.given, upto - 1)
            self.model.mark()

    async def _move(self, operation: Operation) -> None:
        """Some that are unread, from anywhere in one log, go to the end of another or of the same."""
        cursor, log = self._cursor(operation), self._log(Operation("", operation.which + operation.seed))
        if cursor is None or log is None:
            return
        name = cursor.log.definition["name"]
        there = [seq for seq in unread(cursor) if seq < cursor.log.durable]
        if operation.seed % 3:
            seqs = sorted(random.Random(operation.seed).sample(there, min(operation.amount, len(there))))
        else:
            seqs = there[operation.which :][: operation.amount]
        for seq in seqs:
            data = self.model.record(name, seq)
            log.append(data)
            self.model.logs[log.definition["name"]].records.append(data)
        cursor.settle_ahead(seqs)
        model = self._model_of(cursor)
        model.settled.update(seqs)
        self.model.mark()

    async def _browse(self, operation: Operation) -> None:
        log = self._log(operation)
        if log is not None:
            part = await self._store.reader.read_range(log, operation.amount, 1 << 40, 4096)
            known = self.model.logs[log.definition["name"]].records
            assert self.damaged or not part.damage
            for first, records in part.runs:
                assert records == known[first - 1 : first - 1 + len(records)]

    async def _flush(self, operation: Operation) -> None:
        """Somebody waits, but the world goes on."""
        moment = self.model.mark()
        self._store.on_durable(lambda: self.model.confirm(moment))
        self._store.flush()

    async def _wait(self, operation: Operation) -> None:
        moment = self.model.mark()
        durable = trio.Event()
        self._store.on_durable(lambda: self.model.confirm(moment))
        self._store.on_durable(durable.set)
        self._store.flush()
        await durable.wait()
        self._check_counts()

    async def _breathe(self, operation: Operation) -> None:
        """Let reads from disk and lazy commits come round."""
        self._store.flush()
        await trio.sleep(0.001 * (operation.amount % 3))

    def _check_counts(self) -> None:
        """Each message of a cursor is in one state, and the counts add up."""
        store = self._store
        for cursor in store.cursors.values():
            model = self._model_of(cursor)
            aside = self._look_aside(cursor, model)
            assert set(cursor.returned) == model.returned
            assert set(cursor.holes()) == model.returned | model.out
            assert cursor.unread == sum(1 for seq in unread(cursor) if seq < cursor.log.durable)
            assert cursor.waiting == len(model.returned) + len(unread(cursor))
            owed = model.owed(self.model.logs[cursor.log.definition["name"]].head)
            assert {seq for seq in owed if seq < cursor.next} == model.returned | model.out | aside
        if not store.checkpointer.under_way:  # that may hold what was deleted meanwhile
            sizes = [len(record) + RECORD_OVERHEAD for log in store.logs.values() for record in log.hot.values()]
            assert store.hot_bytes == sum(sizes), "the memory of records is counted right"


def unread(cursor: Cursor) -> list[int]:
    """What was never handed out, and not moved away either."""
    return [seq for seq in range(cursor.next, cursor.log.head) if cursor.gaps is None or seq not in cursor.gaps]


def set_aside(cursor: Cursor) -> set[int]:
    """What is in quarantine."""
    return {seq for first, last, _ in cursor.quarantined for seq in range(first, last + 1)}
