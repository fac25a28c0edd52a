"""Clients of the IronMQ gateway that die, come too late or repeat themselves."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from tests.helpers.http_client import request
from tests.helpers.iron_client import PROJECT, IronClient
from tests.integration.rest.conftest import Connect

_TOKEN = "Authorization: OAuth guest"


def reservation(queue: str, body: bytes) -> bytes:
    return request(f"/3/projects/{PROJECT}/queues/{queue}/reservations", _TOKEN, method="POST", body=body)


@pytest.mark.parametrize("count", [200, pytest.param(5000, marks=pytest.mark.long)])
def test_long_polls_that_their_clients_have_left_swallow_nothing(
    connect: Connect, iron: IronClient, queue_name: str, count: int
) -> None:
    """Fault 90."""
    iron.said("PUT", f"queues/{queue_name}")
    waiting = [connect() for _ in range(count)]
    for client in waiting:
        client.send(reservation(queue_name, b'{"wait": 30}'))
    for client in waiting:
        client.close()
    ids = iron.post(queue_name, "a", "b")
    found = iron.reserve(queue_name, wait=20) + iron.reserve(queue_name, wait=20)
    # One that was given to a client whose end had not been seen yet comes back when the connection shows it.
    assert sorted(message["id"] for message in found) == ids


def test_one_who_waits_is_answered_when_a_message_comes(connect: Connect, iron: IronClient, queue_name: str) -> None:
    iron.said("PUT", f"queues/{queue_name}")
    waiting = connect()
    waiting.send(reservation(queue_name, b'{"wait": 30}'))
    (message_id,) = iron.post(queue_name, "a")
    assert message_id.encode() in waiting.answer("POST").body


def test_one_who_waits_and_closes_his_side_is_answered_at_once(iron: IronClient, queue_name: str) -> None:
    """Fault 60: what would come later is for others."""
    iron.said("PUT", f"queues/{queue_name}")
    iron.send("POST", f"queues/{queue_name}/reservations", {"wait": 30})
    iron.client.socket.shutdown(socket.SHUT_WR)
    assert json.loads(iron.client.answer("POST").body) == {"messages": []}
    assert iron.client.is_closed()


def test_messages_whose_taker_dies_before_he_has_them_are_back_at_once(
    connect: Connect, iron: IronClient, queue_name: str
) -> None:
    """Fault 37: an answer that is larger than what any socket holds, and nobody who reads it."""
    ids = [iron.post(queue_name, "x" * 500_000)[0] for _ in range(40)]
    dying = connect()
    dying.send(reservation(queue_name, b'{"n": 40, "timeout": 86400}'))
    assert dying.socket.recv(1000)
    (later,) = iron.reserve(queue_name)
    assert later["id"] != ids[0]
    dying.close()
    again: list[dict[str, Any]] = []
    while not again or again[-1]["id"] != ids[0]:  # he had as many as one answer may have
        again += iron.reserve(queue_name, wait=20)
        assert len(again) <= 40
    assert again[-1]["reserved_count"] == 2


def test_who_comes_too_late_changes_nothing(iron: IronClient, queue_name: str) -> None:
    """Fault 39."""
    iron.post(queue_name, "a")
    (late,) = iron.reserve(queue_name, timeout=1)
    (other,) = iron.reserve(queue_name, timeout=600, wait=20)
    assert other["id"] == late["id"]
    path = f"queues/{queue_name}/messages/{late['id']}"
    for method, target in (("DELETE", path), ("POST", f"{path}/touch"), ("POST", f"{path}/release")):
        assert iron.said(method, target, {"reservation_id": late["reservation_id"]}, 403)["msg"]
    assert iron.size(queue_name) == 1
    assert iron.said("DELETE", path, {"reservation_id": other["reservation_id"]}) == {"msg": "Deleted"}


def test_a_reservation_settles_no_other_message(iron: IronClient, queue_name: str) -> None:
    """Fault 38."""
    iron.post(queue_name, "a", "b")
    first, second = iron.reserve(queue_name, 2)
    path = f"queues/{queue_name}/messages"
    crossed = {"reservation_id": second["reservation_id"]}
    assert iron.said("DELETE", f"{path}/{first['id']}", crossed, 403)["msg"]
    elsewhere = f"queues/{queue_name}-other"
    iron.said("PUT", elsewhere)
    assert iron.said("DELETE", f"{elsewhere}/messages/{second['id']}", crossed, 403)["msg"]
    assert iron.size(queue_name) == 2


@pytest.mark.parametrize(
    "body",
    [
        b'{"messages": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"messages": [{"body": "a", "body": "b"}]}',
        b'{"messages": [{"body": "\\ud800"}]}',
        b'{"messages": [{"body": "a", "delay": NaN}]}',
        b'{"messages": [{"body": "a", "delay": ' + b"9" * 400 + b"}]}",
        b"{" + b",".join(b'"%d": 0' % number for number in range(100_000)) + b"}",
    ],
)
def test_json_that_can_not_be_meant_is_refused(iron: IronClient, queue_name: str, body: bytes) -> None:
    """Fault 89."""
    target = f"/3/projects/{PROJECT}/queues/{queue_name}/messages"
    assert iron.client.ask(request(target, _TOKEN, method="POST", body=body), "POST").status == 400
    assert iron.said("GET", f"queues/{queue_name}", None, 404)
