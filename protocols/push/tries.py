"""The tries of one message: how often it was pushed to which subscriber, with what result, and what is to be done next.

The rules are IronMQ's. 200 is done. 202 means that the subscriber has the message and will delete it: it is reserved
for `retries_delay`, and pushed again if that is over. Anything else is a failure: it is tried again after
`retries_delay`, `retries` times. Multicast: each subscriber on its own. Unicast: one of them; if it fails the next one
at once, and when all have failed all of them again after `retries_delay`.

Theory of operation. Each subscriber has a status, and `_NEXT` says what an event makes of it. A push that was not made,
because the endpoint is to be left alone for a while, is no try: it only waits. All of it encodes to JSON, and is kept
with the message; what is under way when the broker ends is not in it, and is done again.

Times that are waited for are by the clock of delays (`Clock.now_ms` of a node), those that people read by the wall.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, Final

from segue.protocols.push.options import PushOptions, PushType
from segue.protocols.push.outcome import Outcome

__all__ = ["Event", "Status", "Tries", "TriesOfSubscriber"]


class Status(StrEnum):
    """How a message stands with a subscriber. The words are IronMQ's, and on disk."""

    QUEUED = "queued"
    RETRYING = "retrying"
    RESERVED = "reserved"
    DELETED = "deleted"
    ERROR = "error"


class Event(Enum):
    """What happens to a message at a subscriber."""

    DONE = "200"
    TAKEN = "202"
    FAILED = "failure"
    EXHAUSTED = "failure of the last try"
    RAN_OUT = "end of a reservation"
    ACKNOWLEDGED = "acknowledgement"


_OPEN: Final = MappingProxyType(
    {
        Event.DONE: Status.DELETED,
        Event.TAKEN: Status.RESERVED,
        Event.FAILED: Status.RETRYING,
        Event.EXHAUSTED: Status.ERROR,
        Event.ACKNOWLEDGED: Status.DELETED,
    }
)
_NEXT: Final[Mapping[Status, Mapping[Event, Status]]] = MappingProxyType(
    {
        Status.QUEUED: _OPEN,
        Status.RETRYING: _OPEN,
        Status.RESERVED: MappingProxyType(
            {
                Event.RAN_OUT: Status.RETRYING,
                Event.EXHAUSTED: Status.ERROR,
                Event.ACKNOWLEDGED: Status.DELETED,
            }
        ),
        # It was acknowledged while the push was under way: how that one ends says nothing any more.
        Status.DELETED: MappingProxyType(dict.fromkeys(Event, Status.DELETED)),
        Status.ERROR: MappingProxyType({}),
    }
)
"""What is not in here can't happen."""
_HAS_IT: Final = (Status.RESERVED, Status.DELETED)


@dataclass(slots=True)
class TriesOfSubscriber:
    """How a message stands with one subscriber.

    Attributes:
        status: see `Status`.
        tries: pushes that have ended.
        status_code: of the last answer; 0 without one.
        text: what became of the last push, in words.
        last_try_ms: when that was, milliseconds since 1970; 0 for never.
        due_ms: when it is pushed next, or its reservation ends; 0 for now.
        reservation_id: by which it may acknowledge.
    """

    status: Status = Status.QUEUED
    tries: int = 0
    status_code: int = 0
    text: str = ""
    last_try_ms: int = 0
    due_ms: int = 0
    reservation_id: str = ""

    @property
    def is_waiting(self) -> bool:
        """True when it is to be pushed, now or later."""
        return self.status in (Status.QUEUED, Status.RETRYING)

    @property
    def is_over(self) -> bool:
        """True when nothing more happens."""
        return self.status in (Status.DELETED, Status.ERROR)

    def retries_remaining(self, retries: int) -> int:
        """What clients are told is left of `retries`: IronMQ's own example counts the first push, too (3, 1 try: 2)."""
        return max(0, retries - self.tries)

    def turn(self, event: Event) -> None:
        """Something has happened."""
        self.status = _NEXT[self.status][event]


