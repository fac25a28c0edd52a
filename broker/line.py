"""The line: whose turn it is among the consumers of a queue.

Consumers that can take something stand in line, those of a higher rank before the others; who was given something
steps back behind the last of his rank. There is a line for each selector: so the first who may have a message is found
among as many as there are different selectors, though thousands of consumers wait. Where one consumer is served alone
(single active, exclusive), only he stands there.

Who can take nothing any more leaves the line when he comes to its front, not before: to look for him takes as long as
the line is.
"""

from __future__ import annotations

from collections import Counter, deque
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segue.broker.consumer import Consumer
    from segue.broker.selector import Selector

__all__ = ["Line"]


class Line:
    """See the module.

    Attributes:
        consumers: all of the queue, in the order in which they came.
        plain: those in line that have no selector; whoever takes it out at the front sets its `waiting`.
        ranked: some consumer has, or had, another rank than 0.
        active: the one consumer that is served; None where all are.
        resumed: where consumers are noted that may have room again, if somebody wants to know; he empties it.
    """

    def __init__(self) -> None:
        self.consumers: list[Consumer] = []
        self.plain: deque[Consumer] = deque()
        self.ranked = False
        self.active: Consumer | None = None
        self.resumed: dict[Consumer, None] | None = None
        self._selective: dict[Selector, deque[Consumer]] = {}
        self._users: Counter[Selector] = Counter()  # of these
        self._line_of: dict[Consumer, deque[Consumer]] = {}
        self._single_active = False
        self._turns = 0

    def join(self, consumer: Consumer) -> None:
        """A consumer comes; he does not stand in line yet."""
        self.consumers.append(consumer)
        selector = consumer.selector
        if selector is None:
            self._line_of[consumer] = self.plain
        else:
            self._line_of[consumer] = self._selective.setdefault(selector, deque())
            self._users[selector] += 1
        self.ranked |= consumer.rank != 0
        if consumer.exclusive or self._single_active:
            self._elect()

    def leave(self, consumer: Consumer) -> None:
        """A consumer goes; `open` is no longer set."""
        self.consumers.remove(consumer)
        line = self._line_of.pop(consumer)
        if consumer.waiting:
            line.remove(consumer)
            consumer.waiting = False
        selector = consumer.selector
        if selector is not None:
            self._users[selector] -= 1
            if not self._users[selector]:
                del self._users[selector], self._selective[selector]
        if consumer is self.active:
            self._elect()

    def set_single_active(self, single_active: bool) -> bool:
        """Whether one consumer at a time is served, and the others stand by. True when that is a change."""
        if single_active is self._single_active:
            return False
        self._single_active = single_active
        self._elect()
        return True

    def queue_up(self, consumer: Consumer) -> None:
        """A consumer may be able to take something: let him stand in line."""
        if consumer.waiting and self.resumed is None:
            return
        if consumer.able and (self.active is None or consumer is self.active):
            if not consumer.waiting:
                consumer.waiting = True
                self._stand(consumer, self._line_of[consumer])
            if self.resumed is not None:
                self.resumed[consumer] = None

    def step_back(self, consumer: Consumer) -> None:
        """The first in his line was given something; if he is still there, the next one of his rank comes first now."""
        line = self._line_of.get(consumer)
        if line and line[0] is consumer:
            line.popleft()
            self._stand(consumer, line)

    def fronts(self, rooms: dict[Consumer, int]) -> list[Consumer]:
        """Who comes next of those with each selector, in turn.

        Args:
            rooms: what those have left who are given something that is not delivered yet; who is missing is added.
        """
        lines = (self.plain, *self._selective.values()) if self._selective else (self.plain,)
        fronts = [consumer for line in lines if line and (consumer := self._front(line, rooms)) is not None]
        if len(fronts) > 1:
            fronts.sort(key=_precedence if self.ranked else _turn)
        return fronts

    def room(self, enough: int) -> int:
        """How many messages those in line could be given, as far as it matters: that it is `enough`, or less."""
        room = 0
        for line in (self.plain, *self._selective.values()):
            for consumer in line:
                room += consumer.room
                if room >= enough:
                    return room
        return room

    def _front(self, line: deque[Consumer], rooms: dict[Consumer, int]) -> Consumer | None:
        while line:
            consumer = line[0]
            room = rooms.get(consumer)
            if room is None:
                room = rooms[consumer] = consumer.room
            if room:
                return consumer
            line.popleft()
            consumer.waiting = False
        return None

    def _stand(self, consumer: Consumer, line: deque[Consumer]) -> None:
        """At the end of the line, or behind the last one of his rank or a higher one."""
        if self._selective:  # otherwise there is but one line
            self._turns += 1
            consumer.turn = self._turns
        if not self.ranked or not line or line[-1].rank >= consumer.rank:
            line.append(consumer)
        else:
            line.insert(next(at for at, other in enumerate(line) if other.rank < consumer.rank), consumer)

    def _elect(self) -> None:
        """Choose who is served alone: who is stays, unless somebody is exclusive and he is not."""
        exclusive = [consumer for consumer in self.consumers if consumer.exclusive]
        candidates = exclusive or (self.consumers if self._single_active else [])
        if self.active not in candidates:
            self.active = max(candidates, key=lambda consumer: consumer.rank, default=None)
            for line in (self.plain, *self._selective.values()):
                for consumer in line:
                    consumer.waiting = False
                line.clear()
            for consumer in self.consumers:
                self.queue_up(consumer)


_turn = attrgetter("turn")


def _precedence(consumer: Consumer) -> tuple[int, int]:
    return -consumer.rank, consumer.turn
