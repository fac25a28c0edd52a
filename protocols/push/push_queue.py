"""One push queue: its messages are taken, pushed, and settled when they are delivered or will never be.

Theory of operation. A message is *held* from when it is taken: out with a consumer, as with any other. Each push is a
task; when it ends, its result is in the message's `Tries`. If there is nothing to do for a while, the message is put
where it can wait at any depth and over a restart, together with its tries, in one batch with the settling of the one
that was held (as dead letters are moved):

- to be pushed again later: to the schedule, which hands it on to the *queue of the tried* when it is time;
- reserved by a subscriber (202): to the queue of the tried at once, from where it comes back and is held, to be found
  when it is acknowledged.

The queue of the tried is an ordinary queue beside the push queue, made when it is needed first. Messages in it do not
wait behind all those that were never pushed. A message of which nothing has changed since it was written is not written
again, it is held; so endpoints that are left alone (breaker.py) cost no writes, and stop the queue when all are.

Durability: the result of a push is durable with the batch in which the message is settled or moved. A crash before
that leaves the message as it was, and it is pushed again, under the same id; one that was settled or acknowledged is
never pushed again. What is under way is in memory alone.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final
from zlib import crc32

import trio

from segue.broker.errors import LimitReachedError, NotHeldError
from segue.broker.headers import Headers, with_headers
from segue.broker.message import decode
from segue.protocols.push.error_letter import error_letter
from segue.protocols.push.held import Held
from segue.protocols.push.message import PushMessage, request_headers
from segue.protocols.push.options import PushOptions, PushType, Subscriber
from segue.protocols.push.outcome import Outcome
from segue.protocols.push.results import PushResult
from segue.protocols.push.services import PushServices
from segue.protocols.push.source import Arrival, Source
from segue.protocols.push.tries import Tries

if TYPE_CHECKING:
    from segue.broker.queue import Queue

__all__ = ["PushQueue"]

_TRIES: Final = "push-tries"
"""The header in which a message that was pushed has its tries."""
_NEW_MAX: Final = 64
_NEW_BYTES_MAX: Final = 4 << 20
"""Messages that were never pushed and are held: enough for all pushes of a queue that may be under way."""
_TRIED_MAX: Final = 10_000
_TRIED_BYTES_MAX: Final = 8 << 20
"""Messages that were pushed before and are held, in memory: mostly reserved ones. While there are so many, no new ones
are pushed; those that come back from the schedule are held up to twice that."""
_ON_ITS_WAY_MS: Final = 60_000
"""What has not come to the queue of the tried by then was purged there, or has expired."""
_DELIVERIES: Final = 1
"""Of what waits for another try. More could reach the delivery limit of a policy, which knows nothing of tries."""
_STUCK_MS: Final = 1000
"""What can't be moved because a limit is reached is tried again so much later."""


