"""A node, a push queue on it, and endpoints without sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import trio
from trio.testing import wait_all_tasks_blocked

from segue.broker.headers import Headers
from segue.broker.message import decode
from segue.broker.queue import Queue
from segue.protocols.push.endpoints import Endpoints
from segue.protocols.push.message import PushMessage
from segue.protocols.push.options import PushOptions, PushType, Subscriber
from segue.protocols.push.outcome import Outcome
from segue.protocols.push.push_queue import PushQueue
from segue.protocols.push.results import PushResults
from segue.protocols.push.services import PushCounts, PushServices
from segue.protocols.push.timers import Timers
from tests.unit.broker.actors import record
from tests.unit.broker.schedule.waiting import Waiting

__all__ = ["Port", "Push", "PushWorld", "push_world"]

TRIED = "q.tried"


class Push(NamedTuple):
    """One push, as an endpoint has seen it."""

    host: str
    body: str
    headers: Mapping[str, str]

    @property
    def id(self) -> str:
        return self.headers["Iron-Message-Id"]

    @property
    def reservation_id(self) -> str:
        return self.headers["Iron-Reservation-Id"]


class Port:
    """A message is called what its header `id` says."""

    def message(self, queue: Queue, seq: int, record: bytes) -> PushMessage:
        headers = json.loads(Headers(record).get("push-headers") or "{}")
        return PushMessage(Headers(record).get("id") or "", decode(record).body, headers)

    def acknowledge_url(self, queue: str, message_id: str) -> str:
        return f"http://broker.example/{queue}/{message_id}"


@dataclass
class Endpoint:
    """What an endpoint answers.

    Attributes:
        status: of its answers; 0 for none.
        gate: it answers when this is set.
    """

    status: int = 200
    gate: trio.Event | None = None


class PushWorld(Waiting):
    """See the module.

    Attributes:
        pushes: that were made since `run` has returned them.
        endpoints: by host.
        push_counts: what has become of them.
    """

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.pushes: list[Push] = []
        self.endpoints: dict[str, Endpoint] = {}
        self.lives: trio.Nursery
        self.nursery: trio.Nursery
        self.push_queue: PushQueue
        self.options = PushOptions(PushType.MULTICAST, ())

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Outcome:
        host = url.removeprefix("http://").partition("/")[0]
        endpoint = self.endpoints.setdefault(host, Endpoint())
        self.pushes.append(Push(host, body.decode(), headers))
        if endpoint.gate is not None:
            await endpoint.gate.wait()
        await trio.lowlevel.checkpoint()
        return Outcome.answered(endpoint.status) if endpoint.status else Outcome(0, "No answer")

    def open(self, *names: str, kind: PushType = PushType.MULTICAST, in_flight_max: int = 32, **more: Any) -> None:
        """Make a push queue of the queue `q`, with these subscribers, which are hosts, too."""
        self.options = PushOptions(kind, _subscribers(names), **more)
        self.in_flight_max = in_flight_max
        self._open()

    def configure(self, *names: str) -> None:
        """It has these subscribers from now on."""
        self.options = replace(self.options, subscribers=_subscribers(names))
        self.push_queue.configure(self.options)

    def _open(self) -> None:
        in_flight_max = self.in_flight_max
        endpoints = Endpoints(
            self.post, self.clock.monotonic, self.log, timeout_seconds=10, in_flight_max=in_flight_max
        )
        self.timers = Timers(self.node)
        self.results = PushResults()
        self.push_counts = PushCounts()
        services = PushServices(
            self.node,
            Port(),
            endpoints,
            self.results,
            self.push_counts,
            self.timers,
            self.nursery,
            queue_in_flight_max=in_flight_max,
        )
        self.push_queue = PushQueue(services, self.node.queue("q"), TRIED)
        self.push_queue.configure(self.options)

    def post_messages(self, *ids: str) -> None:
        """Publish messages whose bodies are `body ID`."""
        for message_id in ids:
            self.node.queue("q").publish(record(f"body {message_id}", f"id:{message_id}\n\n".encode()))
        self.node.store.want()

    async def run(self) -> list[Push]:
        """Let everything happen that can happen now; returns the pushes that were made."""
        for _ in range(8):
            self.settle_down()
            await wait_all_tasks_blocked()
        self.settle_down()
        pushes, self.pushes = self.pushes, []
        return pushes

    async def later(self, seconds: float) -> list[Push]:
        """As `run`, so much later."""
        self.wait(seconds)
        self.timers.look()
        return await self.run()

    async def crash(self) -> None:
        """The broker ends, and starts again with the same options. What was under way is forgotten."""
        self.settle_down()
        self.nursery.cancel_scope.cancel()
        await self.begin()
        self.pushes.clear()
        self.restart()
        self._open()

    async def begin(self) -> None:
        """A nursery for pushes, as each life of a broker has one."""
        self.nursery = await self.lives.start(_live)

    def statuses(self, message_id: str) -> dict[str, str]:
        result = self.push_queue.result(message_id)
        return {} if result is None else {name: str(one.status) for name, one in result.tries.subscribers.items()}

    def counts(self, name: str = "q") -> tuple[int, int, int]:
        """Of a queue: messages that are ready, in flight, delayed."""
        statistics = self.node.queue(name).statistics()
        return statistics.ready, statistics.in_flight, statistics.delayed


def _subscribers(names: Iterable[str]) -> tuple[Subscriber, ...]:
    return tuple(Subscriber(name, f"http://{name}/") for name in names)


@asynccontextmanager
async def push_world(**more: Any) -> AsyncIterator[PushWorld]:
    """A world whose pushes end with the block."""
    world = PushWorld(**more)
    async with trio.open_nursery() as lives:
        world.lives = lives
        await world.begin()
        yield world
        lives.cancel_scope.cancel()


async def _live(*, task_status: trio.TaskStatus[trio.Nursery]) -> None:
    async with trio.open_nursery() as nursery:
        task_status.started(nursery)
        await trio.sleep_forever()
