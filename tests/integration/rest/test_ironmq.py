"""The IronMQ gateway from outside: queues, messages, reservations, as /3 has them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.helpers.broker_process import BrokerProcess
from tests.helpers.http_client import request
from tests.helpers.iron_client import PROJECT, IronClient
from tests.integration.rest.conftest import Connect

NOT_FOUND = {"msg": "Queue not found"}


def test_a_message_is_posted_reserved_and_deleted(iron: IronClient, queue_name: str) -> None:
    ids = iron.post(queue_name, "hello", "")
    assert len(set(ids)) == 2
    assert all(text.isdigit() for text in ids)
    first, second = iron.reserve(queue_name, 5)
    assert (first["id"], first["body"], first["reserved_count"]) == (ids[0], "hello", 1)
    assert second["body"] == ""
    assert iron.size(queue_name) == 2
    assert iron.reserve(queue_name) == []
    gone = iron.said("DELETE", f"queues/{queue_name}/messages/{ids[0]}", {"reservation_id": first["reservation_id"]})
    assert gone == {"msg": "Deleted"}
    queue = iron.said("GET", f"queues/{queue_name}")["queue"]
    assert (queue["size"], queue["total_messages"], queue["project_id"], queue["name"]) == (1, 2, PROJECT, queue_name)


def test_reserving_with_delete_takes_the_message_for_good(iron: IronClient, queue_name: str) -> None:
    iron.post(queue_name, "a")
    (message,) = iron.reserve(queue_name, delete=True)
    assert "reservation_id" not in message
    assert iron.size(queue_name) == 0


def test_a_queue_is_made_changed_and_deleted(iron: IronClient, queue_name: str) -> None:
    path = f"queues/{queue_name}"
    made = iron.said("PUT", path, {"queue": {"message_timeout": 30}})["queue"]
    assert made.pop("id").isdigit()
    assert made == {
        "project_id": PROJECT,
        "name": queue_name,
        "type": "pull",
        "message_timeout": 30,
        "message_expiration": 604800,
    }
    merged = iron.said("PUT", path, {"queue": {"message_expiration": 404}})["queue"]
    assert (merged["message_timeout"], merged["message_expiration"]) == (30, 404)
    changed = iron.said("PATCH", path, {"queue": {"message_timeout": 77}})["queue"]
    assert (changed["message_timeout"], changed["message_expiration"], changed["size"]) == (77, 404, 0)
    assert iron.said("PATCH", path, {"queue": {"type": "multicast"}}, 403)["msg"]
    assert iron.said("DELETE", path) == {"msg": "Deleted"}
    for method in ("GET", "PATCH", "DELETE"):
        assert iron.said(method, path, {}, 404) == NOT_FOUND


def test_settings_and_messages_are_there_after_a_crash(broker: BrokerProcess, connect: Connect) -> None:
    iron = IronClient(connect())
    dead = {"queue_name": "dead", "max_reservations": 3}
    iron.said("PUT", "queues/kept", {"queue": {"message_timeout": 33, "dead_letter": dead}})
    (message_id,) = iron.post("kept", "body")
    broker.kill()
    broker.start()
    iron = IronClient(connect())
    queue = iron.said("GET", "queues/kept")["queue"]
    assert (queue["message_timeout"], queue["dead_letter"], queue["size"]) == (33, dead, 1)
    assert iron.said("GET", f"queues/kept/messages/{message_id}")["message"]["body"] == "body"


def test_queues_are_listed_by_name_a_page_at_a_time(connect: Connect) -> None:
    iron = IronClient(connect(), "project-with-a-list")
    for name in ("b", "a", "c", "ab"):
        iron.said("PUT", f"queues/{name}")

    def listed(**query: Any) -> list[str]:
        return [queue["name"] for queue in iron.said("GET", "queues", **query)["queues"]]

    assert listed() == ["a", "ab", "b", "c"]
    assert listed(per_page="2", previous="aa") == ["ab", "b"]
    assert listed(prefix="a", per_page="101") == ["a", "ab"]
    assert IronClient(connect(), "another").said("GET", "queues") == {"queues": []}


@pytest.mark.parametrize("name", ["with%20space", "a:b", "a+b", "%C3%A4"])
def test_names_are_any_text(iron: IronClient, name: str) -> None:
    iron.post(name, "x")
    assert iron.peek(name)[0]["body"] == "x"
    iron.said("DELETE", f"queues/{name}")


def test_a_peek_shows_what_could_be_reserved(iron: IronClient, queue_name: str) -> None:
    iron.post(queue_name, "a", "b", "c")
    iron.post(queue_name, "later", delay=600)
    iron.reserve(queue_name)
    found = iron.peek(queue_name, 10)
    assert [message["body"] for message in found] == ["b", "c"]
    assert all("reservation_id" not in message and message["reserved_count"] == 0 for message in found)
    assert iron.said("GET", f"queues/{queue_name}/messages", None, 400, n="101")["msg"]


def test_a_released_message_is_first_again(iron: IronClient, queue_name: str) -> None:
    iron.post(queue_name, "a", "b")
    (message,) = iron.reserve(queue_name)
    path = f"queues/{queue_name}/messages/{message['id']}/release"
    assert iron.said("POST", path, {"reservation_id": message["reservation_id"]}) == {"msg": "Released"}
    (again,) = iron.reserve(queue_name)
    assert (again["id"], again["reserved_count"]) == (message["id"], 2)
    assert iron.said("POST", path, {"reservation_id": message["reservation_id"]}, 403)["msg"]


def test_a_touched_reservation_has_another_id(iron: IronClient, queue_name: str) -> None:
    iron.post(queue_name, "a")
    (message,) = iron.reserve(queue_name)
    path = f"queues/{queue_name}/messages/{message['id']}"
    touched = iron.said("POST", f"{path}/touch", {"reservation_id": message["reservation_id"], "timeout": 120})
    assert touched["msg"] == "Touched"
    assert touched["reservation_id"] != message["reservation_id"]
    assert iron.said("GET", path)["message"]["reserved_count"] == 1
    assert iron.said("DELETE", path, {"reservation_id": message["reservation_id"]}, 403)
    assert iron.said("DELETE", path, {"reservation_id": touched["reservation_id"]}) == {"msg": "Deleted"}


def test_a_delayed_message_keeps_its_id(iron: IronClient, queue_name: str) -> None:
    (message_id,) = iron.post(queue_name, "later", delay=1)
    assert (iron.size(queue_name), iron.reserve(queue_name)) == (1, [])
    shown = iron.said("GET", f"queues/{queue_name}/messages/{message_id}")["message"]
    assert (shown["body"], shown["reserved_count"]) == ("later", 0)
    (message,) = iron.reserve(queue_name, wait=20)
    assert message["id"] == message_id
    iron.said("DELETE", f"queues/{queue_name}/messages/{message_id}", {"reservation_id": message["reservation_id"]})


def test_a_message_that_is_put_off_keeps_its_id_and_its_count(iron: IronClient, queue_name: str) -> None:
    (message_id,) = iron.post(queue_name, "a")
    (message,) = iron.reserve(queue_name)
    path = f"queues/{queue_name}/messages/{message_id}"
    iron.said("POST", f"{path}/release", {"reservation_id": message["reservation_id"], "delay": 1})
    assert iron.reserve(queue_name) == []
    (again,) = iron.reserve(queue_name, wait=20)
    assert (again["id"], again["reserved_count"]) == (message_id, 2)
    assert iron.said("GET", path)["message"]["reserved_count"] == 2


def test_delayed_messages_are_deleted_by_their_ids_and_cleared(iron: IronClient, queue_name: str) -> None:
    first, _ = iron.post(queue_name, "a", "b", delay=600)
    iron.post(queue_name, "c", "d")
    iron.reserve(queue_name)
    iron.said("DELETE", f"queues/{queue_name}/messages/{first}")
    assert iron.size(queue_name) == 3
    assert iron.said("DELETE", f"queues/{queue_name}/messages", {"oauth": "guest"}) == {"msg": "Cleared"}
    assert iron.size(queue_name) == 0


def test_a_dead_letter_keeps_id_body_and_count(iron: IronClient, queue_name: str) -> None:
    dead = f"{queue_name}-dead"
    iron.said("PUT", f"queues/{queue_name}", {"queue": {"dead_letter": {"queue_name": dead, "max_reservations": 2}}})
    (message_id,) = iron.post(queue_name, "poison")
    for _ in range(2):
        (message,) = iron.reserve(queue_name)
        path = f"queues/{queue_name}/messages/{message_id}/release"
        iron.said("POST", path, {"reservation_id": message["reservation_id"]})
    assert iron.reserve(queue_name) == []
    (letter,) = iron.peek(dead)
    assert letter == {"id": message_id, "body": "poison", "reserved_count": 2}
    assert iron.said("GET", f"queues/{dead}/messages/{message_id}")["message"] == letter
    (held,) = iron.reserve(dead)
    assert held["reserved_count"] == 3
    assert iron.said("DELETE", f"queues/{dead}/messages/{message_id}", None, 403)["msg"]
    held = {"reservation_id": held["reservation_id"]}
    iron.said("POST", f"queues/{dead}/messages/{message_id}/release", held)
    assert iron.said("DELETE", f"queues/{dead}/messages/{message_id}") == {"msg": "Deleted"}
    assert iron.size(dead) == 0


def test_messages_are_deleted_all_or_none(iron: IronClient, queue_name: str) -> None:
    ids = iron.post(queue_name, "a", "b", "c")
    (first,) = iron.reserve(queue_name)
    path = f"queues/{queue_name}/messages"
    whole = [{"id": ids[0], "reservation_id": first["reservation_id"]}, {"id": ids[1]}]
    assert iron.said("DELETE", path, {"ids": [*whole, {"id": "1"}]}, 404)["msg"]
    assert iron.said("DELETE", path, {"ids": [{"id": ids[0]}, {"id": ids[1]}]}, 403)["msg"]
    assert iron.size(queue_name) == 3
    assert iron.said("DELETE", path, {"ids": whole}) == {"msg": "Deleted"}
    assert [message["body"] for message in iron.peek(queue_name, 5)] == ["c"]


def test_a_message_is_deleted_once(iron: IronClient, queue_name: str) -> None:
    (message_id, _) = iron.post(queue_name, "a", "b")
    path = f"queues/{queue_name}/messages/{message_id}"
    iron.said("DELETE", path)
    for method in ("DELETE", "GET"):
        assert iron.said(method, path, None, 404) == {"msg": "Message not found"}


def test_a_webhook_becomes_a_message(connect: Connect, queue_name: str) -> None:
    client = connect()
    target = f"/3/projects/{PROJECT}/queues/{queue_name}/webhook?oauth=guest"
    answer = client.ask(request(target, "X-Subscribers-A: b", method="POST", body=b'{"raw": true}'), "POST")
    assert answer.status == 201
    assert IronClient(client).peek(queue_name)[0]["body"] == '{"raw": true}'


def test_patch_and_delete_come_as_post_with_an_override(iron: IronClient, queue_name: str) -> None:
    iron.post(queue_name, "a")
    path = f"queues/{queue_name}"
    patched = iron.ask("POST", path, {"queue": {"message_timeout": 9}}, "X-HTTP-Method-Override: PATCH")
    assert b'"message_timeout":9' in patched.body
    assert iron.ask("POST", f"{path}/messages", {}, "X-HTTP-Method-Override: DELETE").body == b'{"msg":"Cleared"}'
    assert iron.ask("POST", path, {}, "X-HTTP-Method-Override: DELETE").body == b'{"msg":"Deleted"}'
    assert iron.ask("POST", path, {}).status == 405


@pytest.mark.parametrize("line", ["X: y", "Authorization: OAuth wrong", "Authorization: Basic Z3Vlc3Q6Z3Vlc3Q="])
def test_without_the_token_nothing_is_shown(connect: Connect, line: str) -> None:
    answer = connect().ask(request(f"/3/projects/{PROJECT}/queues", line))
    assert (answer.status, answer.body) == (401, b'{"msg":"Unauthorized"}')


@pytest.mark.parametrize(
    ("path", "members"),
    [
        ("messages", {"messages": []}),
        ("messages", {}),
        ("messages", {"messages": [{"body": 1}]}),
        ("messages", {"messages": [{"body": "a", "delay": 604801}]}),
        ("messages", {"messages": [{"body": "a", "push_headers": {"User-Agent": "x"}}]}),
        ("reservations", {"n": 0}),
        ("reservations", {"n": 101}),
        ("reservations", {"wait": 31}),
    ],
)
def test_what_is_out_of_range_is_refused(iron: IronClient, queue_name: str, path: str, members: object) -> None:
    iron.said("PUT", f"queues/{queue_name}")
    assert iron.said("POST", f"queues/{queue_name}/{path}", members, 400)["msg"]
    assert iron.size(queue_name) == 0


def test_stomp_reaches_the_queues_of_a_project(broker: BrokerProcess, iron: IronClient, queue_name: str) -> None:
    (message_id,) = iron.post(queue_name, "from http")
    destination = f"/queue/{PROJECT}/{queue_name}"
    with broker.client() as stomp:
        stomp.subscribe(destination, ack="client-individual")
        stomp.expect_message(b"from http")
        stomp.unsubscribe()  # gives it back
        stomp.publish_confirmed(destination, b"from stomp")
    first, second = iron.peek(queue_name, 2)
    assert (first["id"], second["body"]) == (message_id, "from stomp")
    assert iron.said("GET", f"queues/{queue_name}/messages/{second['id']}")["message"] == second


def test_an_alert_is_posted_when_a_queue_passes_a_size(iron: IronClient, queue_name: str) -> None:
    told = f"{queue_name}-alerts"
    alerts = [
        {"type": "fixed", "trigger": 3, "direction": "asc", "queue": told},
        {"type": "progressive", "trigger": 2, "direction": "desc", "queue": told, "snooze": 600},
    ]
    iron.said("PUT", f"queues/{queue_name}", {"queue": {"alerts": alerts}})
    shown = iron.said("GET", f"queues/{queue_name}")["queue"]["alerts"]
    assert shown == [alerts[0] | {"snooze": 0}, alerts[1]]
    iron.post(queue_name, "1", "2")
    ids = iron.post(queue_name, "3", "4")
    (message,) = iron.peek(told, 5)
    alert = json.loads(message["body"])
    assert (alert["source_queue"], alert["queue_size"], alert["alert_type"]) == (queue_name, 4, "fixed")
    assert (alert["alert_direction"], alert["alert_trigger"], len(alert["alert_id"])) == ("asc", 3, 24)
    assert alert["created_at"].endswith("Z")
    for message_id in ids:
        iron.said("DELETE", f"queues/{queue_name}/messages/{message_id}")
    iron.said("DELETE", f"queues/{queue_name}/messages", {})
    told_of = [json.loads(message["body"])["queue_size"] for message in iron.peek(told, 5)]
    assert told_of == [4, 2]  # the next one falls into the snooze


@pytest.mark.parametrize(
    "settings",
    [
        {"alerts": [{"type": "fixed", "trigger": 1, "queue": "a"}] * 2},
        {"alerts": [{"type": "fixed", "trigger": n, "queue": "a"} for n in range(1, 7)]},
        {"alerts": [{"type": "other", "trigger": 1, "queue": "a"}]},
        {"type": "unicast"},
        {"type": "pull", "push": {"subscribers": [{"name": "a", "url": "http://localhost"}]}},
        {"push": {"subscribers": [{"name": "a", "url": "ftp://localhost"}]}},
        {"type": "unicast", "push": {"subscribers": []}},
        {"push": {"subscribers": [{"name": "a", "url": "http://a"}], "retries": 101}},
        {"dead_letter": {"queue_name": ""}},
        {"dead_letter": {"queue_name": "a", "max_reservations": 0}},
        {"message_timeout": 0},
        {"message_expiration": 2592001},
    ],
)
def test_settings_that_contradict_themselves_are_refused(iron: IronClient, queue_name: str, settings: object) -> None:
    assert iron.said("PUT", f"queues/{queue_name}", {"queue": settings}, 400)["msg"]
    assert iron.said("GET", f"queues/{queue_name}", None, 404) == NOT_FOUND


def test_subscribers_are_added_replaced_and_removed(iron: IronClient, queue_name: str) -> None:
    path = f"queues/{queue_name}"
    first = {"name": "first", "url": "http://localhost:1/a", "headers": {"Content-Type": "application/json"}}
    second = {"name": "second", "url": "http://localhost:1/b"}
    made = iron.said("PUT", path, {"queue": {"push": {"subscribers": [first], "error_queue": "errors"}}})["queue"]
    assert (made["type"], made["push"]["subscribers"]) == ("multicast", [first])
    assert (made["push"]["retries"], made["push"]["retries_delay"], made["push"]["error_queue"]) == (3, 60, "errors")

    def subscribers() -> Any:
        return iron.said("GET", path)["queue"]["push"]["subscribers"]

    assert iron.said("POST", f"{path}/subscribers", {"subscribers": [second]}) == {"msg": "Updated"}
    assert subscribers() == [first, second]
    iron.said("POST", f"{path}/subscribers", {"subscribers": [second | {"url": "http://localhost:1/c"}]})
    assert subscribers()[1]["url"] == "http://localhost:1/c"
    iron.said("DELETE", f"{path}/subscribers", {"subscribers": [{"name": "first"}]})
    assert [one["name"] for one in subscribers()] == ["second"]
    iron.said("PUT", f"{path}/subscribers", {"subscribers": [first]})
    assert subscribers() == [first]
    iron.said("DELETE", f"{path}/subscribers", {"subscribers": [{"name": "first"}]}, 400)


def test_alerts_are_added_replaced_and_removed_by_themselves(iron: IronClient, queue_name: str) -> None:
    path = f"queues/{queue_name}"
    iron.said("PUT", path)
    first, second = ({"type": "fixed", "trigger": n, "direction": "asc", "queue": "q", "snooze": 0} for n in (1, 2))

    def shown() -> Any:
        return iron.said("GET", path)["queue"].get("alerts", [])

    assert iron.said("POST", f"{path}/alerts", {"alerts": [first]}) == {"msg": "Alerts were added."}
    duplicate = iron.said("POST", f"{path}/alerts", {"alerts": [first]}, 400)
    assert duplicate == {"msg": "At least one new alert duplicates current queue alerts."}
    assert iron.said("PUT", f"{path}/alerts", {"alerts": [first, second]}) == {"msg": "Alerts were replaced."}
    assert shown() == [first, second]
    assert iron.said("DELETE", f"{path}/alerts", {"queue": {"alerts": [first]}}) == {"msg": "Alerts were deleted."}
    assert shown() == [second]
    iron.said("DELETE", f"{path}/alerts", {"alerts": [second]})
    assert shown() == []
    iron.said("DELETE", f"{path}/alerts/nothing", {}, 404)
