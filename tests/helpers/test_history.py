"""Tests of the history checker: each broken promise is found, and nothing that a client cannot know is held against it.

A history is written line by line with `Story`; the clock ticks once a line.
"""

from __future__ import annotations

import pytest

from tests.helpers.history.account import MalformedHistory
from tests.helpers.history.checker import Kind, check
from tests.helpers.history.events import Event, PublishConfirmed
from tests.helpers.history.story import Story

__all__: list[str] = []


def kinds(events: list[Event]) -> set[Kind]:
    return {violation.kind for violation in check(events)}


@pytest.fixture
def story() -> Story:
    """A broker that runs, a producer p, two consumers a and b of queue q."""
    story = Story()
    story.broker_started()
    story.opened("p")
    story.subscribed("a", "q")
    story.subscribed("b", "q")
    return story


def kill_and_restart(story: Story, *connections: str) -> None:
    story.killed(*connections)
    story.broker_started()


def drain(story: Story, *messages: str, redelivered: bool = True) -> None:
    """Everybody leaves; consumer z takes what is expected to be left and acknowledges it."""
    for name in list(story.alive):
        story.left(name)
    story.subscribed("z", "q")
    for message in messages:
        story.delivered("z", message, redelivered=redelivered)
        story.acked("z", message)
    story.drained("z", "q")


