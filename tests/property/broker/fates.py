"""The model of messages that die: where each one may be, how often it was delivered there, and what may have ended it.

A message is known by its body. What the broker does by itself (an expired message goes when a sweep or a consumer gets
there, a condemned one when its bytes are at hand) is not foreseen but observed, and held against what may be.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from segue.broker.dead_letters import Reason, sentence_of
from segue.broker.expiry import NEVER
from segue.broker.message import decode
from segue.broker.queue_options import QueueOptions
from segue.storage.api import CONDEMNED
from tests.unit.broker.actors import header

__all__ = ["Fate", "Fates", "body_of"]


def body_of(record: bytes) -> str:
    """What tells one message from all others."""
    return decode(record).body.rstrip(b".").decode()


@dataclass
class Fate:
    """One message.

    Attributes:
        place: the queue that it was seen in last.
        moment: when it was published.
        accepted_ms, expires_ms: as its record there says.
        deliveries: there, the one that is out included.
        floor: of these, what is known to be on disk, with the moment at which it will be.
        out: it is with a consumer.
        verdict: why it is not to be delivered there again, and the moment of that.
        ended: the moment from which it is settled for good.
        moves: how often it became a dead letter.
        circle: queues in which it has expired, one behind the other, since somebody refused it.
        redriven: how often it was sent back, and the moment of the last time.
        before: what it was before that.
    """

    place: str
    moment: int
    accepted_ms: int
    expires_ms: int
    deliveries: int = 0
    floor: tuple[int, int] = (0, 0)
    out: bool = False
    verdict: tuple[Reason, int] | None = None
    ended: int | None = None
    purged: bool = False
    moves: int = 0
    circle: set[str] = field(default_factory=set)
    redriven: tuple[int, int] = (0, 0)
    before: Fate | None = None


class Fates:
    """All messages, and what is known to be durable.

    Attributes:
        confirmed: everything up to this moment is on disk.
        gone: bodies that may never be seen again.
    """

    def __init__(self, options: dict[str, QueueOptions]) -> None:
        self.options = options
        self.known: dict[str, Fate] = {}
        self.gone: set[str] = set()
        self.moment = 0
        self.confirmed = 0

    def next_moment(self) -> int:
        """What is done from here on is durable later than what was done before."""
        self.moment += 1
        return self.moment

    def confirm(self, moment: int) -> None:
        self.confirmed = max(self.confirmed, moment)

    def deadline(self, fate: Fate) -> int:
        """Until when it may be delivered where it is."""
        ttl_ms = self.options[fate.place].message_ttl_ms
        own = fate.expires_ms or NEVER
        return own if ttl_ms is None else min(own, fate.accepted_ms + ttl_ms)

    # -- what clients do

    def publish(self, body: str, queue: str, moment: int, now_ms: int, expires_ms: int) -> None:
        self.known[body] = Fate(queue, moment, now_ms, expires_ms)

    def returned(self, body: str, moment: int) -> None:
        """It came back; perhaps once too often."""
        fate = self.known[body]
        fate.out = False
        fate.floor = fate.deliveries, moment
        limit = self.options[fate.place].delivery_limit
        if limit and fate.deliveries >= limit:
            self.condemned(body, Reason.DELIVERY_LIMIT, moment)

    def condemned(self, body: str, reason: Reason, moment: int) -> None:
        fate = self.known[body]
        fate.out = False
        fate.verdict = reason, moment
        if reason is Reason.REJECTED and not self.options[fate.place].dead_letter:
            fate.ended = moment  # for other reasons it is written first that it is condemned, and then it is given up

    def settled(self, body: str, moment: int) -> None:
        fate = self.known[body]
        fate.out = False
        fate.ended = moment

    def sent_back(self, queue: str, record: bytes, moment: int, now_ms: int) -> None:
        """A job has redriven it from this queue to where it died last."""
        body = self._seen(queue, record)
        fate = self.known[body]
        assert not fate.out, f"{body} was redriven while it was with a consumer"
        assert fate.verdict is None, f"{body} was redriven although it is condemned"
        assert fate.ended is None, f"{body} was redriven after it was settled"
        origin = header(decode(record), "dead-letter-from") or ""
        again = Fate(origin, fate.moment, now_ms, 0, purged=fate.purged, before=fate)
        again.redriven = fate.redriven[0] + 1, moment
        self.known[body] = again

    # -- what is seen

    def delivered(self, queue: str, record: bytes, deliveries: int, redelivered: bool, now_ms: int) -> str:
        """A consumer has got it. Returns its body."""
        body = self._seen(queue, record)
        fate = self.known[body]
        assert now_ms < self.deadline(fate), f"{body} was delivered after its deadline"
        assert fate.verdict is None, f"{body} was delivered although it is condemned"
        assert fate.ended is None, f"{body} was delivered after it was settled"
        assert not fate.out, f"{body} is out with two"
        assert deliveries == fate.deliveries + 1, f"delivery {deliveries} of {body} follows {fate.deliveries}"
        assert redelivered or not fate.deliveries
        limit = self.options[queue].delivery_limit
        assert not limit or deliveries <= limit, f"{body} was delivered more often than it may be"
        fate.deliveries, fate.out = deliveries, True
        return body

    def recovered(self, found: dict[str, dict[int, tuple[int, bytes]]], now_ms: int) -> None:
        """What is owed after a start: queue → number → (standing, record). It has to be a state that may be."""
        seen: set[str] = set()
        for queue, messages in found.items():
            for standing, record in messages.values():
                self._take_back(record)
                body = self._seen(queue, record)
                assert body not in seen, f"{body} is in two places"
                seen.add(body)
                self._recover(body, standing, now_ms)
        for body, fate in list(self.known.items()):
            if body not in seen:
                self._check_absent(body, fate, now_ms)
                del self.known[body]
                self.gone.add(body)
        self.confirmed = self.moment

    def _take_back(self, record: bytes) -> None:
        """It may be as it was before it was redriven, if nobody was told of that."""
        fate = self.known.get(body_of(record))
        count = int(header(decode(record), "redriven-count") or 0)
        while fate is not None and fate.redriven[0] > count:
            assert fate.redriven[1] > self.confirmed, f"{body_of(record)} was redriven, durably, and is back"
            assert fate.before is not None
            self.known[body_of(record)] = fate = fate.before

    def _recover(self, body: str, standing: int, now_ms: int) -> None:
        fate = self.known[body]
        assert fate.ended is None or fate.ended > self.confirmed, f"{body} was settled, durably, and is back"
        deliveries, reason = sentence_of(standing) if standing >= CONDEMNED else (standing, None)
        assert deliveries <= fate.deliveries, f"{body} was delivered {fate.deliveries} times, and not {deliveries}"
        count, moment = fate.floor
        assert deliveries >= count or moment > self.confirmed, f"{body} has forgotten deliveries"
        if fate.verdict is not None and fate.verdict[1] <= self.confirmed:
            assert reason is fate.verdict[0], f"{body} was condemned, durably, for {fate.verdict[0]}, not {reason}"
        if reason is not None:
            foreseen = fate.verdict[0] if fate.verdict is not None else Reason.EXPIRED
            assert reason is foreseen, f"nobody has condemned {body} for {reason}"
            assert reason is not Reason.EXPIRED or self.deadline(fate) <= now_ms, f"{body} has not expired"
        fate.verdict = (reason, self.moment) if reason is not None else None
        fate.ended, fate.purged, fate.out = None, False, False
        fate.deliveries, fate.floor = deliveries, (deliveries, self.moment)
        limit = self.options[fate.place].delivery_limit
        if reason is None and limit and deliveries >= limit:
            self.condemned(body, Reason.DELIVERY_LIMIT, self.moment + 1)  # by the node, which comes next
        elif reason is not None:
            self.condemned(body, reason, self.moment)

    def _check_absent(self, body: str, fate: Fate, now_ms: int) -> None:
        reasons = (
            fate.moment > self.confirmed,
            fate.ended is not None,
            fate.purged,
            fate.verdict is not None and not self.options[fate.place].dead_letter,
            self._expires_for_good(fate, now_ms),
        )
        assert any(reasons), f"{body} was confirmed, is not settled, and is nowhere; last seen in {fate}"

    def _expires_for_good(self, fate: Fate, now_ms: int) -> bool:
        """True when it may have expired, and then so often that it was given up."""
        place, circle, deadline = fate.place, set(fate.circle), self.deadline(fate)
        if (
            fate.verdict is not None and fate.verdict[0] is not Reason.EXPIRED
        ):  # it has moved, and may have expired there
            place, circle = self.options[place].dead_letter, set()
            deadline = fate.accepted_ms + _never(self.options[place].message_ttl_ms) if place else NEVER
        while deadline <= now_ms:
            options = self.options[place]
            if not options.dead_letter or place in circle:
                return True
            circle.add(place)
            place = options.dead_letter
            deadline += _never(self.options[place].message_ttl_ms)
        return False

    def _seen(self, queue: str, record: bytes) -> str:
        """A message is somewhere: there, or on its way there."""
        message, body = decode(record), body_of(record)
        assert body not in self.gone, f"{body} is back"
        fate = self.known[body]
        deaths = json.loads(header(message, "x-death") or "[]")
        assert int(header(message, "redriven-count") or 0) == fate.redriven[0], f"{body}: {fate}"
        moves = sum(death["count"] for death in deaths)
        if moves != fate.moves or queue != fate.place:
            self._moved(body, fate, queue, record, moves)
        return body

    def _moved(self, body: str, fate: Fate, queue: str, record: bytes, moves: int) -> None:
        """It is a dead letter since it was seen last: by a way that there is, for a reason that there was."""
        message = decode(record)
        deaths = json.loads(header(message, "x-death") or "[]")
        place = came_from = fate.place
        for _ in range(moves - fate.moves):
            came_from, place = place, self.options[place].dead_letter
        assert (place, moves > fate.moves) == (queue, True), f"{body} in {queue}: there is no way there from {fate}"
        assert header(message, "dead-letter-from") == came_from
        latest = Reason(_REASON_OF[header(message, "dead-letter-reason") or ""])
        if moves == fate.moves + 1:
            self._check_reason(body, fate, latest, int(header(message, "dead-letter-time") or 0))
            assert int(header(message, "dead-letter-deliveries") or 0) == fate.deliveries, f"{body}: {fate}"
        else:
            assert latest is Reason.EXPIRED, "nobody was given it on the way"
        assert message.expires_ms == 0
        fate.circle = set()
        for death in deaths:
            if death["reason"] != Reason.EXPIRED.text:
                break
            fate.circle.add(death["queue"])
        moved = Fate(queue, fate.moment, message.accepted_ms, 0, moves=moves, circle=fate.circle, purged=fate.purged)
        moved.redriven, moved.before = fate.redriven, fate.before
        self.known[body] = moved

    def _check_reason(self, body: str, fate: Fate, reason: Reason, time_ms: int) -> None:
        assert not fate.out, f"{body} was moved while it was with a consumer"
        if reason is Reason.EXPIRED:
            assert time_ms >= self.deadline(fate), f"{body} was moved before its deadline"
            assert fate.verdict is None or fate.verdict[0] is reason
        else:
            assert fate.verdict is not None, f"nobody has condemned {body}"
            assert fate.verdict[0] is reason


_REASON_OF = {reason.text: reason for reason in Reason}


def _never(ttl_ms: int | None) -> int:
    return NEVER if ttl_ms is None else ttl_ms
