"""The rules by which a message is pushed again, or no more."""

from __future__ import annotations

import itertools
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.protocols.push.options import PushOptions, PushType, Subscriber
from segue.protocols.push.outcome import Outcome
from segue.protocols.push.tries import Event, Status, Tries, TriesOfSubscriber

OK, ACCEPTED, FAILED = Outcome.answered(200), Outcome.answered(202), Outcome.answered(500)
HOPELESS = Outcome(0, "refused", retry=False)
DELAY_MS = 60_000
WALL_MS = 1_700_000_000_000


def options(kind: PushType, *names: str, retries: int = 3) -> PushOptions:
    return PushOptions(kind, tuple(Subscriber(name, f"http://{name}.example/") for name in names), retries, 60)


class Message:
    """One message, its tries, and a clock."""

    def __init__(self, kind: PushType, *names: str, retries: int = 3) -> None:
        self.options = options(kind, *names, retries=retries)
        self.tries = Tries.begin("1", names)
        self.now_ms = 0

    def due(self) -> list[str]:
        return self.tries.take_due(self.options, self.now_ms)

    def ended(self, name: str, outcome: Outcome) -> None:
        self.tries.ended(name, outcome, self.options, self.now_ms, WALL_MS + self.now_ms)

    def round(self, *outcomes: Outcome) -> list[str]:
        """Push to whom it is due, and again, until nobody is; each push ends with the next of these."""
        pushed: list[str] = []
        left = list(outcomes)
        while due := self.due():
            for name in due:
                self.ended(name, left.pop(0))
            pushed += due
        assert not left
        return pushed

    def later(self, ms: int = DELAY_MS) -> None:
        self.now_ms += ms
        self.tries.run_out(self.options, self.now_ms)

    def statuses(self) -> dict[str, str]:
        return {name: str(one.status) for name, one in self.tries.subscribers.items()}

    def is_finished(self) -> bool:
        return self.tries.is_finished(self.options)


def multicast(*names: str, retries: int = 3) -> Message:
    return Message(PushType.MULTICAST, *names, retries=retries)


def unicast(*names: str, retries: int = 3) -> Message:
    return Message(PushType.UNICAST, *names, retries=retries)


# -- the table

HAPPENS: dict[Status, dict[Event, Status]] = {
    Status.QUEUED: {
        Event.DONE: Status.DELETED,
        Event.TAKEN: Status.RESERVED,
        Event.FAILED: Status.RETRYING,
        Event.EXHAUSTED: Status.ERROR,
        Event.ACKNOWLEDGED: Status.DELETED,
    },
    Status.RETRYING: {
        Event.DONE: Status.DELETED,
        Event.TAKEN: Status.RESERVED,
        Event.FAILED: Status.RETRYING,
        Event.EXHAUSTED: Status.ERROR,
        Event.ACKNOWLEDGED: Status.DELETED,
    },
    Status.RESERVED: {
        Event.RAN_OUT: Status.RETRYING,
        Event.EXHAUSTED: Status.ERROR,
        Event.ACKNOWLEDGED: Status.DELETED,
    },
    Status.DELETED: dict.fromkeys(Event, Status.DELETED),
    Status.ERROR: {},
}


@pytest.mark.parametrize(("status", "event"), list(itertools.product(Status, Event)))
def test_every_event_in_every_status_is_known_or_can_not_happen(status: Status, event: Event) -> None:
    one = TriesOfSubscriber(status)
    expected = HAPPENS[status].get(event)
    if expected is None:
        with pytest.raises(KeyError):
            one.turn(event)
        assert one.status is status
    else:
        one.turn(event)
        assert one.status is expected


# -- multicast


def test_multicast_pushes_to_each_subscriber_once() -> None:
    message = multicast("a", "b")
    assert message.due() == ["a", "b"]
    assert message.due() == []
    message.ended("a", OK)
    assert not message.is_finished()
    message.ended("b", OK)
    assert message.is_finished()
    assert message.statuses() == {"a": "deleted", "b": "deleted"}
    assert message.tries.failed(message.options) == {}


def test_only_those_that_failed_are_pushed_to_again_and_after_the_delay() -> None:
    message = multicast("a", "b", "c")
    message.round(OK, FAILED, FAILED)
    assert message.statuses() == {"a": "deleted", "b": "retrying", "c": "retrying"}
    assert message.tries.next_due_ms(message.options) == DELAY_MS
    message.later(DELAY_MS - 1)
    assert message.due() == []
    message.later(1)
    assert message.round(OK, OK) == ["b", "c"]
    assert message.is_finished()


