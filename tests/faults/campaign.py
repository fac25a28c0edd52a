"""A load of publishers and consumers on a daemon that is killed again and again, with a history of all that they saw.

One *life* is one start of the daemon with fresh actors, each a thread with its own connections, until the daemon is
killed or stopped under them. At the end every queue is drained by one consumer, and the history is judged.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.helpers.broker_process import BrokerProcess
from tests.helpers.history.checker import Violation, check
from tests.helpers.history.events import BrokerEnded, BrokerStarted, Delivered, Event, PublishConfirmed
from tests.helpers.history.recorder import Gone, Held, RecordingClient
from tests.helpers.stomp_client import Address

__all__ = ["BUSY_STORE", "Campaign", "run_rounds"]

# Checkpoints, segments and loose rows are to happen in the seconds that a life has.
BUSY_STORE = {
    "storage.checkpoint_interval_seconds": 1,
    "storage.checkpoint_journal_bytes": "4 MiB",
    "storage.journal_file_bytes": "16 MiB",
    "storage.batch_bytes_max": "4 MiB",
    "limits.transaction_bytes_max": "8 MiB",
    "limits.body_bytes_max": "4 MiB",
    "storage.segment_bytes_min": "64 KiB",
    "storage.disk_free_bytes_min": "64 MiB",
}

# `solo` has one consumer at a time, so that its order is checked in full.
_SOLO = "/queue/solo"
_SHARED = ("/queue/shared-1", "/queue/shared-2", "/queue/shared-3")
_QUEUES = (_SOLO, *_SHARED)
_PRODUCERS = 3
# Publishers wait when so many messages are not acknowledged yet: the campaign is about crashes, not about depth.
_AHEAD_MAX = 3000
# A pause of an actor that has nothing to read; short, because it is also how long a stop takes.
_IDLE_SECONDS = 0.05
_LARGE_BODY_BYTES = 40_000


class Campaign:
    """A daemon, its actors, and the history of both.

    Args:
        broker: A daemon that does not run yet.
        seed: Where every choice of the actors and of the killer comes from.
    """

    def __init__(self, broker: BrokerProcess, seed: int) -> None:
        self.broker = broker
        self.chance = random.Random(seed)
        self.events: list[Event] = []
        self._parts: list[list[Event]] = []
        self._actors: list[_Actor] = []
        self._names = 0
        self._stop = threading.Event()
        self.address: Address = ("", 0)
        # How long a client waits for a daemon that stands still before its test fails.
        self.patience_seconds = 60.0
        self.progress = _Progress()

    # Lives -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self.events.append(BrokerStarted(at=time.monotonic(), connection="operator"))
        self.broker.start()
        self.address = self.broker.address

    def load(self) -> None:
        """Set publishers and consumers to work."""
        self._stop = threading.Event()
        # What a crash has swallowed is still counted; so that it does not add up, every life begins with some room.
        self.progress.ahead = min(self.progress.ahead, _AHEAD_MAX // 2)
        self._actors = [self._actor(_produce) for _ in range(_PRODUCERS)]
        self._actors += [self._actor(_consume, queue) for queue in (_SOLO, *_SHARED, *_SHARED)]
        for actor in self._actors:
            actor.start()

    def _actor(self, play: Callable[..., None], *arguments: object) -> _Actor:
        self._names += 1
        part: list[Event] = []
        self._parts.append(part)
        chance = random.Random(self.chance.getrandbits(64))
        return _Actor(f"actor-{self._names}", self, part, chance, lambda actor: play(actor, *arguments))

    def run_for(self, seconds: float) -> None:
        """Let the load work; return early when an actor fails."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not any(actor.failure for actor in self._actors):
            self._stop.wait(min(left, 0.1))

    def kill(self) -> None:
        """`kill -9` of the daemon's process group, under whatever is going on."""
        began = time.monotonic()
        self.broker.kill()
        self._ended(began, killed=True)

    def stop(self) -> int:
        """SIGTERM under load; return the exit code."""
        began = time.monotonic()
        exit_code = self.broker.stop()
        self._ended(began, killed=False)
        return exit_code

    def _ended(self, began: float, *, killed: bool) -> None:
        self.events.append(BrokerEnded(at=time.monotonic(), connection="operator", began=began, killed=killed))
        self.join()

    def rest(self) -> None:
        """Let the actors finish what they are at; the daemon goes on."""
        self._stop.set()
        self.join()

    def join(self) -> None:
        """Wait until every actor has seen the end; raise what went wrong in one."""
        for actor in self._actors:
            actor.thread.join(self.patience_seconds + 30.0)
            assert not actor.thread.is_alive(), f"{actor.name} has not noticed the end"
        failures = [actor.failure for actor in self._actors if actor.failure is not None]
        self._actors = []
        if failures:
            raise failures[0]

    def is_stopping(self) -> bool:
        return self._stop.is_set()

    # The end -----------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Read every queue to its end with one consumer, on a daemon that nobody else talks to.

        The end is a marker that is published after everything else: behind it there can be nothing.
        """
        events: list[Event] = []
        self._parts.append(events)
        for queue in _QUEUES:
            marker = f"marker {queue} {len(self._parts)}"
            producer = RecordingClient(self.address, f"{marker} producer", events)
            producer.publish(queue, marker, marker.encode())
            while producer.unconfirmed:
                assert producer.pump(self.patience_seconds), f"the marker of {queue} is not confirmed"
            producer.vanish()
            self._drain_to(queue, marker, RecordingClient(self.address, f"{marker} consumer", events))

    def _drain_to(self, queue: str, marker: str, consumer: RecordingClient) -> None:
        consumer.subscribe(queue, prefetch=500)
        seen = ""
        while seen != marker:
            assert consumer.pump(self.patience_seconds), f"{queue} ends before its marker"
            while consumer.held:
                held = consumer.held.popleft()
                seen = held.message
                consumer.ack(held)
        while consumer.unconfirmed:
            assert consumer.pump(self.patience_seconds), f"an acknowledgement on {queue} is not confirmed"
        consumer.drained(queue)
        consumer.disconnect()

    def forget(self) -> None:
        """Begin a new history, after a drain: what the broker brings up from the old one is then a stranger."""
        self.events = []
        self._parts = []

    def history(self) -> list[Event]:
        return [*self.events, *(event for part in self._parts for event in part)]

    def judge(self, directory: Path) -> None:
        """Check the history; a broken one is written to `directory`, with the violations first."""
        history = sorted(self.history(), key=lambda event: event.at)
        violations = check(history)
        if violations:
            path = directory / "history.txt"
            path.write_text("\n".join(map(str, [*violations, "", *history])))
            raise AssertionError(f"{len(violations)} violations, all in {path}:\n{_first(violations)}")

    def counts(self) -> dict[str, int]:
        """How much happened, to see that a campaign was worth its time."""
        history = self.history()
        delivered = [event for event in history if isinstance(event, Delivered)]
        return {
            "confirmed": sum(isinstance(event, PublishConfirmed) for event in history),
            "delivered": len(delivered),
            "redelivered": sum(event.redelivered for event in delivered),
        }


def _first(violations: list[Violation]) -> str:
    return "\n".join(map(str, violations[:20]))


class _Progress:
    """How far publishers are ahead of consumers; races only make it inexact."""

    def __init__(self) -> None:
        self.ahead = 0


class _Actor:
    """A thread that plays a part until the daemon is gone or the campaign rests."""

    def __init__(
        self,
        name: str,
        campaign: Campaign,
        events: list[Event],
        chance: random.Random,
        play: Callable[[_Actor], None],
    ) -> None:
        self.name = name
        self.campaign = campaign
        self.events = events
        self.chance = chance
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(play,), name=name, daemon=True)
        self._numbers = 0
        self._client: RecordingClient | None = None

    def start(self) -> None:
        self.thread.start()

    def _run(self, play: Callable[[_Actor], None]) -> None:
        try:
            while not self.campaign.is_stopping():
                play(self)
        except Gone:
            return
        except BaseException as failure:  # noqa: BLE001 - raised again by `join`, in the thread of the test
            self.failure = failure
            if self._client is not None:
                self._client.vanish()

    def number(self, prefix: str) -> str:
        self._numbers += 1
        return f"{self.name} {prefix} {self._numbers}"

    def connect(self) -> RecordingClient:
        patience_seconds = self.campaign.patience_seconds
        name = self.number("connection")
        self._client = RecordingClient(self.campaign.address, name, self.events, patience_seconds=patience_seconds)
        return self._client

    def message(self) -> tuple[str, bytes]:
        """A new message: its name, and a body that is empty, small, binary or large."""
        size = self.chance.choices([0, self.chance.randrange(1, 400), _LARGE_BODY_BYTES], [5, 90, 5])[0]
        return self.number("message"), self.chance.randbytes(size)


def _produce(actor: _Actor) -> None:
    """One connection of a publisher: messages to all queues, some in transactions, a window of unconfirmed ones."""
    chance = actor.chance
    window = chance.choice([1, 10, 50])
    client = actor.connect()
    for _ in range(chance.randrange(20, 400)):
        if actor.campaign.is_stopping():
            break
        while client.unconfirmed >= window or actor.campaign.progress.ahead > _AHEAD_MAX:
            client.pump(_IDLE_SECONDS)
            if actor.campaign.is_stopping():
                break
        if chance.random() < 0.15:
            _publish_transaction(actor, client)
        else:
            client.publish(chance.choice(_QUEUES), *actor.message())
            actor.campaign.progress.ahead += 1
    _leave(actor, client)


def _publish_transaction(actor: _Actor, client: RecordingClient) -> None:
    transaction = actor.number("transaction")
    client.begin(transaction)
    size = actor.chance.randint(1, 8)
    for _ in range(size):
        client.publish(actor.chance.choice(_QUEUES), *actor.message(), transaction=transaction)
    fate = actor.chance.random()
    if fate < 0.8:
        client.commit(transaction)
        actor.campaign.progress.ahead += size
    elif fate < 0.95:
        client.abort(transaction)
    # else: left open, to be aborted by the end of the connection


def _consume(actor: _Actor, queue: str) -> None:
    """One connection of a consumer, which acknowledges most, returns some, sends some on, and leaves in its own way."""
    chance = actor.chance
    client = actor.connect()
    client.subscribe(queue, prefetch=chance.choice([1, 5, 30]))
    for _ in range(chance.randrange(100, 1000)):
        if actor.campaign.is_stopping():
            break
        client.pump(_IDLE_SECONDS)
        if client.held and chance.random() < 0.9:
            _settle(actor, client, client.held.popleft())
    _leave(actor, client)


def _settle(actor: _Actor, client: RecordingClient, held: Held) -> None:
    fate = actor.chance.random()
    if fate < 0.85:
        client.ack(held)
        actor.campaign.progress.ahead -= 1
    elif fate < 0.95:
        _send_on(actor, client, held)
    else:
        client.nack(held)


def _send_on(actor: _Actor, client: RecordingClient, held: Held) -> None:
    """What makes once-and-only-once possible beyond the broker: acknowledge and send on in one transaction."""
    transaction = actor.number("transaction")
    client.begin(transaction)
    client.publish(actor.chance.choice(_SHARED), *actor.message(), transaction=transaction)
    client.ack(held, transaction=transaction)
    if actor.chance.random() < 0.8:
        client.commit(transaction)
    else:
        client.abort(transaction)
        client.nack(held)


def _leave(actor: _Actor, client: RecordingClient) -> None:
    if actor.chance.random() < 0.5:
        client.disconnect()
    else:
        client.vanish()


def run_rounds(campaign: Campaign, rounds: int) -> Iterator[int]:
    """Load and kill `rounds` times; yields the number of each round, while the daemon is down."""
    for number in range(rounds):
        campaign.start()
        campaign.load()
        campaign.run_for(campaign.chance.uniform(0.05, 1.2))
        if campaign.chance.random() < 0.1:
            assert campaign.stop() == 0, campaign.broker.log
        else:
            campaign.kill()
        yield number
