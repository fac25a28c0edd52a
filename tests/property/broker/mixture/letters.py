"""The model of messages with every feature at once: where each was seen last, who has it, and what may have ended it.

A message is known by its body. Where it goes by itself is not foreseen but observed: by deliveries, and by a *census*
of everything that the store owes, which is taken often. Then a message that is in no place must have an excuse.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from segue.broker.expiry import NEVER
from segue.broker.headers import Headers
from segue.broker.message import decode
from segue.broker.queue_options import REFUSE, QueueOptions

__all__ = ["SCHEDULE", "Letter", "Letters", "Spot", "body_of", "class_of"]

SCHEDULE = ""
"""The place of what is not due yet."""
Spot: TypeAlias = tuple[str, int]
"""A place, and the number that a message has there: it never has the same one again."""


def body_of(record: bytes) -> str:
    """What tells one message from all others."""
    return decode(record).body.rstrip(b".").decode()


def class_of(record: bytes) -> tuple[str | None, str | None]:
    """Messages of one class are for the same consumers, one behind the other: a group, or all of one colour without."""
    headers = Headers(record)
    group = headers.get("JMSXGroupID")
    return group, None if group else headers.get("colour")


@dataclass(eq=False)
class Letter:
    """One message.

    Attributes:
        moment: when it was published.
        due_ms, expires_ms: not before, and not from then on; 0 for any time.
        group: that it belongs to.
        spot: where it was seen last; None until then.
        left: where it can't be any more.
        entered_ms: when it was put where it is.
        deliveries: by spot.
        holder: the consumer that has it.
        settled: the moment from which it is done for good.
        condemned: it may be a dead letter, or given up where there is no queue for these.
        excused: something may have ended it.
    """

    moment: int
    home: str
    due_ms: int
    expires_ms: int
    group: str | None
    entered_ms: int
    spot: Spot | None = None
    left: set[Spot] = field(default_factory=set)
    deliveries: dict[Spot, int] = field(default_factory=dict)
    holder: Any = None
    settled: int | None = None
    condemned: bool = False
    excused: bool = False

    @property
    def place(self) -> str:
        """The queue that it is in, as far as is known."""
        return self.spot[0] if self.spot is not None and self.spot[0] != SCHEDULE else self.home


class Letters:
    """All messages, and what is known to be durable.

    Attributes:
        known: by body.
        confirmed: everything up to this moment is on disk.
        options: of each queue, all that it has ever had.
        moves: between which queues jobs have moved messages since the last census.
    """

    def __init__(self, options: dict[str, list[QueueOptions]]) -> None:
        self.options = options
        self.known: dict[str, Letter] = {}
        self.gone: set[str] = set()
        self.moves: set[tuple[str, str]] = set()
        self.moment = 0
        self.confirmed = 0
        self._crashed = False

    def next_moment(self) -> int:
        """What is done from here on is durable later than what was done before."""
        self.moment += 1
        return self.moment

    def confirm(self, moment: int) -> None:
        """Everything up to this moment is on disk."""
        self.confirmed = max(self.confirmed, moment)

    # -- what is seen

    def delivered(
        self, holder: Any, spot: Spot, record: bytes, deliveries: int, now_ms: int, *, redelivered: bool
    ) -> str:
        """A consumer has got it. Returns its body."""
        body = body_of(record)
        letter = self._seen(body, spot, record)
        before = letter.deliveries.get(spot, 0)
        assert letter.holder is None, f"{body} is out with two"
        assert letter.settled is None, f"{body} was delivered after it was settled"
        assert now_ms >= letter.due_ms, f"{body} came before its time"
        assert now_ms < self._own_deadline(letter), f"{body} was delivered after its deadline"
        assert deliveries <= before + 1, f"delivery {deliveries} of {body} follows {before}"
        assert self._crashed or deliveries == before + 1, f"delivery {deliveries} of {body} follows {before}"
        assert redelivered or not before, f"{body} at {spot} may be a repeat, and does not say so"
        if letter.group is not None:
            for other in self.known.values():
                same = other.group == letter.group and other.holder is not None and other.place == spot[0]
                assert not same or other.holder is holder, f"{body}: its group is with somebody else"
        letter.deliveries[spot] = max(before, deliveries) if self._crashed else deliveries
        letter.holder = holder
        return body

    def returned(self, body: str) -> None:
        """It is with nobody; perhaps it came back once too often."""
        letter = self.known[body]
        letter.holder = None
        spot = letter.spot
        assert spot is not None
        for options in self.options[spot[0]]:
            if options.delivery_limit and letter.deliveries[spot] >= options.delivery_limit:
                self.condemned(body)

    def condemned(self, body: str) -> None:
        """It is a dead letter, or given up."""
        letter = self.known[body]
        letter.holder, letter.condemned = None, True

    def settled(self, body: str, moment: int) -> None:
        """Its consumer is done with it."""
        letter = self.known[body]
        letter.holder, letter.settled = None, moment

    def census(self, found: Iterable[tuple[Spot, bytes]], now_ms: int, *, crashed: bool) -> None:
        """Everything that is owed. It has to be a state that may be.

        Args:
            found: spots and records.
            now_ms: the time.
            crashed: this is the first look after a crash.
        """
        self._crashed |= crashed
        if crashed:
            for letter in self.known.values():
                letter.left.clear()
                letter.holder = None
        seen: set[str] = set()
        for spot, record in found:
            body = body_of(record)
            assert body not in seen, f"{body} is in two places"
            seen.add(body)
            letter = self._seen(body, spot, record)
            assert letter.settled is None or (crashed and letter.settled > self.confirmed), f"{body} is back"
            letter.settled = None
        for body, letter in list(self.known.items()):
            if body not in seen:
                lost_in_time = crashed and letter.moment > self.confirmed
                assert lost_in_time or self._may_be_gone(letter, now_ms), f"{body} is nowhere: {letter}"
                assert letter.holder is None, f"{body} is with a consumer, and nowhere"
                del self.known[body]
                self.gone.add(body)
        if crashed:
            self.confirmed = self.moment

    # -- what may be

    def _seen(self, body: str, spot: Spot, record: bytes) -> Letter:
        assert body not in self.gone, f"{body} is back at {spot}"
        letter = self.known[body]
        assert spot not in letter.left, f"{body} is at {spot}, and was seen at {letter.spot} since then"
        if letter.spot != spot:
            assert letter.holder is None, f"{body} was moved while it was with a consumer"
            if letter.spot is not None:
                letter.left.add(letter.spot)
            letter.spot = spot
        if spot[0] != SCHEDULE:
            message = decode(record)
            letter.entered_ms, letter.expires_ms = message.accepted_ms, message.expires_ms
        return letter

    def _own_deadline(self, letter: Letter) -> int:
        """Until when it may be delivered where it is, by the options that are in force."""
        ttl_ms = self.options[letter.place][-1].message_ttl_ms
        own = letter.expires_ms or NEVER
        return own if ttl_ms is None else min(own, letter.entered_ms + ttl_ms)

    def _may_be_gone(self, letter: Letter, now_ms: int) -> bool:
        if letter.settled is not None or letter.excused or 0 < letter.expires_ms <= now_ms:
            return True
        reach = self._reach(letter)
        if letter.condemned and any(not options.dead_letter for name in reach for options in self.options[name]):
            return True
        return any(self._may_lose(letter, options, now_ms) for name in reach for options in self.options[name])

    def _may_lose(self, letter: Letter, options: QueueOptions, now_ms: int) -> bool:
        """True for a queue in which messages end by themselves, and this one may have."""
        drops = options.messages_max is not None and options.overflow != REFUSE
        expires = options.message_ttl_ms is not None and letter.entered_ms + options.message_ttl_ms <= now_ms
        return drops or expires

    def _reach(self, letter: Letter) -> set[str]:
        """Where it may have gone since it was seen, as a dead letter or by a job."""
        found, rest = set[str](), [letter.place]
        while rest:
            name = rest.pop()
            if name and name not in found:
                found.add(name)
                rest += [options.dead_letter for options in self.options[name]]
                rest += [to for source, to in self.moves if source == name]
        return found
