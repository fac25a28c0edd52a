"""Alerts: a message is posted to another queue when a queue has grown, or fallen, to a certain size.

What size a queue had when it was last looked at is compared with what it has now: after each request that changes it,
and every second, as messages come and go by other doors, too. In memory: those sizes, and until when an alert is
silent; the first look after a start only takes note.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec
import trio

from segue.broker.errors import BrokerError
from segue.protocols.http import Exchange, HttpError
from segue.protocols.rest.ironmq.answers import time_text
from segue.protocols.rest.ironmq.naming import named_queue
from segue.protocols.rest.ironmq.posting import NewMessage, post
from segue.protocols.rest.ironmq.queue_settings import Alert, settings_of

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.queue import Queue
    from segue.protocols.http.routes import Handler

__all__ = ["Alerts", "size_of", "triggers"]

_LOOK_SECONDS: Final = 1.0
_ID_DIGITS: Final = 24


def size_of(queue: Queue) -> int:
    """How many messages a queue has: also those that are reserved, delayed, or not on disk yet."""
    delayed = queue.node.schedule.census.waiting_for("q" + queue.name)
    return queue.cursor.waiting + queue.dispatcher.in_flight + delayed


def triggers(alert: Alert, before: int, now: int) -> bool:
    """Whether a queue that had one size, and has another now, has passed what an alert is for."""
    if alert.type == "fixed":
        return before < alert.trigger <= now if alert.direction == "asc" else now <= alert.trigger < before
    if alert.direction == "asc":
        return before // alert.trigger < now // alert.trigger
    return -(-now // alert.trigger) < -(-before // alert.trigger)


class Alerts:
    """The alerts of all queues of a broker."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._sizes: dict[str, int] = {}
        self._silent_until: dict[tuple[str, Alert], float] = {}

    def watching(self, handler: Handler) -> Handler:
        """A handler of requests that change the size of a queue, or its alerts."""

        def handle(exchange: Exchange) -> None:
            handler(exchange)
            self._look_at(named_queue(exchange))

        return handle

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Look at all of them every second, until cancelled."""
        task_status.started()
        for name in list(self._node.queues):
            self._look_at(name)
        while True:
            await trio.sleep(_LOOK_SECONDS)
            for name in list(self._sizes):
                self._look_at(name)
            self._node.end_step()

    def _look_at(self, name: str) -> None:
        queue = self._node.queues.get(name)
        if queue is None or not (alerts := settings_of(queue).alerts):
            self._sizes.pop(name, None)
            return
        before, now = self._sizes.get(name), size_of(queue)
        self._sizes[name] = now
        if before is not None and before != now:
            for alert in alerts:
                if triggers(alert, before, now):
                    self._tell(queue, alert, now)

    def _tell(self, queue: Queue, alert: Alert, size: int) -> None:
        key, now = (queue.name, alert), self._node.clock.monotonic()
        if now < self._silent_until.get(key, 0.0):
            return
        self._silent_until = {one: until for one, until in self._silent_until.items() if until > now}
        if alert.snooze:
            self._silent_until[key] = now + alert.snooze
        project, _, source = queue.name.partition("/")
        body = msgspec.json.encode(
            {
                "source_queue": source,
                "queue_size": size,
                "alert_id": alert_id(alert),
                "alert_type": alert.type,
                "alert_direction": alert.direction,
                "alert_trigger": alert.trigger,
                "created_at": time_text(self._node.clock.wall.now_ms()),
            }
        ).decode()
        try:
            post(self._node, f"{project}/{alert.queue}", project, [NewMessage(body)])
            self._node.store.want()
        except (BrokerError, HttpError) as error:
            self._node.log.warning("alert.lost", queue=queue.name, target=alert.queue, reason=str(error))


def alert_id(alert: Alert) -> str:
    """What an alert is called: 24 hexadecimal digits, the same for what is the same."""
    said = f"{alert.type}|{alert.direction}|{alert.trigger}|{alert.queue}"
    return hashlib.sha256(said.encode()).hexdigest()[:_ID_DIGITS]