class PushQueue:
    """See the module.

    Attributes:
        name: of the queue.
        tried_name: of the queue of the tried.
    """

    def __init__(self, services: PushServices, queue: Queue, tried_name: str) -> None:
        self._services = services
        self._node = services.node
        self._port = services.port
        self.name = queue.name
        self.tried_name = tried_name
        self._counts = services.counts
        self._options = PushOptions(PushType.MULTICAST, ())
        self._limiter = trio.CapacityLimiter(services.queue_in_flight_max)
        self._held: dict[str, Held] = {}
        self._tried_held = 0
        self._tried_bytes = 0
        self._source = self._consume(queue, _NEW_MAX, _NEW_BYTES_MAX, blocked=True)
        tried = self._node.queues.get(tried_name)
        self._tried = None if tried is None else self._consume_tried(tried)

    # -- what is set

    @property
    def options(self) -> PushOptions:
        """What is set of it. As long as it has no subscribers, nothing is taken."""
        return self._options

    def configure(self, options: PushOptions) -> None:
        """Set something else. Pushes that are under way end as they began; new subscribers get the next message."""
        self._options = options
        self._look_at_room()
        for held in list(self._held.values()):
            self._go_on(held)

    @property
    def is_open(self) -> bool:
        """False once its queue was deleted, or it was closed."""
        return self._source.consumer.open

    def clear(self) -> None:
        """Settle what is held, also what is being pushed: it is not pushed again."""
        for held in list(self._held.values()):
            self._drop(held)
            if held.arrival is not None:
                held.arrival.source.settle(held.arrival)

    def close(self) -> None:
        """Push no more. What is held goes back to its place."""
        for source in (self._source, self._tried):
            if source is not None:
                source.leave()
        for held in self._held.values():
            self._services.timers.cancel(held)
        self._held.clear()

    # -- what clients ask

    def result(self, message_id: str) -> PushResult | None:
        """A message and its tries; None when it was never pushed, or so long ago that it is forgotten."""
        held = self._held.get(message_id)
        if held is not None:
            return PushResult(held.message, held.tries)
        return self._services.results.get(self.name, message_id)

    def acknowledge(self, message_id: str, reservation_id: str, subscriber: str, then: Callable[[], None]) -> None:
        """A subscriber is done with a message that was pushed to it.

        Args:
            message_id: which.
            reservation_id: of that push.
            subscriber: its name.
            then: is called when that is in the open batch.

        Raises:
            NotHeldError: the subscriber does not have the message: it has answered otherwise, or its time is over.
        """
        held = self._held.get(message_id)
        if held is None or not held.tries.acknowledge(subscriber, reservation_id):
            raise NotHeldError(f"no message is held by '{subscriber}' under '{reservation_id}'")
        held.changed = True
        held.told.append(then)
        self._go_on(held)

    # -- taking

    def _consume(self, queue: Queue, messages_max: int, bytes_max: int, *, blocked: bool = False) -> Source:
        return Source(self._node, queue, self._arrived, messages_max=messages_max, bytes_max=bytes_max, blocked=blocked)

    def _consume_tried(self, queue: Queue) -> Source:
        return self._consume(queue, 2 * _TRIED_MAX, 2 * _TRIED_BYTES_MAX)

    def _arrived(self, arrivals: list[Arrival]) -> None:
        for arrival in arrivals:
            self._go_on(self._hold(arrival))

    def _hold(self, arrival: Arrival) -> Held:
        source, seq, record = arrival
        message = self._port.message(source.queue, seq, record)
        tries = None if source is self._source else _tries_in(record)
        waited = None if tries is None else self._held.get(tries.message_id)
        if waited is not None and waited.arrival is None:
            waited.arrival = arrival
            return waited
        if tries is not None and waited is None:
            held = Held(replace(message, id=tries.message_id), tries, arrival)
            self._enter_tried(held)
        else:
            message = self._as_only_one(message, seq)
            held = Held(message, Tries.begin(message.id, self._order(message.id)), arrival)
        self._held[held.message.id] = held
        self._services.results.forget(self.name, held.message.id)
        return held

    def _as_only_one(self, message: PushMessage, seq: int) -> PushMessage:
        """Clients of other protocols may write any id into a message: one that is held already gets another one."""
        return replace(message, id=f"{message.id}-{seq}") if message.id in self._held else message

    def _order(self, message_id: str) -> list[str]:
        """In which order unicast tries subscribers: each message begins with another one."""
        names = [subscriber.name for subscriber in self._options.subscribers]
        first = crc32(message_id.encode()) % len(names) if names else 0
        return names[first:] + names[:first]

    def _look_at_room(self) -> None:
        full = self._tried_held >= _TRIED_MAX or self._tried_bytes >= _TRIED_BYTES_MAX
        self._source.set_blocked(full or not self._options.subscribers)

    def _enter_tried(self, held: Held) -> None:
        if not held.was_tried:
            held.was_tried = True
            self._tried_held += 1
            self._tried_bytes += len(held.message.body)
            self._look_at_room()

    def _drop(self, held: Held) -> None:
        """It is settled, or waits elsewhere."""
        self._services.timers.cancel(held)
        self._held.pop(held.message.id, None)
        self._services.results.add(self.name, PushResult(held.message, held.tries))
        if held.was_tried:
            self._tried_held -= 1
            self._tried_bytes -= len(held.message.body)
            self._look_at_room()

    # -- what is to be done with a message

    def _go_on(self, held: Held) -> None:
        tries, options, now_ms = held.tries, self._options, self._node.clock.now_ms()
        if held.arrival is None or self._held.get(held.message.id) is not held or not options.subscribers:
            return
        if not held.arrival.source.consumer.open:
            self._drop(held)  # its queue was deleted
            return
        tries.keep([subscriber.name for subscriber in options.subscribers])
        tries.run_out(options, now_ms)
        if tries.is_finished(options):
            self._finish(held, held.arrival)
            return
        due = set(tries.take_due(options, now_ms))
        for subscriber in options.subscribers:
            if subscriber.name in due:
                self._services.nursery.start_soon(self._push, held, subscriber)
        if held.changed and (held.told or not tries.under_way):
            self._move(held, held.arrival)
        elif not tries.under_way:
            self._services.timers.set(held, tries.next_due_ms(options), partial(self._go_on, held))

    async def _push(self, held: Held, subscriber: Subscriber) -> None:
        reservation_id = secrets.token_hex(12)
        held.tries.reserve(subscriber.name, reservation_id)
        async with self._limiter:
            url = self._port.acknowledge_url(self.name, held.message.id)
            seconds = self._node.clock.wall.now_ms() // 1000
            headers = request_headers(held.message, subscriber, reservation_id, url, seconds)
            outcome = await self._services.endpoints.push(subscriber.url, headers, held.message.body)
        self._note(held, subscriber.name, outcome)
        self._go_on(held)
        self._node.end_step()

    def _note(self, held: Held, name: str, outcome: Outcome | float) -> None:
        now_ms = self._node.clock.now_ms()
        if isinstance(outcome, Outcome):
            self._counts.pushes += 1
            self._counts.failures += outcome.status not in (200, 202)
            held.tries.ended(name, outcome, self._options, now_ms, self._node.clock.wall.now_ms())
            held.changed = True
        else:
            self._counts.put_off += 1
            held.tries.put_off(name, now_ms + math.ceil(outcome * 1000))

    # -- what is written

    def _finish(self, held: Held, arrival: Arrival) -> None:
        """All is done: settle the message; the error queue is told in the same batch."""
        options = self._options
        failed = held.tries.failed(options)
        if failed and options.error_queue:
            letter = error_letter(held.message, held.tries, options, self._node.clock.now_ms())
            try:
                self._node.queue(options.error_queue).publish(letter)
            except LimitReachedError as error:
                self._stick(held, options.error_queue, error)
                return
        self._counts.failed += bool(failed)
        self._counts.delivered += not failed
        self._drop(held)
        arrival.source.settle(arrival)
        held.tell()

    def _move(self, held: Held, arrival: Arrival) -> None:
        """Put a message where it can wait, with its tries."""
        tries = held.tries
        old = decode(arrival.record)
        written = {_TRIES: tries.to_json()}
        record = with_headers(old, written, accepted_ms=old.accepted_ms, expires_ms=old.expires_ms)
        try:
            tried = self._open_tried().queue
            if tries.is_reserved or tries.under_way:
                tried.note(record)
                tried.publish(record)
                held.arrival = None
                self._enter_tried(held)
                self._call_in(_ON_ITS_WAY_MS, held, self._give_up_waiting)
            else:
                due_ms = tries.next_due_ms(self._options)
                self._node.schedule.put_off(tried.name, record, due_ms, _DELIVERIES)
                self._drop(held)
        except LimitReachedError as error:
            self._stick(held, self.tried_name, error)
            return
        held.changed = False
        arrival.source.settle(arrival)
        held.tell()

    def _open_tried(self) -> Source:
        if self._tried is None or not self._tried.consumer.open:
            self._tried = self._consume_tried(self._node.queue(self.tried_name))
        return self._tried

    def _stick(self, held: Held, queue: str, error: LimitReachedError) -> None:
        """There is no room in a queue: the message stays as it is, and is tried again."""
        self._node.log.warning("push.stuck", queue=queue, reason=str(error))
        self._call_in(_STUCK_MS, held, self._go_on)

    def _call_in(self, delay_ms: int, held: Held, call: Callable[[Held], None]) -> None:
        self._services.timers.set(held, self._node.clock.now_ms() + delay_ms, partial(call, held))

    def _give_up_waiting(self, held: Held) -> None:
        if held.arrival is None:
            self._drop(held)  # if it comes after all, its tries come with it


def _tries_in(record: bytes) -> Tries | None:
    """The tries that a message has; None where there are none that could be ours."""
    try:
        return Tries.from_json(Headers(record).get(_TRIES) or "")
    except ValueError:
        return None
