"""iron-mq 0.9, IronMQ's own client for Python: every operation that it has.

What it does besides: each call is a connection of its own, and 503 is tried again, five times in 15 s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from iron_mq import IronMQ, Queue
from requests import HTTPError

from tests.helpers.broker_process import BrokerProcess
from tests.helpers.iron_client import PROJECT

__all__: list[str] = []

_SUBSCRIBERS = ({"name": "first", "url": "http://localhost:1/a"}, {"name": "second", "url": "http://localhost:1/b"})
_ALERT = {"type": "fixed", "trigger": 3, "direction": "asc", "queue": "alerted", "snooze": 0}


@pytest.fixture
def iron(module_broker: BrokerProcess) -> IronMQ:
    host, port = module_broker.http_address
    return IronMQ(host=host, port=port, protocol="http", project_id=PROJECT, token="guest")


@pytest.fixture
def queue(iron: IronMQ, queue_name: str) -> Queue:
    return iron.queue(queue_name)


def push(*subscribers: dict[str, str]) -> dict[str, Any]:
    return {"push": {"subscribers": list(subscribers)}}


def refused(call: Callable[..., object], *arguments: object, **named: object) -> tuple[int, str]:
    """The status and the text of an error."""
    # Not by `pytest.raises`: what that keeps holds the connection open until the garbage collector comes by.
    try:
        call(*arguments, **named)
    except HTTPError as error:
        response: Any = error.response
        return response.status_code, response.json()["msg"]
    raise AssertionError("it was not refused")


# -- queues


def test_a_queue_is_made_shown_changed_and_deleted(iron: IronMQ, queue: Queue) -> None:
    made = iron.create_queue(queue.name, {"message_timeout": 30, "message_expiration": 3600})
    assert (made["name"], made["type"], made["message_timeout"], made["message_expiration"]) == (
        queue.name, "pull", 30, 3600,
    )  # fmt: skip
    assert queue.info()["project_id"] == PROJECT
    assert (queue.size(), queue.total_messages()) == (0, 0)
    assert queue.update({"message_timeout": 40})["message_timeout"] == 40
    changed = iron.update_queue(queue.name, {"message_expiration": 7200})
    assert (changed["message_timeout"], changed["message_expiration"]) == (40, 7200)
    assert queue.delete_queue() == {"msg": "Deleted"}
    assert refused(queue.info) == (404, "Queue not found")


def test_a_queue_is_made_without_settings_and_changed_by_nothing(iron: IronMQ, queue: Queue) -> None:
    made = iron.create_queue(queue.name)
    assert (made["message_timeout"], made["message_expiration"]) == (60, 604_800)
    assert queue.update()["message_timeout"] == iron.update_queue(queue.name)["message_timeout"] == 60


def test_a_queue_has_an_id(iron: IronMQ, queue: Queue) -> None:
    iron.create_queue(queue.name)
    assert queue.id() == iron.queue(queue.name).id() != ""


def test_names_are_any_text(iron: IronMQ) -> None:
    queue = iron.queue("a name: with + and ü")
    (message_id,) = queue.post("x")["ids"]
    assert queue.info()["name"] == queue.name
    assert queue.get_message_by_id(message_id)["body"] == "x"


def test_queues_are_listed_as_it_asks_for_them(iron: IronMQ, queue_name: str) -> None:
    """`queues()` itself calls a function that Python 3 does not have, before it asks."""
    names = [f"{queue_name}-{number}" for number in range(3)]
    for name in names:
        iron.create_queue(name)
    with pytest.raises(AttributeError):
        iron.queues(prefix=queue_name)
    answer = iron.client.get(f"queues?per_page=2&previous={names[0]}&prefix={queue_name}")
    assert answer["body"] == {"queues": [{"name": name} for name in names[1:]]}


# -- messages


def test_messages_are_posted_reserved_and_deleted(queue: Queue) -> None:
    answer = queue.post("plain", {"body": "as an object"}, {"body": "", "delay": 0, "timeout": 60, "expires_in": 60})
    assert answer["msg"] == "Messages put on queue."
    first, *others = queue.reserve(max=3, timeout=60, wait=1)["messages"]
    assert [first["id"], *(other["id"] for other in others)] == answer["ids"]
    assert (first["body"], first["reserved_count"]) == ("plain", 1)
    assert queue.size() == 3
    assert queue.delete(first["id"], first["reservation_id"]) == {"msg": "Deleted"}
    assert queue.delete_multiple(messages={"messages": others}) == {"msg": "Deleted"}
    assert (queue.size(), queue.total_messages()) == (0, 3)


def test_a_message_is_got_the_old_way(queue: Queue) -> None:
    (message_id,) = queue.post("x")["ids"]
    assert [message["id"] for message in queue.get(max=1)["messages"]] == [message_id]
    assert queue.get()["messages"] == []


def test_a_message_is_reserved_and_deleted_at_once(queue: Queue) -> None:
    queue.post("x")
    assert [message["body"] for message in queue.reserve(delete=True)["messages"]] == ["x"]
    assert queue.size() == 0


def test_a_message_is_looked_at(queue: Queue) -> None:
    ids = queue.post("a", "b", "c")["ids"]
    assert [message["body"] for message in queue.peek()["messages"]] == ["a"]
    assert [message["id"] for message in queue.peek(max=10)["messages"]] == ids
    assert queue.get_message_by_id(ids[2]) == {"id": ids[2], "body": "c", "reserved_count": 0}


def test_messages_are_deleted_by_their_ids(queue: Queue) -> None:
    first, *others = queue.post("a", "b", "c")["ids"]
    assert queue.delete(first) == {"msg": "Deleted"}
    assert queue.delete_multiple(ids=others) == {"msg": "Deleted"}
    assert refused(queue.delete, first) == (404, "Message not found")


def test_a_reserved_message_is_deleted_by_its_holder_alone(queue: Queue) -> None:
    queue.post("x")
    (message,) = queue.reserve()["messages"]
    assert refused(queue.delete, message["id"])[0] == 403
    assert refused(queue.delete, message["id"], "wrong") == (403, "Reservation timed out")


def test_a_reservation_is_prolonged(queue: Queue) -> None:
    queue.post("x")
    (message,) = queue.reserve(timeout=60)["messages"]
    touched = queue.touch(message["id"], message["reservation_id"])
    assert touched["reservation_id"] != message["reservation_id"]
    again = queue.touch(message["id"], touched["reservation_id"], timeout=120)
    assert refused(queue.touch, message["id"], touched["reservation_id"])[0] == 403
    assert queue.delete(message["id"], again["reservation_id"]) == {"msg": "Deleted"}


def test_a_message_is_given_back(queue: Queue) -> None:
    queue.post("x", "y")
    (message,) = queue.reserve()["messages"]
    assert queue.release(message["id"], message["reservation_id"]) == {"msg": "Released"}
    (again,) = queue.reserve()["messages"]
    assert (again["id"], again["reserved_count"]) == (message["id"], 2)


def test_messages_are_delayed_and_put_off(queue: Queue) -> None:
    (message_id,) = queue.post({"body": "x", "delay": 1})["ids"]
    assert queue.reserve()["messages"] == []
    (message,) = queue.reserve(wait=30)["messages"]
    queue.release(message["id"], message["reservation_id"], delay=1)
    assert queue.reserve()["messages"] == []
    (again,) = queue.reserve(wait=30)["messages"]
    assert (again["id"], again["reserved_count"]) == (message_id, 2)


def test_a_queue_is_cleared(queue: Queue) -> None:
    queue.post("a", "b", {"body": "c", "delay": 600})
    queue.reserve()
    assert queue.clear() == {"msg": "Cleared"}
    assert queue.size() == 0


# -- push queues and alerts


def test_subscribers_are_added_replaced_and_removed(iron: IronMQ, queue: Queue) -> None:
    first, second = _SUBSCRIBERS
    assert iron.create_queue(queue.name, push(first))["type"] == "multicast"

    def names() -> list[str]:
        return [subscriber["name"] for subscriber in queue.info()["push"]["subscribers"]]

    assert queue.add_subscribers(second) == {"msg": "Updated"}
    assert names() == ["first", "second"]
    assert queue.remove_subscribers("first") == {"msg": "Updated"}
    assert names() == ["second"]
    assert queue.replace_subscribers(first) == {"msg": "Updated"}
    assert names() == ["first"]


def test_a_push_queue_is_set_up(iron: IronMQ, queue: Queue) -> None:
    settings = push(*_SUBSCRIBERS)
    settings["push"] |= {"retries": 5, "retries_delay": 30, "error_queue": "errors"}
    made = iron.create_queue(queue.name, settings | {"type": "unicast"})
    assert (made["type"], made["push"]) == (
        "unicast",
        settings["push"] | {"subscribers": list(_SUBSCRIBERS)},
    )


def test_alerts_are_added_replaced_and_removed(iron: IronMQ, queue: Queue) -> None:
    iron.create_queue(queue.name)
    other = _ALERT | {"trigger": 9, "type": "progressive"}
    assert [alert["trigger"] for alert in queue.add_alerts(_ALERT)["alerts"]] == [3]
    assert [alert["trigger"] for alert in queue.update_alerts(_ALERT, other)["alerts"]] == [3, 9]
    assert queue.remove_alerts(_ALERT) == {"msg": "Alerts were deleted."}
    assert [alert["trigger"] for alert in queue.info()["alerts"]] == [9]
