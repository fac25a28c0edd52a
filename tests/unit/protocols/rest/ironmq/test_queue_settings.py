"""What a queue is set to: what is said changes, the rest stays, and is durable with the queue's definition."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from segue.broker.settings import Policy
from segue.protocols.http import HttpError
from segue.protocols.rest.ironmq.queue_settings import (
    QueueChange,
    change_queue,
    new_queue,
    settings_of,
    show_queue,
)
from tests.unit.broker.actors import World

PUSH = {"subscribers": [{"name": "a", "url": "http://h/a"}]}


def change(**members: Any) -> QueueChange:
    return msgspec.convert(members, QueueChange)


def test_a_new_queue_has_the_defaults(world: World) -> None:
    queue = new_queue(world.node, "p/q", "p", change())
    assert show_queue(queue, "q", "p") == {
        "project_id": "p",
        "id": str(queue.log.id),
        "name": "q",
        "type": "pull",
        "message_timeout": 60,
        "message_expiration": 604800,
    }
    assert queue.options.message_ttl_ms == 604_800_000


def test_what_is_said_stays_over_a_restart(world: World) -> None:
    dead_letter = {"queue_name": "dead", "max_reservations": 4}
    new_queue(world.node, "p/q", "p", change(message_timeout=7, message_expiration=9, dead_letter=dead_letter))
    world.restart()
    queue = world.node.queues["p/q"]
    assert settings_of(queue).message_timeout == 7
    assert (queue.options.message_ttl_ms, queue.options.dead_letter) == (9000, "p/dead")
    assert queue.options.delivery_limit == 4
    assert show_queue(queue, "q", "p")["dead_letter"] == dead_letter


def test_a_change_leaves_the_rest_as_it_is(world: World) -> None:
    queue = new_queue(world.node, "p/q", "p", change(message_timeout=7, push=PUSH))
    change_queue(queue, "p", change(push={"retries": 9}))
    settings = settings_of(queue)
    assert (settings.type, settings.message_timeout) == ("multicast", 7)
    assert settings.push is not None
    assert (settings.push.retries, settings.push.retries_delay) == (9, 60)
    assert [subscriber.name for subscriber in settings.push.subscribers] == ["a"]
    change_queue(queue, "p", change(type=None, message_timeout=None, push=None))
    assert settings_of(queue) == settings


def test_an_empty_name_ends_dead_letters(world: World) -> None:
    queue = new_queue(world.node, "p/q", "p", change(dead_letter={"queue_name": "dead"}))
    change_queue(queue, "p", change(dead_letter={"queue_name": ""}))
    assert (queue.options.dead_letter, queue.options.delivery_limit) == ("", 0)
    with pytest.raises(HttpError):
        change_queue(queue, "p", change(dead_letter={"queue_name": ""}))


def test_policies_count_where_nothing_is_said() -> None:
    world = World(policies={"all": Policy("p/*", messages_max=5, message_ttl_ms=1)})
    queue = new_queue(world.node, "p/q", "p", change())
    assert (queue.options.messages_max, queue.options.message_ttl_ms) == (5, 604_800_000)


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ({"type": "unicast"}, 403),
        ({"push": PUSH}, 400),
        ({"dead_letter": {"queue_name": "q"}}, 400),
    ],
)
def test_what_a_pull_queue_can_not_become_is_refused(world: World, members: dict[str, Any], status: int) -> None:
    queue = new_queue(world.node, "p/q", "p", change())
    before = queue.definition
    with pytest.raises(HttpError) as caught:
        change_queue(queue, "p", change(**members))
    assert caught.value.status == status
    assert queue.definition == before


@pytest.mark.parametrize(
    "members",
    [
        {"push": PUSH, "dead_letter": {"queue_name": "dead"}},
        {"push": PUSH, "alerts": [{"type": "fixed", "trigger": 1, "queue": "a"}]},
        {"push": {"subscribers": [*PUSH["subscribers"], {"name": "a", "url": "http://h/b"}]}},
        {"type": "unicast"},
    ],
)
def test_a_push_queue_needs_subscribers_and_has_no_dead_letters_and_no_alerts(
    world: World, members: dict[str, Any]
) -> None:
    with pytest.raises(HttpError) as caught:
        new_queue(world.node, "p/q", "p", change(**members))
    assert caught.value.status == 400
    assert "p/q" not in world.node.queues
