"""A broker and its clients in a few data structures, which write random histories: right ones, or wrong on purpose.

Everything that makes a history hard to judge is in it: what is under way in a socket when a side dies, requests that
are done but not confirmed, a broker that notices late that a client has gone, one that closes a connection whose client
still reads from its buffer, batches that are lost because they were not synced. A `Flaw` breaks one promise; a history
with a flaw that showed must be found guilty, and one without any must be found right.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Literal

from tests.helpers.history.events import Event
from tests.helpers.history.story import Story

__all__ = ["Flaw", "simulate"]

_QUEUES = ("q", "r")
_PREFETCH = 3


class Flaw(Enum):
    """One promise that the simulated broker breaks."""

    CONFIRMS_BEFORE_THE_SYNC = auto()
    FORGETS_ACKS_AT_A_CRASH = auto()
    FORGETS_FLAGS_AT_A_CRASH = auto()
    RETURNS_TO_THE_END = auto()
    HANDS_OUT_TWICE = auto()
    DELIVERS_ABORTED = auto()
    TEARS_TRANSACTIONS_AT_A_CRASH = auto()
    SKIPS_THE_HEAD = auto()
    DROPS_RETURNED = auto()
    FLIPS_A_BIT = auto()
    RESETS_COUNTS_AT_A_CRASH = auto()


@dataclass(eq=False, slots=True)
class _Stored:
    """A message in the broker."""

    name: str
    queue: str
    place: float
    state: Literal["unread", "out", "returned", "settled"] = "unread"
    was_out: bool = False
    count: int = 0


@dataclass(eq=False, slots=True)
class _Link:
    """A connection: both directions of its socket, and what each side knows."""

    name: str
    queue: str | None = None
    to_broker: deque[Callable[[], None]] = field(default_factory=deque)
    to_client: deque[Callable[[], None]] = field(default_factory=deque)
    out: dict[str, _Stored] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)
    pending: dict[str, list[Callable[[], None]]] = field(default_factory=dict)
    transaction: str | None = None
    client_left: bool = False
    leaving: bool = False


def simulate(seed: int, *, steps: int = 250, flaw: Flaw | None = None) -> list[Event]:
    """Let clients and a broker do `steps` random things, then drain every queue, and return the history."""
    simulation = _Simulation(random.Random(seed), flaw)
    for _ in range(steps):
        simulation.step()
    simulation.drain()
    return simulation.story.events


class _Simulation:
    def __init__(self, chance: random.Random, flaw: Flaw | None) -> None:
        self.story = Story()
        self.chance = chance
        self.flaw = flaw
        self.links: list[_Link] = []
        self.stored: list[_Stored] = []
        self.batch: list[tuple[Callable[[], None], Callable[[], None]]] = []
        self.names = 0
        self.good_byes: list[tuple[_Link, Callable[[], None]]] = []
        self.story.broker_started()

    def step(self) -> None:
        self.chance.choices(
            [
                self.open,
                self.request,
                self.process,
                self.sync,
                self.dispatch,
                self.read,
                self.read_good_bye,
                self.leave,
                self.disconnect,
                self.close_in_peace,
                self.crash,
            ],
            [4, 40, 40, 15, 40, 40, 10, 2, 2, 1, 1],
        )[0]()

    def name(self, prefix: str) -> str:
        self.names += 1
        return f"{prefix}{self.names}"

    # Clients -----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        if len(self.links) >= 5:
            return
        link = _Link(self.name("c"))
        self.links.append(link)
        self.story.opened(link.name)
        if self.chance.random() < 0.7:
            self.subscribe(link, self.chance.choice(_QUEUES))

    def subscribe(self, link: _Link, queue: str) -> None:
        self.story.subscribed_to(link.name, queue)
        link.to_broker.append(lambda: setattr(link, "queue", queue))

    def some_link(self) -> _Link | None:
        alive = [link for link in self.links if not link.client_left]
        return self.chance.choice(alive) if alive else None

    def request(self) -> None:
        link = self.some_link()
        if link is None or link.leaving:
            return
        actions = [self.send, self.send, self.send, self.begin_or_end]
        if link.held:
            actions += [self.ack] * 4 + [self.nack]
        self.chance.choice(actions)(link)

    def send(self, link: _Link) -> None:
        message, queue, transaction = self.name("m"), self.chance.choice(_QUEUES), link.transaction
        self.story.sent(link.name, message, queue=queue, transaction=transaction)
        stored = _Stored(message, queue, 0)

        def apply() -> None:
            stored.place = len(self.stored)
            self.stored.append(stored)

        if transaction is not None:
            link.to_broker.append(lambda: link.pending[transaction].append(apply))
        else:
            confirm = self.answer(link, lambda: self.story.confirmed(link.name, message))
            link.to_broker.append(lambda: self.batch.append((apply, confirm)))

    def ack(self, link: _Link) -> None:
        message, transaction = link.held.pop(0), link.transaction
        self.story.ack_sent(link.name, message, transaction=transaction)

        def apply() -> None:
            if (stored := link.out.pop(message, None)) is not None:  # twice in the hands of one, by a flaw
                stored.state = "settled"

        if transaction is not None:
            link.to_broker.append(lambda: link.pending[transaction].append(apply))
        else:
            confirm = self.answer(link, lambda: self.story.ack_confirmed(link.name, message))
            link.to_broker.append(lambda: self.batch.append((apply, confirm)))

    def nack(self, link: _Link) -> None:
        message = link.held.pop(0)
        self.story.nack_sent(link.name, message)
        confirm = self.answer(link, lambda: self.story.nack_confirmed(link.name, message))

        def process() -> None:
            if (stored := link.out.pop(message, None)) is not None:
                self.give_back(stored)
            confirm()

        link.to_broker.append(process)

    def begin_or_end(self, link: _Link) -> None:
        if link.transaction is None:
            transaction = link.transaction = self.name("t")
            link.to_broker.append(lambda: link.pending.update({transaction: []}))
            return
        transaction, link.transaction = link.transaction, None
        commits = self.chance.random() < 0.7
        self.story.ending(link.name, transaction, "commit" if commits else "abort")
        confirm = self.answer(link, lambda: self.story.transaction_confirmed(link.name, transaction))
        link.to_broker.append(lambda: self.end_transaction(link, transaction, commits, confirm))

    def read(self) -> None:
        link = self.some_link()
        if link is not None and link.to_client:
            link.to_client.popleft()()

    def leave(self) -> None:
        link = self.some_link()
        if link is not None and not link.leaving:
            self.story.left(link.name)
            link.client_left = True
            link.to_broker.append(lambda: self.forget(link))

    def disconnect(self) -> None:
        """Leave in order; what comes until the receipt is read and not answered."""
        link = self.some_link()
        if link is None or link.leaving:
            return
        link.leaving = True
        self.story.leaving(link.name)

        def received() -> None:
            self.story.left(link.name, settled=True)
            link.client_left = True

        def process() -> None:
            self.forget(link)
            self.good_byes.append((link, received))

        link.to_broker.append(process)

    def read_good_bye(self) -> None:
        """The broker has forgotten the connection; its client reads on, to the receipt."""
        if self.good_byes:
            link, received = self.good_byes.pop(0)
            while link.to_client:
                link.to_client.popleft()()
            received()

    # The broker --------------------------------------------------------------------------------------------------

    def answer(self, link: _Link, received: Callable[[], None]) -> Callable[[], None]:
        return lambda: None if link.client_left else link.to_client.append(received)

    def process(self) -> None:
        busy = [link for link in self.links if link.to_broker]
        if busy:
            self.chance.choice(busy).to_broker.popleft()()

    def end_transaction(self, link: _Link, transaction: str, commits: bool, confirm: Callable[[], None]) -> None:
        parts = link.pending.pop(transaction)
        if not commits and self.flaw is not Flaw.DELIVERS_ABORTED:
            self.batch.append((lambda: None, confirm))
            return

        def apply() -> None:
            for part in parts:
                part()

        if self.flaw is Flaw.TEARS_TRANSACTIONS_AT_A_CRASH:
            self.batch += [(part, lambda: None) for part in parts] + [(lambda: None, confirm)]
        else:
            self.batch.append((apply, confirm))

    def sync(self) -> None:
        batch, self.batch = self.batch, []
        for apply, confirm in batch:
            apply()
            confirm()

    def give_back(self, stored: _Stored) -> None:
        stored.state = "returned"
        if self.flaw is Flaw.RETURNS_TO_THE_END:
            stored.place, stored.state = len(self.stored) + self.names, "unread"
        if self.flaw is Flaw.DROPS_RETURNED:
            stored.state = "settled"

    def dispatch(self) -> None:
        ready = [link for link in self.links if link.queue is not None and len(link.out) < _PREFETCH]
        if not ready:
            return
        link = self.chance.choice(ready)
        stored = self.next_of(link.queue)
        if stored is None:
            return
        flagged, stored.was_out, stored.state = stored.was_out, True, "out"
        stored.count += 1
        if self.flaw is Flaw.HANDS_OUT_TWICE and self.chance.random() < 0.2:
            stored.state = "unread"
        link.out[stored.name] = stored
        if not link.client_left:
            link.to_client.append(self.delivery(link, stored, flagged))

    def next_of(self, queue: str | None) -> _Stored | None:
        owed = [s for s in self.stored if s.queue == queue and s.state in ("unread", "returned")]
        owed.sort(key=lambda stored: stored.place)
        if self.flaw is Flaw.SKIPS_THE_HEAD and len(owed) > 1:
            return owed[1]
        return owed[0] if owed else None

    def delivery(self, link: _Link, stored: _Stored, flagged: bool) -> Callable[[], None]:
        count = stored.count
        flipped = self.flaw is Flaw.FLIPS_A_BIT and self.chance.random() < 0.1

        def received() -> None:
            link.held.append(stored.name)
            digest = "flipped" if flipped else stored.name
            self.story.delivered(
                link.name, stored.name, queue=stored.queue, digest=digest, redelivered=flagged, count=count
            )

        return received

    def forget(self, link: _Link) -> None:
        """Notice that a connection is over: what was received is done, what is out goes back."""
        self.sync()
        self.links.remove(link)
        for stored in link.out.values():
            self.give_back(stored)

    def close_in_peace(self) -> None:
        """The broker ends a connection; its client reads what is in its buffer, some time later."""
        link = self.some_link()
        if link is None:
            return
        link.to_broker.clear()
        self.forget(link)
        for _ in range(self.chance.randrange(30)):
            self.chance.choice([self.process, self.dispatch, self.read, self.sync])()
        self.read_rest(link)

    def read_rest(self, link: _Link) -> None:
        for _ in range(self.chance.randint(0, len(link.to_client))):
            link.to_client.popleft()()
        self.story.lost(link.name, leaving=link.leaving)

    # Crashes -----------------------------------------------------------------------------------------------------

    def crash(self) -> None:
        began = self.story.now()
        if self.flaw is Flaw.CONFIRMS_BEFORE_THE_SYNC:
            for _, confirm in self.batch:
                confirm()
        self.lose_part_of_the_batch()
        for link in [*self.links, *(link for link, _ in self.good_byes)]:
            if not link.client_left:
                self.read_rest(link)
        self.links, self.good_byes = [], []
        self.story.broker_killed(began)
        self.recover()
        self.story.broker_started()

    def lose_part_of_the_batch(self) -> None:
        """A sync that was under way may be done or not; in a wrong broker, in part."""
        done = self.chance.random() < 0.5
        if self.flaw in (Flaw.CONFIRMS_BEFORE_THE_SYNC, Flaw.TEARS_TRANSACTIONS_AT_A_CRASH):
            done = False
            for apply, _ in self.batch[: len(self.batch) // 2]:
                apply()
        if done:
            for apply, _ in self.batch:
                apply()
        self.batch = []

    def recover(self) -> None:
        for stored in self.stored:
            if stored.state == "settled" and self.flaw is Flaw.FORGETS_ACKS_AT_A_CRASH and self.chance.random() < 0.3:
                stored.state = "returned"
            if stored.state == "out":
                stored.state = "returned"
            if self.flaw is Flaw.FORGETS_FLAGS_AT_A_CRASH:
                stored.was_out = False
            if self.flaw is Flaw.RESETS_COUNTS_AT_A_CRASH:
                stored.count = 0

    def drain(self) -> None:
        """Crash once more, then take everything with one consumer a queue."""
        self.crash()
        for queue in _QUEUES:
            link = _Link(self.name("z"))
            self.links = [link]
            self.story.opened(link.name)
            self.subscribe(link, queue)
            link.to_broker.popleft()()
            while (stored := self.next_of(queue)) is not None:
                flagged, stored.was_out, stored.state = stored.was_out, True, "out"
                stored.count += 1
                self.delivery(link, stored, flagged)()
                self.story.acked(link.name, stored.name)
                stored.state = "settled"
            self.story.drained(link.name, queue)
            self.story.left(link.name)