def test_a_subscriber_is_pushed_to_once_and_so_often_again_as_there_are_retries() -> None:
    message = multicast("a", retries=2)
    for remaining in (1, 0):
        message.round(FAILED)
        assert message.tries.subscribers["a"].retries_remaining(2) == remaining
        message.later()
    message.round(FAILED)
    assert message.statuses() == {"a": "error"}
    assert message.is_finished()
    [(name, one)] = message.tries.failed(message.options).items()
    assert (name, one.tries, one.status_code, one.text) == ("a", 3, 500, "Internal Server Error")
    assert one.last_try_ms == WALL_MS + 2 * DELAY_MS


def test_without_retries_the_first_failure_is_the_last() -> None:
    message = multicast("a", retries=0)
    message.round(FAILED)
    assert message.statuses() == {"a": "error"}


def test_what_another_try_can_not_mend_is_not_tried_again() -> None:
    message = multicast("a", "b")
    message.round(HOPELESS, OK)
    assert message.statuses() == {"a": "error", "b": "deleted"}
    assert message.is_finished()
    assert list(message.tries.failed(message.options)) == ["a"]


# -- 202


def test_a_message_that_a_subscriber_has_is_not_pushed_until_its_time_is_over() -> None:
    message = multicast("a")
    message.round(ACCEPTED)
    assert message.statuses() == {"a": "reserved"}
    assert message.tries.is_reserved
    message.later(DELAY_MS - 1)
    assert message.due() == []
    message.later(1)
    assert message.statuses() == {"a": "retrying"}
    assert message.tries.subscribers["a"].text == "Not acknowledged in time"
    assert message.round(OK) == ["a"]
    assert message.is_finished()


def test_a_message_that_is_reserved_again_and_again_fails_in_the_end() -> None:
    message = multicast("a", retries=1)
    message.round(ACCEPTED)
    message.later()
    message.round(ACCEPTED)
    message.later()
    assert message.statuses() == {"a": "error"}
    assert message.tries.failed(message.options)["a"].status_code == 202


def test_who_has_a_message_acknowledges_it_by_its_reservation() -> None:
    message = multicast("a", "b")
    message.due()
    message.tries.reserve("a", "r1")
    message.tries.reserve("b", "r2")
    message.ended("a", ACCEPTED)
    message.ended("b", ACCEPTED)
    for name, reservation_id in (("a", "r2"), ("a", ""), ("c", "r1"), ("", "")):
        assert not message.tries.acknowledge(name, reservation_id)
    assert message.tries.acknowledge("a", "r1")
    assert not message.is_finished()
    assert message.tries.acknowledge("b", "r2")
    assert message.is_finished()


def test_an_acknowledgement_may_come_before_the_answer_to_the_push() -> None:
    message = multicast("a")
    message.due()
    message.tries.reserve("a", "r1")
    assert message.tries.acknowledge("a", "r1")
    assert message.is_finished()
    message.ended("a", FAILED)
    assert message.statuses() == {"a": "deleted"}
    assert message.is_finished()


def test_a_message_that_was_never_pushed_can_not_be_acknowledged() -> None:
    assert not multicast("a").tries.acknowledge("a", "")


# -- unicast


def test_unicast_stops_at_the_first_that_takes_the_message() -> None:
    message = unicast("a", "b")
    assert message.round(OK) == ["a"]
    assert message.is_finished()
    assert message.statuses() == {"a": "deleted", "b": "queued"}
    assert message.tries.failed(message.options) == {}


def test_unicast_goes_on_to_the_next_at_once_and_to_all_again_after_the_delay() -> None:
    message = unicast("a", "b", "c")
    assert message.round(FAILED, FAILED, FAILED) == ["a", "b", "c"]
    message.later(DELAY_MS - 1)
    assert message.due() == []
    message.later(1)
    assert message.round(FAILED, OK) == ["a", "b"]
    assert message.is_finished()


def test_unicast_waits_from_the_end_of_its_round() -> None:
    message = unicast("a", "b")
    for _ in range(2):
        [name] = message.due()
        message.later(10_000)
        message.ended(name, FAILED)
    assert message.tries.next_due_ms(message.options) == 20_000 + DELAY_MS


def test_unicast_has_failed_when_all_have() -> None:
    message = unicast("a", "b", retries=1)
    message.round(FAILED, HOPELESS)
    assert message.statuses() == {"a": "retrying", "b": "error"}
    assert not message.is_finished()
    message.later()
    assert message.round(FAILED) == ["a"]
    assert message.is_finished()
    assert list(message.tries.failed(message.options)) == ["a", "b"]


