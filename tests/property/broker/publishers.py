"""Publishers that repeat themselves, over a store on a simulated disk, through crashes; and what they must be told.

The model is a list for each queue: every message that it has accepted, with what makes it a repeat. Messages are
numbered without gaps, so after a crash the head of the queue's log tells which of them are there: all that were
confirmed, and no later one without those before it. What is remembered must be what these say, no more and no less.

Messages for later are sent to a queue of their own, all for one time that does not come: so they are in one log of the
schedule, whose numbers their names end in.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hypothesis import strategies as st

from segue.broker.composite import Composite
from segue.broker.deduplication import Acceptance, DeduplicationId, Identity, OnceSend, ProducerNumber
from segue.broker.deduplication.acceptance import RecallPendingError
from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from segue.broker.schedule.delayed import Delayed, When
from segue.broker.schedule.scheduled_message import ScheduleId
from tests.faults.storage.driver import until
from tests.property.broker.broker_lives import BrokerLives
from tests.property.operation import Operation, operation_lists
from tests.unit.broker.actors import FakeOutput, record
from tests.unit.broker.deduplication.actors import Publisher

__all__ = ["Publishers", "publisher_operations", "windows"]

NAMES = ("a", "b")
LATER = "later"
_IDS = 40
_PRODUCERS = 3
_STEPS_SECONDS = (0.001, 0.05, 0.2, 1.0)


def publisher_operations(max_size: int) -> st.SearchStrategy[list[Operation]]:
    """Lists of operations: what publishers do, what time and the disk do, and ends."""
    publish = ["publish", "publish", "publish", "number", "both", "later", "transaction"]
    others = ["plain", "purge", "pass_time", "forget", "checkpoint", "wait", "wait"]
    end = ["crash", "crash", "crash_soon", "checkpoint_and_crash", "stop"]
    return operation_lists(publish, publish, publish, others, end, max_size=max_size)


def windows() -> st.SearchStrategy[QueueOptions]:
    """Options of the queues."""
    return st.builds(
        QueueOptions,
        deduplication_window_ms=st.sampled_from([None, None, 300]),
        deduplication_ids_max=st.sampled_from([None, None, 1, 6, 25]),
    )


@dataclass(frozen=True)
class Sent:
    """What makes a message a repeat: its id, or the number that a producer gave it; nothing, if both are empty."""

    id: str = ""
    producer: str = ""
    number: int = 0

    @property
    def identity(self) -> Identity:
        """As the broker has it."""
        return ProducerNumber(self.producer, self.number) if self.producer else DeduplicationId(self.id)


@dataclass
class Accepted:
    """A message of the model. `sealed_ms`: its id was written down no later than this; None where that is not known."""

    sent: Sent
    time_ms: int
    sealed_ms: int | None = None


class Publishers(BrokerLives):
    """A broker and its model."""

    def __init__(self, root: Path, options: QueueOptions) -> None:
        super().__init__(root)
        self._queue_options = options
        self._accepted: dict[str, list[Accepted]] = {name: [] for name in NAMES}  # number n stands at n - 1
        self._accepted[LATER] = []
        self._confirmed = dict.fromkeys((*NAMES, LATER), 0)
        self._due_ms = self.clock.now_ms() + 50_000_000_000
        self._unheard: Callable[[], None] | None = None

    async def _begin(self) -> None:
        self._hear_all()
        self._start_node()
        for name in (*NAMES, LATER):
            queue = self.node.declare_queue(name, options=self._queue_options)
            here = queue.log.head - 1 if name != LATER else self.node.schedule.size
            assert self._confirmed[name] <= here <= len(self._accepted[name])
            del self._accepted[name][here:]
            self._note_durable({name: here})

    async def _end(self) -> None:
        """Ask for everything."""
        await self._begin()
        for name in NAMES:
            await self._send(name, [Sent(f"{number}") for number in range(_IDS)])
            await self._send(name, [Sent(producer=f"p{number}") for number in range(_PRODUCERS)])
        await self._send_later([Sent(f"{number}") for number in range(_IDS)])
        assert self.node.schedule.size == len(self._accepted[LATER])

    # -- verbs

    async def _publish(self, operation: Operation) -> None:
        await self._send(NAMES[operation.which % 2], self._ids(operation))

    async def _number(self, operation: Operation) -> None:
        producer = f"p{operation.which % _PRODUCERS}"
        last, _ = self._last("a", producer)
        numbers = [last + step for step in random.Random(operation.seed).choices((-1, 0, 1, 2, 3), k=4)]
        await self._send("a", [Sent(producer=producer, number=max(0, number)) for number in numbers])

    async def _later(self, operation: Operation) -> None:
        await self._send_later(self._ids(operation))

    async def _send_later(self, messages: list[Sent]) -> None:
        target = Delayed(self.node, LATER, [self.node.queue(LATER)], When(time_ms=self._due_ms))
        publisher = Publisher(self, target)
        self._unheard = partial(self._hear_later, messages, publisher)
        publisher.send(*(sent.identity for sent in messages))
        await until(lambda: len(publisher.answers) == len(messages))
        self._hear_all()

    def _hear_later(self, messages: list[Sent], publisher: Publisher) -> None:
        """What of an id's name has left the window before the id itself is not told, and nothing else instead."""
        for sent, answer in zip(messages, publisher.answers, strict=False):
            name = ScheduleId.from_text(answer.schedule_id)
            assert name is not None or answer.repeat
            assert name is None or name.due_ms == self._due_ms
            self._heard(LATER, sent, repeat=answer.repeat, seq=None if name is None else name.seq, last=None)

    async def _both(self, operation: Operation) -> None:
        queues = [self.node.queue(name) for name in NAMES]
        both = Composite(self.node, "a,b", [(queue, queue.append) for queue in queues])
        for sent in self._ids(operation)[:4]:
            publisher = Publisher(self, both)
            self._unheard = partial(self._hear_both, queues, sent, publisher)
            publisher.send(sent.identity)
            await until(partial(len, publisher.answers))
            self._hear_all()

    def _hear_both(self, queues: list[Queue], sent: Sent, publisher: Publisher) -> None:
        for answer in publisher.answers:
            grown = [queue.log.head - 1 > len(self._accepted[queue.name]) for queue in queues]
            assert answer.repeat is not any(grown)
            for name, new in zip(NAMES, grown, strict=True):
                seq = answer.seq if name == "a" else None
                self._heard(name, sent, repeat=not new, seq=seq, last=None)

    async def _transaction(self, operation: Operation) -> None:
        output = FakeOutput()
        session = self.node.open_session("guest", "peer", "test", output)
        session.begin("t")
        told: list[tuple[str, Sent, Acceptance]] = []
        for number, sent in enumerate(self._ids(operation)):
            queue = self.node.queue(NAMES[number % 2])
            send = OnceSend(queue, sent.identity, partial(_tell, told, queue.name, sent))
            session.transaction("t").send(queue, send, record("x"))
        while not told:
            try:
                session.commit("t")
            except RecallPendingError as pending:
                assert not told, "a part of it has happened"
                pending.wait(output)
                await until(partial(_was_let_go, output, output.let_go_times))
        for name, sent, answer in told:
            self._heard(name, sent, repeat=answer.repeat, seq=answer.seq, last=answer.last)
        session.close()

    async def _plain(self, operation: Operation) -> None:
        name = NAMES[operation.which % 2]
        self.node.queue(name).publish(record("plain"))
        self._note(name, Sent())

    async def _purge(self, operation: Operation) -> None:
        self.node.queue(NAMES[operation.which % 2]).purge()

    async def _pass_time(self, operation: Operation) -> None:
        self.clock.advance(_STEPS_SECONDS[operation.which % len(_STEPS_SECONDS)])

    async def _forget(self, operation: Operation) -> None:
        self.node.deduplication.forget()

    async def _checkpoint(self, operation: Operation) -> None:
        counts = {name: len(accepted) for name, accepted in self._accepted.items()}
        await super()._checkpoint(operation)
        self._note_durable(counts)

    async def _wait(self, operation: Operation) -> None:
        counts = {name: len(accepted) for name, accepted in self._accepted.items()}
        await self._store.next_commit()
        self._note_durable(counts)

    async def _send(self, name: str, messages: list[Sent]) -> None:
        """Send messages, and hold the answers against the model."""
        publisher = Publisher(self, self.node.queue(name))
        self._unheard = partial(self._hear, name, messages, publisher)
        publisher.send(*(sent.identity for sent in messages))
        await until(lambda: len(publisher.answers) == len(messages))
        self._hear_all()

    def _hear(self, name: str, messages: list[Sent], publisher: Publisher) -> None:
        for sent, answer in zip(messages, publisher.answers, strict=False):
            self._heard(name, sent, repeat=answer.repeat, seq=answer.seq, last=answer.last)

    def _hear_all(self) -> None:
        """Hear what was answered, once: also what came in the moment of a crash."""
        unheard, self._unheard = self._unheard, None
        if unheard is not None:
            unheard()

    # -- the model

    def _ids(self, operation: Operation) -> list[Sent]:
        rng = random.Random(operation.seed)
        return [Sent(f"{rng.randrange(_IDS)}") for _ in range(operation.amount)]

    def _note(self, name: str, sent: Sent) -> int:
        self._accepted[name].append(Accepted(sent, self.clock.now_ms()))
        return len(self._accepted[name])

    def _note_durable(self, counts: dict[str, int]) -> None:
        """So many messages of each queue are on disk."""
        for name, count in counts.items():
            self._confirmed[name] = count
            for one in self._accepted[name][:count]:
                if one.sealed_ms is None:
                    one.sealed_ms = self.clock.now_ms()

    def _heard(self, name: str, sent: Sent, *, repeat: bool, seq: int | None, last: int | None) -> None:
        """An answer to a message: it is right, and the model is as the broker now."""
        if sent.producer:
            before, number = self._last(name, sent.producer)
            assert repeat is (sent.number <= before)
            assert last == (before if repeat else sent.number)
            if repeat:
                assert seq == (number if sent.number == before else 0)
        elif repeat:
            found = self._latest(name, sent)
            assert found is not None, "it was never accepted"
            assert not self._is_behind(self._accepted[name][found - 1]), "its time was over"
            assert seq in (None, found)
        else:
            self._check_new(name, sent)
        if not repeat:
            number = self._note(name, sent)
            assert seq is None or seq <= number  # of a list of queues, the first one's may be an older one

    def _check_new(self, name: str, sent: Sent) -> None:
        found = self._latest(name, sent)
        if found is None:
            return
        one = self._accepted[name][found - 1]
        window_ms = self._queue_options.deduplication_window_ms or 600_000
        ids_max = self._queue_options.deduplication_ids_max or 100_000
        younger = sum(1 for other in self._accepted[name][found:] if other.sent.id)
        if name == LATER:
            younger *= 2  # each takes the place of two
        is_old = self.clock.now_ms() >= one.time_ms + window_ms
        assert is_old or younger >= ids_max, "it was forgotten too early"

    def _is_behind(self, one: Accepted) -> bool:
        window_ms = self._queue_options.deduplication_window_ms or 600_000
        return one.sealed_ms is not None and self.clock.now_ms() >= one.sealed_ms + window_ms

    def _latest(self, name: str, sent: Sent) -> int | None:
        """The number of the last message with this id."""
        numbers = [number for number, one in enumerate(self._accepted[name], 1) if one.sent == sent]
        return numbers[-1] if numbers else None

    def _last(self, name: str, producer: str) -> tuple[int, int]:
        """The last number of a producer, and its message's."""
        found = [
            (one.sent.number, number)
            for number, one in enumerate(self._accepted[name], 1)
            if one.sent.producer == producer
        ]
        return found[-1] if found else (0, 0)


def _tell(told: list[tuple[str, Sent, Acceptance]], name: str, sent: Sent, answer: Acceptance) -> None:
    told.append((name, sent, answer))


def _was_let_go(output: FakeOutput, before: int) -> bool:
    return output.let_go_times > before