def test_a_message_that_is_published_delivered_and_acknowledged_is_fine(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.acked("a", "m1")
    drain(story)
    assert check(story.events) == []


# Loss


def test_a_confirmed_message_that_is_never_delivered_is_lost(story: Story) -> None:
    story.published("p", "m1")
    drain(story)
    assert kinds(story.events) == {Kind.LOST}


def test_nothing_is_lost_before_the_queue_was_read_to_its_end(story: Story) -> None:
    story.published("p", "m1")
    assert check(story.events) == []


def test_an_unconfirmed_message_may_be_there_or_not(story: Story) -> None:
    story.sent("p", "m1")
    story.sent("p", "m2")
    story.delivered("a", "m2")
    story.acked("a", "m2")
    drain(story)
    assert check(story.events) == []


def test_a_message_that_is_confirmed_after_the_drain_is_not_missed(story: Story) -> None:
    drain(story)
    story.opened("p2")
    story.published("p2", "m1")
    assert check(story.events) == []


def test_a_message_that_was_seen_and_not_acknowledged_must_come_back(story: Story) -> None:
    story.sent("p", "m1")
    story.delivered("a", "m1")
    drain(story)
    assert kinds(story.events) == {Kind.LOST}


def test_an_unconfirmed_acknowledgement_may_have_worked(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.ack_sent("a", "m1")
    kill_and_restart(story)
    drain(story)
    assert check(story.events) == []


def test_an_unconfirmed_acknowledgement_may_have_failed(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.ack_sent("a", "m1")
    kill_and_restart(story)
    drain(story, "m1")
    assert check(story.events) == []


def test_an_acknowledgement_that_failed_does_not_excuse_a_later_loss(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.ack_sent("a", "m1")
    kill_and_restart(story)
    story.subscribed("c", "q")
    story.delivered("c", "m1", redelivered=True)
    drain(story)
    assert kinds(story.events) == {Kind.LOST}


def test_a_returned_message_must_come_back(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.nacked("a", "m1")
    drain(story)
    assert kinds(story.events) == {Kind.LOST}


# Once and only once


def test_a_delivery_after_a_confirmed_acknowledgement_is_found(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.acked("a", "m1")
    story.delivered("b", "m1", redelivered=True)
    assert kinds(story.events) == {Kind.AFTER_ACK}


def test_a_delivery_after_a_confirmed_acknowledgement_and_a_crash_is_found(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.acked("a", "m1")
    kill_and_restart(story)
    story.subscribed("c", "q")
    story.delivered("c", "m1", redelivered=True)
    assert kinds(story.events) == {Kind.AFTER_ACK}


def test_a_repetition_without_the_flag_is_found(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1")
    kill_and_restart(story)
    story.subscribed("c", "q")
    story.delivered("c", "m1", redelivered=False)
    assert kinds(story.events) == {Kind.UNFLAGGED}


def test_a_first_delivery_with_the_flag_is_fine(story: Story) -> None:
    """The broker may have sent it to a consumer who never read it."""
    story.published("p", "m1")
    story.delivered("a", "m1", redelivered=True)
    assert check(story.events) == []


def test_a_message_with_two_consumers_is_found(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.delivered("b", "m1", redelivered=True)
    assert kinds(story.events) == {Kind.OUT_TWICE}


def test_a_message_twice_with_one_consumer_is_found(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.delivered("a", "m1", redelivered=True)
    assert kinds(story.events) == {Kind.OUT_TWICE}


def test_the_next_consumer_may_have_it_as_soon_as_the_first_has_left(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.left("a")
    story.delivered("b", "m1", redelivered=True)
    assert check(story.events) == []


def test_the_next_consumer_may_have_it_once_disconnect_was_sent(story: Story) -> None:
    """Whether its receipt has come or not: found by the campaign, whose recorder had left it out."""
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.leaving("a")
    story.delivered("b", "m1", redelivered=True)
    story.lost("a", leaving=True)
    assert check(story.events) == []


def test_the_next_consumer_may_have_it_before_the_nack_is_confirmed(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.nack_sent("a", "m1")
    story.delivered("b", "m1", redelivered=True)
    story.nack_confirmed("a", "m1")
    assert check(story.events) == []


def test_a_consumer_whose_connection_the_broker_closed_may_learn_it_late(story: Story) -> None:
    """It reads from its socket's buffer what the broker took back long ago."""
    story.published("p", "m1")
    story.delivered("b", "m1", redelivered=True)
    story.acked("b", "m1")
    story.delivered("a", "m1")
    story.lost("a")
    assert check(story.events) == []


def test_a_consumer_whose_connection_was_alive_is_believed(story: Story) -> None:
    story.published("p", "m1")
    story.published("p", "m2")
    story.delivered("a", "m1")
    story.delivered("a", "m2")
    story.delivered("b", "m1", redelivered=True)
    story.acked("a", "m2")
    story.lost("a")
    assert kinds(story.events) == {Kind.OUT_TWICE}


def test_a_delivery_count_that_does_not_rise_is_found(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1", count=1)
    story.left("a")
    story.delivered("b", "m1", redelivered=True, count=1)
    assert kinds(story.events) == {Kind.COUNT}


def test_a_crash_may_swallow_a_delivery_that_was_not_returned(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1", count=1)
    kill_and_restart(story)
    story.subscribed("c", "q")
    story.delivered("c", "m1", redelivered=True, count=1)
    assert check(story.events) == []


def test_a_crash_may_not_swallow_a_confirmed_return(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1", count=1)
    story.nacked("a", "m1")
    kill_and_restart(story)
    story.subscribed("c", "q")
    story.delivered("c", "m1", redelivered=True, count=1)
    assert kinds(story.events) == {Kind.COUNT}


# Content


def test_a_body_that_changed_is_found(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1", digest="other")
    assert kinds(story.events) == {Kind.CORRUPTED}


def test_a_message_that_nobody_published_is_found(story: Story) -> None:
    story.delivered("a", "m1")
    assert kinds(story.events) == {Kind.STRANGER}


def test_a_message_on_another_queue_is_found(story: Story) -> None:
    story.published("p", "m1", queue="r")
    story.delivered("a", "m1", queue="q")
    assert kinds(story.events) == {Kind.STRANGER}


# Order


def test_messages_of_one_producer_in_another_order_are_found(story: Story) -> None:
    story.sent("p", "m1")
    story.sent("p", "m2")
    story.delivered("a", "m2")
    story.delivered("a", "m1")
    assert kinds(story.events) == {Kind.OUT_OF_ORDER}


def test_unconfirmed_messages_of_two_producers_have_no_order(story: Story) -> None:
    story.opened("p2")
    story.sent("p", "m1")
    story.sent("p2", "m2")
    story.delivered("a", "m2")
    story.delivered("a", "m1")
    assert check(story.events) == []


def test_a_message_that_was_confirmed_before_another_was_sent_comes_first(story: Story) -> None:
    story.opened("p2")
    story.published("p", "m1")
    story.published("p2", "m2")
    story.delivered("a", "m2")
    story.delivered("a", "m1")
    assert kinds(story.events) == {Kind.OUT_OF_ORDER}


def test_an_unconfirmed_message_of_a_dead_broker_comes_before_those_of_the_next(story: Story) -> None:
    story.sent("p", "m1")
    kill_and_restart(story)
    story.opened("p2")
    story.published("p2", "m2")
    story.subscribed("c", "q")
    story.delivered("c", "m2")
    story.delivered("c", "m1")
    assert kinds(story.events) == {Kind.OUT_OF_ORDER}


def test_two_consumers_may_read_in_any_order(story: Story) -> None:
    story.published("p", "m1")
    story.published("p", "m2")
    story.delivered("b", "m2")
    story.delivered("a", "m1")
    assert check(story.events) == []


def test_a_consumer_that_opens_later_gets_later_messages(story: Story) -> None:
    story.published("p", "m1")
    story.published("p", "m2")
    story.delivered("b", "m2")
    story.subscribed("c", "q")
    story.delivered("c", "m1")
    assert kinds(story.events) == {Kind.OUT_OF_ORDER}


def test_the_messages_of_a_transaction_stand_where_its_commit_stands(story: Story) -> None:
    story.sent("p", "m1", transaction="t")
    story.sent("p", "m2")
    story.committed("p", "t")
    story.delivered("a", "m2")
    story.delivered("a", "m1")
    assert check(story.events) == []


def test_the_messages_of_a_transaction_keep_their_order(story: Story) -> None:
    story.sent("p", "m1", transaction="t")
    story.sent("p", "m2", transaction="t")
    story.committed("p", "t")
    story.delivered("a", "m2")
    story.delivered("a", "m1")
    assert kinds(story.events) == {Kind.OUT_OF_ORDER}


def test_a_sole_consumer_after_a_restart_gets_returned_messages_lowest_first(story: Story) -> None:
    for message in ("m1", "m2"):
        story.published("p", message)
        story.delivered("a", message)
    kill_and_restart(story)
    story.subscribed("c", "q")
    story.delivered("c", "m2", redelivered=True)
    story.delivered("c", "m1", redelivered=True)
    assert kinds(story.events) == {Kind.OUT_OF_ORDER}


def test_two_consumers_after_a_restart_share_the_returned_messages_in_any_order(story: Story) -> None:
    for message in ("m1", "m2"):
        story.published("p", message)
        story.delivered("a", message)
    kill_and_restart(story)
    story.subscribed("c", "q")
    story.subscribed("d", "q")
    story.left("d")
    story.delivered("c", "m2", redelivered=True)
    story.delivered("c", "m1", redelivered=True)
    assert check(story.events) == []


def test_a_returned_message_that_is_overtaken_by_an_unread_one_is_found(story: Story) -> None:
    story.published("p", "m1")
    story.published("p", "m2")
    story.delivered("a", "m1")
    story.nacked("a", "m1")
    story.delivered("a", "m2")
    story.delivered("a", "m1", redelivered=True)
    assert kinds(story.events) == {Kind.OVERTAKEN}


def test_an_unread_message_may_come_before_the_nack_is_confirmed(story: Story) -> None:
    story.published("p", "m1")
    story.published("p", "m2")
    story.delivered("a", "m1")
    story.nack_sent("a", "m1")
    story.delivered("a", "m2")
    story.nack_confirmed("a", "m1")
    story.delivered("a", "m1", redelivered=True)
    assert check(story.events) == []


def test_a_message_that_was_out_when_the_broker_died_comes_before_unread_ones(story: Story) -> None:
    story.published("p", "m1")
    story.published("p", "m2")
    story.published("p", "m3")
    story.delivered("a", "m1")
    kill_and_restart(story)
    story.subscribed("c", "q")
    story.subscribed("d", "q")
    story.delivered("c", "m2")
    story.delivered("c", "m1", redelivered=True)
    assert Kind.OVERTAKEN in kinds(story.events)


def test_a_returned_message_may_have_been_on_its_way_to_a_consumer_who_left(story: Story) -> None:
    story.published("p", "m1")
    story.published("p", "m2")
    story.delivered("a", "m1")
    story.nacked("a", "m1")
    story.delivered("a", "m2")
    story.left("b")
    story.delivered("a", "m1", redelivered=True)
    assert check(story.events) == []


def test_a_consumer_who_left_without_a_word_may_be_noticed_late(story: Story) -> None:
    story.published("p", "m1")
    story.published("p", "m2")
    story.delivered("a", "m1")
    story.left("a")
    story.subscribed("c", "q")
    story.delivered("c", "m2")
    story.delivered("c", "m1", redelivered=True)
    assert check(story.events) == []


def test_a_consumer_whose_disconnect_was_confirmed_has_returned_everything(story: Story) -> None:
    story.left("b", settled=True)
    story.published("p", "m1")
    story.published("p", "m2")
    story.delivered("a", "m1")
    story.left("a", settled=True)
    story.subscribed("c", "q")
    story.delivered("c", "m2")
    story.delivered("c", "m1", redelivered=True)
    assert kinds(story.events) == {Kind.OVERTAKEN}


# Transactions


def test_a_message_of_an_aborted_transaction_is_found(story: Story) -> None:
    story.sent("p", "m1", transaction="t")
    story.aborted("p", "t")
    story.delivered("a", "m1")
    assert kinds(story.events) == {Kind.NOT_COMMITTED}


def test_a_message_of_a_transaction_that_was_never_committed_is_found(story: Story) -> None:
    story.sent("p", "m1", transaction="t")
    story.left("p")
    story.delivered("a", "m1")
    assert kinds(story.events) == {Kind.NOT_COMMITTED}


def test_a_part_of_a_committed_transaction_that_is_missing_is_found(story: Story) -> None:
    story.sent("p", "m1", transaction="t")
    story.sent("p", "m2", transaction="t")
    story.committed("p", "t")
    drain(story, "m2")
    assert kinds(story.events) == {Kind.LOST, Kind.TORN}


def test_a_part_of_an_unconfirmed_transaction_that_is_missing_is_found(story: Story) -> None:
    story.sent("p", "m1", transaction="t")
    story.sent("p", "m2", transaction="t")
    story.commit_sent("p", "t")
    drain(story, "m2")
    assert kinds(story.events) == {Kind.TORN}


@pytest.mark.parametrize("there", [(), ("m1", "m2")])
def test_an_unconfirmed_transaction_may_have_happened_or_not(story: Story, there: tuple[str, ...]) -> None:
    story.sent("p", "m1", transaction="t")
    story.sent("p", "m2", transaction="t")
    story.commit_sent("p", "t")
    drain(story, *there)
    assert check(story.events) == []


def acknowledge_and_send_on(story: Story) -> None:
    """Consumer a takes m1 and sends m2, both in one transaction whose outcome it never learns."""
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.ack_sent("a", "m1", transaction="t")
    story.sent("a", "m2", transaction="t")
    story.commit_sent("a", "t")
    kill_and_restart(story)


@pytest.mark.parametrize("there", [("m1",), ("m2",)])
def test_an_acknowledgement_and_what_was_sent_with_it_happen_together(story: Story, there: tuple[str, ...]) -> None:
    acknowledge_and_send_on(story)
    drain(story, *there)
    assert check(story.events) == []


@pytest.mark.parametrize("there", [(), ("m1", "m2")])
def test_an_acknowledgement_without_what_was_sent_with_it_is_found(story: Story, there: tuple[str, ...]) -> None:
    acknowledge_and_send_on(story)
    drain(story, *there)
    assert kinds(story.events) == {Kind.TORN}


def test_a_delivery_after_a_confirmed_transactional_acknowledgement_is_found(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.ack_sent("a", "m1", transaction="t")
    story.committed("a", "t")
    story.delivered("b", "m1", redelivered=True)
    assert kinds(story.events) == {Kind.AFTER_ACK}


def test_a_message_whose_acknowledgement_was_aborted_is_still_out(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.ack_sent("a", "m1", transaction="t")
    story.aborted("a", "t")
    story.delivered("b", "m1", redelivered=True)
    assert kinds(story.events) == {Kind.OUT_TWICE}


def test_a_message_whose_acknowledgement_was_aborted_may_be_acknowledged_again(story: Story) -> None:
    story.published("p", "m1")
    story.delivered("a", "m1")
    story.ack_sent("a", "m1", transaction="t")
    story.aborted("a", "t")
    story.acked("a", "m1")
    drain(story)
    assert check(story.events) == []


# The writing of the history


def test_a_history_that_goes_on_after_the_end_of_a_connection_is_refused(story: Story) -> None:
    story.left("p")
    story.events.append(PublishConfirmed(at=story.now(), connection="p", message="m1"))
    with pytest.raises(MalformedHistory, match="after the end"):
        check(story.events)


def test_a_restart_before_everybody_has_seen_the_end_is_refused(story: Story) -> None:
    story.broker_started()
    with pytest.raises(MalformedHistory, match="had not seen it end"):
        check(story.events)


def test_a_confirmation_without_a_message_is_refused(story: Story) -> None:
    story.events.append(PublishConfirmed(at=story.now(), connection="p", message="m1"))
    with pytest.raises(MalformedHistory, match="not published"):
        check(story.events)