class Tries:
    """See the module.

    Attributes:
        message_id: what subscribers and clients call the message, however often it is moved.
        subscribers: by name; in the order in which unicast tries them.
    """

    def __init__(self, message_id: str, subscribers: Mapping[str, TriesOfSubscriber]) -> None:
        self.message_id = message_id
        self.subscribers = dict(subscribers)
        self._under_way: set[str] = set()

    @classmethod
    def begin(cls, message_id: str, names: Iterable[str]) -> Tries:
        """Of a message that was never pushed, to these subscribers."""
        return cls(message_id, {name: TriesOfSubscriber() for name in names})

    # -- what is to be done

    def take_due(self, options: PushOptions, now_ms: int) -> list[str]:
        """Begin the pushes that are to be made now. Returns to whom; each of them ends with `ended` or `put_off`."""
        if options.type is PushType.MULTICAST:
            due = [name for name, one in self._waiting() if one.due_ms <= now_ms and name not in self._under_way]
        else:
            due = self._next_of_unicast(now_ms)
        self._under_way.update(due)
        return due

    def _next_of_unicast(self, now_ms: int) -> list[str]:
        if self._under_way or any(one.status in _HAS_IT for one in self.subscribers.values()):
            return []
        due = [(one.tries, name) for name, one in self._waiting() if one.due_ms <= now_ms]
        return [min(due, key=lambda found: found[0])[1]] if due else []

    @property
    def under_way(self) -> bool:
        """True while it is being pushed to somebody."""
        return bool(self._under_way)

    def next_due_ms(self, options: PushOptions) -> int:
        """Of a message that is not finished, and not under way: when there is something to be done again."""
        waiting = [one for one in self.subscribers.values() if not one.is_over]
        if options.type is PushType.UNICAST and self.is_reserved:
            waiting = [one for one in waiting if one.status is Status.RESERVED]  # the others wait for its end
        return min(one.due_ms for one in waiting)

    def is_finished(self, options: PushOptions) -> bool:
        """True when the message is delivered, or will never be; pushes that are still under way change nothing."""
        if options.type is PushType.UNICAST and any(one.status is Status.DELETED for one in self.subscribers.values()):
            return True
        return all(one.is_over for one in self.subscribers.values())

    def failed(self, options: PushOptions) -> dict[str, TriesOfSubscriber]:
        """Of a message that is finished: the subscribers that should have got it, and have not."""
        found = {name: one for name, one in self.subscribers.items() if one.status is Status.ERROR}
        return found if options.type is PushType.MULTICAST or len(found) == len(self.subscribers) else {}

    @property
    def is_reserved(self) -> bool:
        """True when a subscriber has the message and may acknowledge it."""
        return any(one.status is Status.RESERVED for one in self.subscribers.values())

    def _waiting(self) -> list[tuple[str, TriesOfSubscriber]]:
        return [(name, one) for name, one in self.subscribers.items() if one.is_waiting]

    # -- what has happened

    def ended(self, name: str, outcome: Outcome, options: PushOptions, now_ms: int, wall_ms: int) -> None:
        """A push has ended."""
        self._under_way.discard(name)
        one = self.subscribers[name]
        one.tries += 1
        one.last_try_ms = wall_ms
        if one.status is not Status.DELETED:
            one.status_code, one.text = outcome.status, outcome.text
        one.due_ms = now_ms + options.retries_delay_seconds * 1000
        one.turn(_event(outcome, may_retry=one.tries <= options.retries))
        if options.type is PushType.UNICAST and one.status is Status.RETRYING:
            self._end_round(one, now_ms)

    def _end_round(self, last: TriesOfSubscriber, now_ms: int) -> None:
        """If nobody is left of a round of unicast, all of it wait from now on. Otherwise the next one is due now."""
        waiting = [one for _, one in self._waiting()]
        if not any(one.due_ms <= now_ms for one in waiting):
            for one in waiting:
                if one.tries >= last.tries:
                    one.due_ms = last.due_ms

    def put_off(self, name: str, until_ms: int) -> None:
        """A push was not made: not before then."""
        self._under_way.discard(name)
        self.subscribers[name].due_ms = until_ms

    def run_out(self, options: PushOptions, now_ms: int) -> None:
        """End the reservations whose time is over: those messages are due again, if they may be."""
        for one in self.subscribers.values():
            if one.status is Status.RESERVED and one.due_ms <= now_ms:
                one.turn(Event.RAN_OUT if one.tries <= options.retries else Event.EXHAUSTED)
                one.text = "Not acknowledged in time"

    def reserve(self, name: str, reservation_id: str) -> None:
        """The push that begins is known to its subscriber by this."""
        self.subscribers[name].reservation_id = reservation_id

    def acknowledge(self, name: str, reservation_id: str) -> bool:
        """A subscriber says that it is done with the message. False when it does not have it under this id."""
        one = self.subscribers.get(name)
        if one is None or one.status is Status.ERROR or not reservation_id or one.reservation_id != reservation_id:
            return False
        one.turn(Event.ACKNOWLEDGED)
        return True

    def keep(self, names: Sequence[str]) -> None:
        """Forget the subscribers that the queue has no longer. New ones get the message if it has nobody else left."""
        gone = [name for name in self.subscribers if name not in names and name not in self._under_way]
        statuses = [self.subscribers.pop(name).status for name in gone]
        if gone and not self.subscribers and Status.DELETED not in statuses:
            self.subscribers = {name: TriesOfSubscriber() for name in names}

    # -- on disk

    def to_json(self) -> str:
        """See `from_json`. What is as it was in the beginning is left out."""
        subscribers = {name: _told(one) for name, one in self.subscribers.items()}
        return json.dumps({"id": self.message_id, "subscribers": subscribers}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Tries:
        """What `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            found = json.loads(text)
            return cls(str(found["id"]), {str(name): _read(one) for name, one in found["subscribers"].items()})
        except (AttributeError, KeyError, TypeError, RecursionError) as error:
            raise ValueError("these are no tries of a message") from error


def _event(outcome: Outcome, *, may_retry: bool) -> Event:
    if outcome.status == 200:
        return Event.DONE
    if outcome.status == 202:
        return Event.TAKEN
    return Event.FAILED if outcome.retry and may_retry else Event.EXHAUSTED


_BLANK: Final = asdict(TriesOfSubscriber())


def _told(one: TriesOfSubscriber) -> dict[str, Any]:
    return {name: value for name, value in asdict(one).items() if value != _BLANK[name]}


def _read(members: dict[str, Any]) -> TriesOfSubscriber:
    if not isinstance(members, dict):
        raise TypeError("not an object")
    one = TriesOfSubscriber()
    for field in fields(one):
        if field.name in members:
            setattr(one, field.name, type(_BLANK[field.name])(members[field.name]))
    return one
