"""Policies that are set while the broker runs: which is in force, what survives, and that queues follow at once."""

from __future__ import annotations

import pytest

from segue.broker.errors import InUseError, LimitReachedError, NotFoundError
from segue.broker.node import Node
from segue.broker.policies import Claim, Source
from segue.broker.policy_book import PolicyBook, PolicyRow
from segue.broker.queue_options import REFUSE, QueueOptions
from segue.broker.settings import Policy
from tests.unit.broker.actors import World, record

LONG = Policy("*", messages_max=100)
SHORT = Policy("*", messages_max=1)


@pytest.fixture
def governed() -> World:
    """A broker with one policy of the settings."""
    return World(policies={"bound": LONG})


def set_policy(world: World, name: str, policy: Policy) -> None:
    world.node.policy_book.set(name, policy)
    for queue in world.node.queues.values():
        world.node.apply_policies(queue)
    world.settle_down()


def test_queues_that_are_there_follow_a_policy_when_it_is_set_and_when_it_is_deleted(world: World) -> None:
    queue = world.node.queue("q")
    world.publish(queue, "a", "b", "c")
    set_policy(world, "bound", SHORT)
    assert (queue.options.messages_max, queue.statistics().ready) == (1, 1)
    assert world.node.queue("new").options.messages_max == 1
    world.node.policy_book.delete("bound")
    assert world.node.apply_policies(queue)
    assert queue.options == QueueOptions()


def test_one_that_is_set_takes_the_place_of_one_of_the_settings_until_it_is_deleted(governed: World) -> None:
    book = governed.node.policy_book
    book.set("bound", SHORT)
    rows = [PolicyRow("bound", SHORT, was_set=True, hidden=False), PolicyRow("bound", LONG, was_set=False, hidden=True)]
    assert list(book.rows()) == rows
    assert book.policies.options("q", {}).messages_max == 1
    book.delete("bound")
    assert book.policies.options("q", {}).messages_max == 100
    assert list(book.rows()) == [PolicyRow("bound", LONG, was_set=False, hidden=False)]


def test_a_policy_is_set_as_a_whole(world: World) -> None:
    book = world.node.policy_book
    book.set("p", Policy("*", delivery_limit=3))
    book.set("p", SHORT)
    assert book.policies.options("q", {}) == QueueOptions(messages_max=1)


def test_the_reasons_say_which_policy_was_set(governed: World) -> None:
    governed.node.policy_book.set("other", Policy("*", 5, messages_max=7))
    verdicts = {one.option: one for one in governed.node.policies.verdicts("q", {})}
    found = verdicts["messages_max"]
    assert found.claim == Claim(7, Source.POLICY, "other", 5, was_set=True)
    assert found.overruled == (Claim(100, Source.POLICY, "bound", 0, was_set=False),)


def test_what_was_set_is_there_after_a_start_and_a_newer_key_is_passed_over(world: World) -> None:
    book = world.node.policy_book
    book.set("kept", SHORT)
    book.set("gone", LONG)
    book.delete("gone")
    (log,) = world.store.logs.values()
    log.definition["policy"]["of_tomorrow"] = True
    again = PolicyBook(world.store, {})
    again.recover([log])
    assert [row.policy for row in again.rows()] == [SHORT]
    again.set("kept", LONG)
    assert list(world.store.logs.values()) == [log]


def test_a_start_gives_queues_what_was_set_wherever_its_log_stands(world: World) -> None:
    world.node.queue("q")
    world.node.policy_book.set("p", SHORT)
    node = Node(world.store, world.settings, world.clock, world.log, world.node.users)
    assert node.queues["q"].options.messages_max == 1


def test_only_what_was_set_can_be_deleted(governed: World) -> None:
    with pytest.raises(InUseError, match="settings"):
        governed.node.policy_book.delete("bound")
    with pytest.raises(NotFoundError):
        governed.node.policy_book.delete("nothing")


def test_there_are_only_so_many(world: World) -> None:
    book = world.node.policy_book
    for number in range(1000):
        book._set[f"p{number}"] = SHORT, world.node.queue("q").log
    with pytest.raises(LimitReachedError):
        book.set("one more", SHORT)


def test_who_keeps_how_to_publish_has_to_look_again_only_when_a_queue_begins_to_refuse_or_ends(world: World) -> None:
    queue = world.node.queue("q")
    world.publish(queue, "a")
    before = world.node.routes_version
    set_policy(world, "p", SHORT)
    assert world.node.routes_version == before
    set_policy(world, "p", Policy("*", messages_max=1, overflow=REFUSE))
    assert world.node.routes_version == before + 1
    with pytest.raises(LimitReachedError):
        queue.publish(record("b"))
    world.node.queue("another that refuses from its beginning")
    assert world.node.routes_version == before + 1
    set_policy(world, "p", SHORT)
    assert world.node.routes_version == before + 3