def test_unicast_pushes_to_nobody_else_while_one_has_the_message() -> None:
    message = unicast("a", "b")
    assert message.round(ACCEPTED) == ["a"]
    message.later(DELAY_MS - 1)
    assert message.due() == []
    message.later(1)
    assert message.round(OK) == ["b"]


# -- pushes that are put off


def test_a_push_that_was_not_made_is_no_try() -> None:
    message = multicast("a", "b")
    message.due()
    message.tries.put_off("a", 5_000)
    message.ended("b", OK)
    assert message.tries.subscribers["a"] == TriesOfSubscriber(due_ms=5_000)
    assert message.tries.next_due_ms(message.options) == 5_000
    message.later(5_000)
    assert message.round(OK) == ["a"]


def test_unicast_passes_over_who_is_left_alone() -> None:
    message = unicast("a", "b")
    message.due()
    message.tries.put_off("a", 5_000)
    assert message.round(FAILED) == ["b"]
    assert message.tries.next_due_ms(message.options) == 5_000
    message.later(5_000)
    assert message.round(OK) == ["a"]


def test_unicast_looks_at_who_was_left_alone_when_the_reservation_of_another_ends() -> None:
    message = unicast("a", "b")
    message.due()
    message.tries.put_off("a", 5_000)
    assert message.round(ACCEPTED) == ["b"]
    message.later(5_000)
    assert message.due() == []
    assert message.tries.next_due_ms(message.options) == DELAY_MS
    message.later(DELAY_MS - 5_000)
    assert message.due() == ["a"]


# -- subscribers that come and go


def test_who_is_no_subscriber_any_more_is_forgotten_and_a_new_one_waits_for_the_next_message() -> None:
    message = multicast("a", "b")
    message.round(FAILED, FAILED)
    message.tries.keep(["b", "c"])
    assert list(message.tries.subscribers) == ["b"]


def test_a_message_that_nobody_is_left_to_get_goes_to_those_that_there_are() -> None:
    message = multicast("a", "b")
    message.round(FAILED, FAILED)
    message.tries.keep(["c"])
    assert message.round(OK) == ["c"]


def test_a_message_that_was_delivered_to_one_that_has_gone_is_not_pushed_again() -> None:
    message = multicast("a", "b")
    message.round(OK, FAILED)
    message.tries.keep(["c"])
    assert message.is_finished()
    assert message.tries.failed(message.options) == {}


def test_a_push_that_is_under_way_ends_though_its_subscriber_has_gone() -> None:
    message = multicast("a")
    message.due()
    message.tries.keep(["b"])
    message.ended("a", OK)
    assert message.statuses() == {"a": "deleted"}


# -- on disk

tries_of_subscribers = st.builds(
    TriesOfSubscriber,
    status=st.sampled_from(Status),
    tries=st.integers(0, 200),
    status_code=st.integers(0, 999),
    text=st.text(max_size=20),
    last_try_ms=st.integers(0, 1 << 50),
    due_ms=st.integers(0, 1 << 50),
    reservation_id=st.text(max_size=20),
)


@given(st.text(max_size=20), st.dictionaries(st.text(max_size=20), tries_of_subscribers, max_size=4))
def test_tries_are_read_as_they_were_written(message_id: str, subscribers: dict[str, TriesOfSubscriber]) -> None:
    found = Tries.from_json(Tries(message_id, subscribers).to_json())
    assert (found.message_id, found.subscribers) == (message_id, subscribers)
    assert list(found.subscribers) == list(subscribers)


def test_what_is_as_in_the_beginning_is_not_written() -> None:
    assert Tries.begin("7", ["a"]).to_json() == '{"id":"7","subscribers":{"a":{}}}'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"id":"1"}',
        '{"id":"1","subscribers":[]}',
        '{"id":"1","subscribers":{"a":[]}}',
        '{"id":"1","subscribers":{"a":{"status":"unheard of"}}}',
        '{"id":"1","subscribers":{"a":{"tries":"many"}}}',
        '{"id":"1","subscribers":{"a":{"tries":null}}}',
        "[" * 100_000,
    ],
)
def test_what_are_no_tries_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Tries.from_json(text)


@given(st.text(max_size=60))
def test_only_a_value_error_ever_comes_out(text: str) -> None:
    with suppress(ValueError):
        Tries.from_json(text)
