"""The model of messages with every feature at once: where each was seen last, who has it, and what may have ended it.

Where a message goes by itself is not foreseen but observed: by deliveries, and by a *census* of everything that the
store owes, which is taken often. Then a message that is in no place must have an excuse.

A message is known by its body. One that is published to a topic is a letter for each subscription and for the queue
that is bound there: these are told apart by the subscription that they are in, or were in before they died.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from segue.broker.expiry import NEVER
from segue.broker.headers import Headers
from segue.broker.message import decode
from segue.broker.queue_options import REFUSE, QueueOptions
from segue.broker.redelivery import back_off_ms
from segue.storage.api import deliveries_of

__all__ = ["SCHEDULE", "Commit", "Letter", "Letters", "Spot", "class_of", "copy_of", "letter_in"]

SCHEDULE = ""
"""The place of what is not due yet."""
Spot: TypeAlias = tuple[str, int]
"""A place, and the number that a message has there: it never has the same one again."""


def letter_in(place: str, record: bytes, subscriptions: Iterable[str]) -> str:
    """What tells one message from all others, and a copy of it, seen in a place, from the other copies."""
    body, headers = decode(record).body.rstrip(b".").decode(), Headers(record)
    if headers.get("fanned") is None:
        return body
    origin = headers.get("x-first-death-queue") or place
    return copy_of(body, origin if origin in subscriptions else "")


def copy_of(body: str, subscription: str) -> str:
    """The copy of a message to a topic that a subscription has; empty: the one that the bound queue has."""
    return f"{body}@{subscription}"


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
        put_off: how often it had been delivered when a consumer put it off, and the moment of that; None since it has
            come back.
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
    put_off: tuple[int, int] | None = None
    condemned: bool = False
    excused: bool = False

    @property
    def place(self) -> str:
        """The queue that it is in, as far as is known."""
        return self.spot[0] if self.spot is not None and self.spot[0] != SCHEDULE else self.home


@dataclass(frozen=True)
class Commit:
    """A transaction of which nobody knows yet whether it would survive a crash; by letters."""

    moment: int
    sent: tuple[str, ...]
    settled: tuple[str, ...]


class Letters:
    """All messages, and what is known to be durable.

    Attributes:
        known: by what `letter_in` says.
        gone: letters that may never be seen again.
        confirmed: everything up to this moment is on disk.
        options: of each queue and subscription, all that it has ever had.
        commits: transactions whose moment is not confirmed.
        moves: between which queues jobs have moved messages since the last census.
    """

    def __init__(self, options: dict[str, list[QueueOptions]], subscriptions: Iterable[str]) -> None:
        self.options = options
        self.subscriptions = frozenset(subscriptions)
        self.known: dict[str, Letter] = {}
        self.gone: set[str] = set()
        self.moves: set[tuple[str, str]] = set()
        self.commits: list[Commit] = []
        self.moment = 0
        self.confirmed = 0
        self._uncounted: set[str] = set()  # letters of which a crash may have forgotten how often they were delivered

    def next_moment(self) -> int:
        """What is done from here on is durable later than what was done before."""
        self.moment += 1
        return self.moment

    def confirm(self, moment: int) -> None:
        """Everything up to this moment is on disk."""
        self.confirmed = max(self.confirmed, moment)

    def new_options(self, name: str, options: QueueOptions) -> None:
        """From now on, a queue or subscription has these."""
        self.options[name].append(options)
        for letter in self.known.values():
            spent = max(letter.deliveries.values(), default=0)
            letter.condemned |= 0 < options.delivery_limit <= spent

    # -- what is seen

    def letter_in(self, place: str, record: bytes) -> str:
        """See `letter_in`."""
        return letter_in(place, record, self.subscriptions)

    def delivered(
        self, holder: Any, spot: Spot, record: bytes, deliveries: int, now_ms: int, *, redelivered: bool
    ) -> str:
        """A consumer has got it. Returns what `known` has it by."""
        name = self.letter_in(spot[0], record)
        letter = self._seen(name, spot, record)
        before = letter.deliveries.get(spot, 0)
        assert letter.holder is None, f"{name} is out with two"
        assert letter.settled is None, f"{name} was delivered after it was settled"
        assert now_ms >= letter.due_ms, f"{name} came before its time"
        assert now_ms < self._own_deadline(letter), f"{name} was delivered after its deadline"
        is_forgotten = name in self._uncounted and deliveries <= before
        assert deliveries == before + 1 or is_forgotten, f"delivery {deliveries} of {name} follows {before}"
        assert redelivered or not before, f"{name} at {spot} may be a repeat, and does not say so"
        if letter.group is not None and spot[0] not in self.subscriptions:
            for other in self.known.values():
                same = other.group == letter.group and other.holder is not None and other.place == spot[0]
                assert not same or other.holder is holder, f"{name}: its group is with somebody else"
        self.confirm(letter.moment)
        self._uncounted.discard(name)
        letter.deliveries[spot] = deliveries
        letter.holder = holder
        return name

    def given_back(self, name: str, delay_ms: int | None, now_ms: int) -> None:
        """Its consumer has returned it, for so much later; None for as much as the queue says."""
        letter = self.known[name]
        assert letter.spot is not None
        place, deliveries = letter.spot[0], letter.deliveries[letter.spot]
        self.returned(name)
        if place in self.subscriptions:
            return
        options = self.options[place][-1]
        wait_ms = back_off_ms(options, deliveries) if delay_ms is None else delay_ms
        if wait_ms and not 0 < options.delivery_limit <= deliveries:
            letter.home, letter.due_ms, letter.put_off = place, now_ms + wait_ms, (deliveries, self.next_moment())

    def returned(self, name: str) -> None:
        """It is with nobody; perhaps it came back once too often."""
        letter = self.known[name]
        letter.holder = None
        spot = letter.spot
        assert spot is not None
        for options in self.options[spot[0]]:
            if options.delivery_limit and letter.deliveries[spot] >= options.delivery_limit:
                self.condemned(name)

    def condemned(self, name: str) -> None:
        """It is a dead letter, or given up."""
        letter = self.known[name]
        letter.holder, letter.condemned = None, True

    def settled(self, name: str, moment: int) -> None:
        """Its consumer is done with it."""
        letter = self.known[name]
        letter.holder, letter.settled = None, moment

    def census(self, found: Iterable[tuple[Spot, bytes]], now_ms: int, *, crashed: bool) -> None:
        """Everything that is owed. It has to be a state that may be.

        Args:
            found: spots and records.
            now_ms: the time.
            crashed: this is the first look after a crash.
        """
        if crashed:
            self._uncounted = set(self.known)
            for letter in self.known.values():
                letter.left.clear()
                letter.holder = None
                if letter.put_off is not None and letter.put_off[1] > self.confirmed:
                    letter.due_ms = 0  # perhaps it was never put off
        seen: set[str] = set()
        for spot, record in found:
            name = self.letter_in(spot[0], record)
            assert name not in seen, f"{name} is in two places"
            seen.add(name)
            letter = self._seen(name, spot, record)
            assert letter.settled is None or (crashed and letter.settled > self.confirmed), f"{name} is back"
            letter.settled = None
        landed = self._landed(seen) if crashed else set()
        for name, letter in list(self.known.items()):
            if name not in seen:
                lost_in_time = crashed and letter.moment > self.confirmed and letter.moment not in landed
                assert lost_in_time or self._may_be_gone(letter, now_ms), f"{name} is nowhere: {letter}"
                assert letter.holder is None, f"{name} is with a consumer, and nowhere"
                del self.known[name]
                self.gone.add(name)
        if crashed:
            self.confirmed = self.moment
        self.commits = [commit for commit in self.commits if commit.moment > self.confirmed]

    # -- what may be

    def _landed(self, seen: set[str]) -> set[int]:
        """The moments of the transactions that a crash has left: each is all there or not at all."""
        landed = [one for one in self.commits if one.moment <= self.confirmed or not seen.isdisjoint(one.sent)]
        for commit in landed:
            assert seen.isdisjoint(commit.settled), f"a part of the transaction is missing: {commit}"
        return {commit.moment for commit in landed}

    def _seen(self, name: str, spot: Spot, record: bytes) -> Letter:
        assert name not in self.gone, f"{name} is back at {spot}"
        letter = self.known[name]
        assert spot not in letter.left, f"{name} is at {spot}, and was seen at {letter.spot} since then"
        if letter.spot != spot:
            assert letter.holder is None, f"{name} was moved while it was with a consumer"
            if letter.spot is not None:
                letter.left.add(letter.spot)
            self._entered(letter, spot, record)
        if spot[0] != SCHEDULE:
            message = decode(record)
            letter.entered_ms, letter.expires_ms = message.accepted_ms, message.expires_ms
        return letter

    def _entered(self, letter: Letter, spot: Spot, record: bytes) -> None:
        """It is somewhere else. In the queue where it was put off, its deliveries are counted on; elsewhere, anew."""
        spent, place = deliveries_of(record), letter.place
        if spot[0] != SCHEDULE:
            before = letter.put_off[0] if letter.put_off is not None and spot[0] == place else 0
            has_come_round = bool(self.moves) or Headers(record).get("dead-letter-from") is not None
            assert spent == before or (has_come_round and not spent), f"{spent} deliveries, not {before}: {letter}"
            letter.deliveries[spot], letter.put_off = spent, None
        letter.spot = spot

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
        drops = (options.messages_max, options.bytes_max) != (None, None) and options.overflow != REFUSE
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
