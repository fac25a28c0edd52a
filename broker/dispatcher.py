"""The dispatcher: hands the messages of one cursor to competing consumers.

Theory of operation. `dispatch` does what there is to be done now, as much as one step may. It is called once for many
messages: when a batch became durable, when acknowledgements of a whole read have brought credit back, when an output
buffer has drained, when a read from disk is back. Nothing here is awaited.

Here consumers come and go, and messages come back from them. What a dispatcher does with the messages of its cursor is
in the classes that it is made of, each on top of the one before: `Removal`, what leaves without being delivered;
`HandingOut`, what is delivered in order; `Choice`, what not every consumer may have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from segue.broker.choice import Choice
from segue.broker.consumer import Consumer, Sink
from segue.broker.dead_letters import Reason, condemned
from segue.broker.levels import Levels
from segue.broker.removal import REMOVED_COST_MAX
from segue.broker.selector import Selector
from segue.storage.api import CONDEMNED, Cursor

__all__ = ["Dispatcher", "remove_identical"]


class Dispatcher(Choice):
    """One cursor and its consumers.

    Attributes:
        consumers: all of them.
        delivery_limit: a message that comes back from so many deliveries is condemned; 0 for no limit.
        go_on_later: asked for another `dispatch` when there are more than one step may take.
    """

    def __init__(self, cursor: Cursor, in_flight_max: int) -> None:
        super().__init__(cursor, in_flight_max)
        self.consumers = self.line.consumers
        self.delivery_limit = 0
        self.go_on_later: Callable[[Dispatcher], None] | None = None
        cursor.listener = self.dispatch

    def draw_from(self, levels: Levels) -> None:
        """The queue has levels from now on, of which `cursor` is one; consumers, and what they hold, stay."""
        self.look_anew()
        if self.look_ahead is not None:
            self.look_ahead.draw_from(levels)
        levels.listener = self.dispatch
        self.cursor, self.heads, self.drops_from = levels, levels.each, levels.lowest_first

    def add(
        self,
        sink: Sink,
        *,
        prefetch: int,
        settles: bool,
        session_id: int,
        window_bytes: int = 0,
        selector: Selector | None = None,
        rank: int = 0,
        exclusive: bool = False,
    ) -> Consumer:
        """A new consumer. Its first deliveries come with the next `dispatch`. For the arguments, see `Consumer`."""
        consumer = Consumer(
            self,
            sink,
            prefetch=prefetch,
            settles=settles,
            session_id=session_id,
            window_bytes=window_bytes,
            selector=selector,
            rank=rank,
            exclusive=exclusive,
        )
        self.cursor.out.append(consumer.unacknowledged)
        if self.look_ahead is not None:
            self.look_ahead.join(consumer)
        self.line.join(consumer)
        return consumer

    def remove(self, consumer: Consumer) -> None:
        """A consumer leaves; what it holds goes back to its place, and out again with the next `dispatch`."""
        consumer.open = False
        self.line.leave(consumer)
        remove_identical(self.cursor.out, consumer.unacknowledged)
        held = dict(consumer.unacknowledged)
        consumer.unacknowledged.clear()
        self.give_back(held)
        consumer.settle()
        if self.look_ahead is not None:
            self.look_ahead.leave(consumer)
            self._look_no_further(self.look_ahead)

    def set_single_active(self, single_active: bool) -> None:
        """Whether one consumer at a time is served, and the others stand by."""
        if self.line.set_single_active(single_active):
            self._go_on_later()  # who stood by may take something now

    def close(self) -> None:
        """The cursor is about to be deleted: nothing is delivered any more, and nothing comes back to it."""
        self.open = False
        self.paused = True
        self.sweeping = False
        self.bound = None
        if self.look_ahead is not None:
            self.look_ahead.clear()

    def settle(self, consumer: Consumer, seqs: list[int]) -> None:
        """Messages that this consumer held are done."""
        if self.open:
            self.acknowledged += len(seqs)
            self.cursor.settle(seqs)
            consumer.grant(seqs)
            if self.look_ahead is not None:
                self.look_ahead.done(seqs)
                self._settled = consumer
            self.line.queue_up(consumer)
            self.dispatch()

    def give_back(self, messages: dict[int, int], consumer: Consumer | None = None) -> None:
        """Messages (sequence number → deliveries) go back to their places, and out again with the next `dispatch`.

        Ordering: whoever gives back what belongs together does so before he dispatches; then the lowest goes out first.
        """
        if messages and self.open:
            if self.delivery_limit:
                messages = self._judge(messages)
            self.returned += len(messages)
            self.cursor.give_back(messages)
            if self.look_ahead is not None:
                self.look_ahead.done(messages)
            if consumer is not None:
                consumer.grant(list(messages))
                self.line.queue_up(consumer)

    def reject(self, messages: dict[int, int], consumer: Consumer, delay_ms: int | None = None) -> None:
        """As `give_back`, of what a consumer returns by its own will: it may be put off, see redelivery.py."""
        if self.redelivery is not None and self.open:
            messages = self.redelivery.put_off(messages, delay_ms, self.delivery_limit)
        self.give_back(messages, consumer)

    def condemn(self, messages: dict[int, int], reason: Reason, consumer: Consumer) -> None:
        """As `give_back`, but they are not to be delivered again: they become dead letters with the next `dispatch`."""
        if self.bury is None:
            self.discarded += len(messages) if self.open else 0
            self.settle(consumer, list(messages))
            return
        self.give_back({seq: condemned(deliveries, reason) for seq, deliveries in messages.items()}, consumer)

    def queue_up(self, consumer: Consumer) -> None:
        """A consumer may be able to take something: the next `dispatch` looks at it."""
        self.line.queue_up(consumer)

    def dispatch(self) -> None:
        """Deliver what can be delivered now."""
        self._cost_left = REMOVED_COST_MAX
        if self.cursor.condemned:
            self._bury()
        if self.sweeping:
            self._sweep()
        if self._expired_aside:
            self._sweep_aside()
        self._hand_out()
        if self.bound is not None:
            self._drop_oldest(self.bound)

    def judge_returned(self) -> None:
        """After a start, when what was with a consumer at the end has come back, and when there is a new limit."""
        self.look_anew()
        judged = self._judge(self.cursor.returned)
        self.cursor.condemn_returned({seq: s for seq, s in judged.items() if s != self.cursor.returned[seq]})

    def _judge(self, messages: Mapping[int, int]) -> dict[int, int]:
        """Condemn what was delivered too often."""
        limit = self.delivery_limit
        return {
            seq: condemned(standing, Reason.DELIVERY_LIMIT) if limit <= standing < CONDEMNED else standing
            for seq, standing in messages.items()
        }

    def _go_on_later(self) -> None:
        if self.go_on_later is not None:
            self.go_on_later(self)


def remove_identical(items: list[dict[int, int]], item: dict[int, int]) -> None:
    """Remove an object from a list by identity: equal dicts are not the same."""
    for index, other in enumerate(items):
        if other is item:
            del items[index]
            return
