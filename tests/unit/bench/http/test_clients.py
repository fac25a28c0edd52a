"""Conversations: what a client asks for next, by what it was answered."""

import itertools
import json
from collections.abc import Callable

import pytest

from segue.bench.http.clients import consuming, publishing
from segue.bench.http.door import BODY_PATTERN
from segue.bench.http.ironmq import IronMQ
from segue.bench.http.tally import Tally
from segue.bench.replies import BrokerError

DOOR = IronMQ("q")
DELETED = b'{"msg":"Deleted"}'


def times(count: int) -> Callable[[], bool]:
    """True so many times."""
    asked = itertools.count(1)
    return lambda: next(asked) <= count


def posted(count: int) -> bytes:
    return json.dumps({"ids": [str(number) for number in range(count)]}).encode()


def reserved(*numbers: int) -> bytes:
    messages = [{"id": "1", "body": (BODY_PATTERN % number).decode(), "reservation_id": "r"} for number in numbers]
    return json.dumps({"messages": messages}).encode()


def test_a_publisher_goes_on_with_new_numbers_until_it_is_time() -> None:
    tally = Tally()
    conversation = publishing(DOOR, 2, tally, times(2))
    assert next(conversation) == DOOR.publishing(2)(0)
    assert conversation.send(posted(2)) == DOOR.publishing(2)(2)
    with pytest.raises(StopIteration):
        conversation.send(posted(2))
    assert tally.published == 4


def test_a_batch_that_was_confirmed_in_part_ends_the_publisher() -> None:
    conversation = publishing(DOOR, 2, Tally(), times(2))
    next(conversation)
    with pytest.raises(BrokerError, match="1 messages were confirmed, not 2"):
        conversation.send(posted(1))


def test_a_consumer_settles_what_it_took_before_it_looks_at_the_time() -> None:
    tally = Tally()
    conversation = consuming(DOOR, 2, tally, times(1), settled=False)
    assert next(conversation) == DOOR.taking(2)
    assert conversation.send(reserved(0, 1)) == DOOR.taken(reserved(0, 1)).settlement
    assert tally.taken == 0
    with pytest.raises(StopIteration):
        conversation.send(DELETED)
    assert tally.taken == 2


def test_a_consumer_ends_when_there_is_nothing_more() -> None:
    conversation = consuming(DOOR, 2, Tally(), lambda: True, settled=False)
    next(conversation)
    with pytest.raises(StopIteration):
        conversation.send(reserved())


def test_messages_that_could_not_be_settled_are_not_counted() -> None:
    tally = Tally()
    conversation = consuming(DOOR, 1, tally, lambda: True, settled=False)
    next(conversation)
    conversation.send(reserved(0))
    with pytest.raises(BrokerError, match="could not be settled"):
        conversation.send(b'{"msg":"?"}')
    assert tally.taken == 0
