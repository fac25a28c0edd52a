"""What an operator is shown: each member is in the reference, and each that is there is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import pytest

from segue.broker import inspect
from segue.broker.clock import SteadyClock
from segue.broker.deduplication import DeduplicationId, ProducerNumber
from segue.broker.queue import Queue
from segue.broker.queue_options import QueueOptions
from segue.broker.rates import RateMeter
from segue.broker.selector import compile_selector
from segue.broker.settings import Policy
from segue.protocols.control.message import show_body
from segue.protocols.control.session import _message
from tests.tidy.tree import ROOT
from tests.unit.broker.actors import FakeSink, World, record
from tests.unit.broker.memory_store import FakeClock

PAGE = "docs/reference/statistics.md"


@pytest.fixture
def busy(world: World, queue: Queue) -> World:
    """A node with one of everything."""
    world.publish(queue, *"abc")
    queue.log.cursors[0].quarantined.add(3, 3, "a checksum")
    queue.apply(QueueOptions(priority_max=9))
    session = world.session()
    world.consume(queue, session=session, prefetch=1)
    session.subscribe_topic("news.#", FakeSink(), prefetch=1, settles=False)
    session.subscribe_durable("diary", "news.*", FakeSink(), prefetch=1, settles=True)
    return world


def documented(section: str) -> set[str]:
    text = (ROOT / PAGE).read_text(encoding="utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.+?`) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def members(value: Any, path: str = "") -> Iterator[str]:
    """The paths of everything in an object; a list of objects counts as one."""
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for one in value:
            yield from members(one, path)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from members(inner, f"{path}.{name}" if path else name)
    else:
        yield path


def test_every_member_of_the_status_is_documented_and_no_other(busy: World) -> None:
    assert set(members(inspect.status(busy.node, RateMeter(busy.node)))) == documented("Status")


def test_front_ends_add_what_they_show_of_themselves(world: World) -> None:
    world.node.states["tea"] = lambda: {"cups": 3}
    assert inspect.state(world.node)["tea"] == {"cups": 3}


def test_every_member_of_a_queue_is_documented_and_no_other(busy: World, queue: Queue) -> None:
    meter = RateMeter(busy.node)
    row = inspect.queue_row(busy.node, queue, meter)
    shown = inspect.describe_queue(busy.node, queue, meter)
    assert set(members(shown)) == documented("Queue")
    assert row.keys() < shown.keys()
    assert {name: shown[name] for name in row} == row


def test_every_member_of_the_reasons_for_options_is_documented_and_no_other() -> None:
    world = World(policies={"low": Policy("*", -1, delivery_limit=9), "high": Policy("q*", 5, delivery_limit=2)})
    queue = world.node.declare_queue("q", options=QueueOptions(dead_letter="dead"))
    shown = inspect.explain_queue(world.node, queue)
    assert set(members(shown)) - {"options.overruled"} == documented("Reasons")
    by_name = {option["option"]: option for option in shown["options"]}
    assert list(by_name) == [option.name for option in fields(QueueOptions)]
    high = {"value": 2, "from": "policy", "policy": "high", "priority": 5, "was_set": False}
    low = {"value": 9, "from": "policy", "policy": "low", "priority": -1, "was_set": False}
    assert by_name["delivery_limit"] == {"option": "delivery_limit", **high, "overruled": [low]}
    none: dict[str, Any] = {"policy": None, "priority": None, "was_set": None, "overruled": []}
    assert by_name["dead_letter"] == {"option": "dead_letter", "value": "dead", "from": "client", **none}
    assert by_name["messages_max"] == {"option": "messages_max", "value": None, "from": "default", **none}


def test_every_member_of_a_topic_is_documented_and_no_other(busy: World) -> None:
    found = {
        "patterns": list(inspect.topics(busy.node)),
        "durable_subscriptions": list(inspect.durable_subscriptions(busy.node)),
    }
    assert set(members(found)) == documented("Topic")


def test_every_member_of_a_connection_is_documented_and_no_other(busy: World) -> None:
    (row,) = inspect.connections(busy.node)
    assert set(members(row)) == documented("Connection")
    assert row["subscribed_to"] == ["q", "news.#", "diary"]


def test_every_member_of_a_message_is_documented_and_no_other() -> None:
    shown = {**_message(1, record("a"), 0, 100, SteadyClock(FakeClock())), **show_body(b"\xff", 100)}
    assert shown.keys() == documented("Message")


def test_the_state_of_a_queue_says_who_holds_what(busy: World, queue: Queue) -> None:
    shown = inspect.describe_queue(busy.node, queue, RateMeter(busy.node))
    assert shown["set_aside"] == [{"first": 3, "last": 3, "reason": "a checksum"}]
    (consumer,) = shown["consumed_by"]
    assert (consumer["user"], consumer["prefetch"], consumer["in_flight"]) == ("guest", 1, 1)


def test_who_stands_by_and_what_a_consumer_has_asked_for_is_shown(world: World, queue: Queue) -> None:
    session, selector = world.session(), compile_selector("a = 1")
    session.subscribe_queue(queue, FakeSink(), prefetch=1, settles=True, selector=selector, rank=5)
    session.subscribe_queue(queue, FakeSink(), prefetch=1, settles=True, alone=True)
    shown = inspect.describe_queue(world.node, queue, RateMeter(world.node))["consumed_by"]
    assert [(row["stands_by"], row["exclusive"], row["rank"], row["selector"]) for row in shown] == [
        (True, False, 5, selector.text),
        (False, True, 0, ""),
    ]


def test_what_is_remembered_of_publishers_and_where_messages_come_from_is_shown(world: World, queue: Queue) -> None:
    meter = RateMeter(world.node)
    world.node.bind(queue, "news.*")
    for identity in (DeduplicationId("a"), DeduplicationId("b"), ProducerNumber("p", 1)):
        queue.publish_once(identity, record("x"))
    shown = inspect.describe_queue(world.node, queue, meter)
    assert (shown["remembered_ids"], shown["remembered_producers"], shown["bindings"]) == (2, 1, ["news.*"])
    assert shown["exclusive_to"] is None


def test_what_is_in_force_where_nobody_says_anything_is_shown(world: World, queue: Queue) -> None:
    options = {row["option"]: row["value"] for row in inspect.explain_queue(world.node, queue)["options"]}
    assert (options["deduplication_window_ms"], options["deduplication_ids_max"]) == (600_000, 100_000)
    assert (options["overflow"], options["messages_max"]) == ("drop-oldest", None)


def test_a_queue_with_priorities_shows_what_waits_at_each_level(world: World, queue: Queue) -> None:
    meter = RateMeter(world.node)
    assert inspect.describe_queue(world.node, queue, meter)["levels"] == []
    queue.apply(QueueOptions(priority_max=9))
    for priority in (9, 0, 0):
        queue.publish(record("x", b"priority:%d\n\n" % priority))
    world.node.store.want()
    world.settle_down()
    assert [(row["level"], row["ready"]) for row in inspect.describe_queue(world.node, queue, meter)["levels"]] == [
        (9, 1),
        (4, 0),
        (0, 2),
    ]
    queue.apply(QueueOptions())
    assert [row["level"] for row in inspect.describe_queue(world.node, queue, meter)["levels"]] == [9, 0, None]
