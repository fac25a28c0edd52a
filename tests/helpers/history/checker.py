"""Judges a history: what did the broker promise, and where do the clients' own notes prove that it broke its word?

`check` is a pure function. It never accuses wrongly: whatever a client cannot know (did the broker see my last ACK
before it died?) counts for the broker. What can be proved is listed in `Kind`; the reasoning stands at each rule.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise

from tests.helpers.history.account import Account, Delivery, Message, Transaction, open_account
from tests.helpers.history.events import Event
from tests.helpers.history.order import find_out_of_order, find_overtaken, find_sole_consumer_out_of_order
from tests.helpers.history.violation import Kind, Violation, describe

__all__ = ["Kind", "Violation", "check"]


def check(events: Iterable[Event]) -> list[Violation]:
    """Find every promise that the history proves to be broken.

    Args:
        events: The notes of all clients and of whoever started and killed the broker, in any order, as long as those
            of one connection are in theirs.

    Raises:
        MalformedHistory: The notes break the rules of writing (`events`).
    """
    account = open_account(events)
    return [violation for rule in _RULES for violation in rule(account)]


def _find_strangers(account: Account) -> Iterator[Violation]:
    for delivery in account.strangers:
        yield Violation(Kind.STRANGER, delivery.event.message, describe(delivery))
    for delivery, message in _known(account):
        if delivery.event.queue != message.queue:
            yield Violation(Kind.STRANGER, message.name, f"sent to {message.queue}, {describe(delivery)}")


def _find_corrupted(account: Account) -> Iterator[Violation]:
    for delivery, message in _known(account):
        if delivery.event.digest != message.digest:
            yield Violation(Kind.CORRUPTED, message.name, describe(delivery))


def _find_uncommitted(account: Account) -> Iterator[Violation]:
    for delivery, message in _known(account):
        if not message.may_exist:
            yield Violation(Kind.NOT_COMMITTED, message.name, describe(delivery))


# Loss ------------------------------------------------------------------------------------------------------------


def _find_lost(account: Account) -> Iterator[Violation]:
    """After a queue was read to its end, every message that existed must have met a consumer who acknowledged it.

    A message that was delivered once existed on disk, confirmed or not; from then on it may only go by an ACK.
    """
    for message in account.messages.values():
        if message.accepted_after > account.drained.get(message.queue, -math.inf):
            continue
        if not message.deliveries:
            if message.is_confirmed and message.may_exist:
                yield Violation(Kind.LOST, message.name, f"confirmed at {message.confirmed_at}, never delivered")
        elif not _may_be_gone(message):
            yield Violation(Kind.LOST, message.name, f"never came back after: {describe(message.deliveries[-1])}")


def _may_be_gone(message: Message) -> bool:
    """Whether an ACK can have settled it: the last consumer's, for an earlier one was disproved by what followed.

    A delivery that is not certain may stand anywhere in the row, so its ACK always can.
    """
    certain = [delivery for delivery in message.deliveries if delivery.is_certain]
    doubtful = [delivery for delivery in message.deliveries if not delivery.is_certain]
    if any(delivery.is_settled for delivery in certain):
        return True
    return any(delivery.may_be_settled for delivery in certain[-1:] + doubtful)


# Once and only once ----------------------------------------------------------------------------------------------


def _find_repetitions(account: Account) -> Iterator[Violation]:
    """Compare each delivery with those before it.

    A delivery that its client read from a connection which the broker had closed long before (not `is_certain`) may be
    older than it looks: it proves nothing against itself, but does against those that come after it.
    """
    for message in account.messages.values():
        for before, delivery in _pairs(message):
            proof = f"{describe(before)}, {describe(delivery)}"
            if delivery.at < before.held_until:
                yield Violation(Kind.OUT_TWICE, message.name, proof)
            elif before.is_settled:
                yield Violation(Kind.AFTER_ACK, message.name, proof)
            if not delivery.event.redelivered:
                yield Violation(Kind.UNFLAGGED, message.name, proof)
            if _has_not_counted(message, before, delivery):
                yield Violation(Kind.COUNT, message.name, proof)


def _pairs(message: Message) -> Iterator[tuple[Delivery, Delivery]]:
    """Every delivery with the one before it, or with an earlier one that was settled."""
    settled: Delivery | None = None
    for before, delivery in pairwise(message.deliveries):
        settled = before if before.is_settled else settled
        if delivery.is_certain:
            yield settled or before, delivery


def _has_not_counted(message: Message, before: Delivery, delivery: Delivery) -> bool:
    """The count rises with every delivery; a crash may swallow those whose return was never confirmed."""
    count = delivery.event.delivery_count
    crashed = before.connection.life is not delivery.connection.life and before.connection.life.killed
    counted = [
        earlier.event.delivery_count or 0
        for earlier in message.deliveries
        if earlier.at < delivery.at and (earlier.nack_confirmed < delivery.at if crashed else earlier is before)
    ]
    return count is not None and count <= max(counted, default=0)


# Transactions ----------------------------------------------------------------------------------------------------


def _find_torn(account: Account) -> Iterator[Violation]:
    """All or nothing: what was sent is there and what was acknowledged stays away, or the other way round.

    Judged when every queue that it touches was read to its end.
    """
    for transaction in account.transactions.values():
        if not transaction.is_committed or not _is_drained(account, transaction):
            continue
        done = [f"{message.name} is there" for message in transaction.messages if message.deliveries]
        done += [f"{_name(ack)} stayed away" for ack in transaction.acks if _stayed_away(ack)]
        undone = [f"{message.name} is not there" for message in transaction.messages if not message.deliveries]
        undone += [f"{_name(ack)} came again" for ack in transaction.acks if _came_again(ack)]
        if done and undone:
            yield Violation(Kind.TORN, transaction.name, "; ".join(done[:3] + undone[:3]))


def _is_drained(account: Account, transaction: Transaction) -> bool:
    queues = {message.queue for message in transaction.messages}
    queues |= {ack.event.queue for ack in transaction.acks}
    at = transaction.outcome.at if transaction.outcome is not None else math.inf
    return all(account.drained.get(queue, -math.inf) > at for queue in queues)


def _came_again(ack: Delivery) -> bool:
    assert ack.message is not None
    return any(other.at > ack.at and other.is_certain for other in ack.message.deliveries)


def _stayed_away(ack: Delivery) -> bool:
    """No other delivery can have followed: not even one that was read early or late (`is_certain`)."""
    assert ack.message is not None
    others = [other for other in ack.message.deliveries if other is not ack]
    return not others if not ack.is_certain else all(other.at < ack.at for other in others)


# -----------------------------------------------------------------------------------------------------------------


def _known(account: Account) -> Iterator[tuple[Delivery, Message]]:
    for delivery in account.deliveries:
        if delivery.message is not None:
            yield delivery, delivery.message


def _name(delivery: Delivery) -> str:
    return delivery.event.message


_RULES = (
    _find_strangers,
    _find_corrupted,
    _find_uncommitted,
    _find_lost,
    _find_repetitions,
    find_out_of_order,
    find_sole_consumer_out_of_order,
    find_overtaken,
    _find_torn,
)
