"""Segue's own API from outside: messages are published, taken for a while, and settled."""

from __future__ import annotations

import http.client
import json
import socket
import struct

from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.helpers.http_client import request
from tests.helpers.v1_client import GUEST, V1Client
from tests.integration.rest.conftest import Connect


def test_messages_are_published_taken_and_settled_each_in_its_own_way(v1: V1Client, queue_name: str) -> None:
    ids = v1.publish(queue_name, "a", "b", "c")
    taken = {lease["message"]["body"]: lease for lease in v1.take(queue_name, 10)}
    assert [taken[body]["message"]["id"] for body in "abc"] == ids
    results = v1.settle(
        {"action": "ack", "lease": taken["a"]["id"]},
        {"action": "release", "lease": taken["b"]["id"]},
        {"action": "extend", "lease": taken["c"]["id"], "lease_seconds": 600},
        {"action": "ack", "lease": "1-1"},
    )
    assert [result.get("problem", {}).get("type") for result in results] == [None, None, None, "/problems/not-held"]
    (again,) = v1.take(queue_name, 10)
    assert (again["message"]["body"], again["message"]["deliveries"], again["redelivered"]) == ("b", 2, True)
    assert v1.settle({"action": "ack", "lease": results[2]["lease"]}) == [{"lease": results[2]["lease"]}]


def test_a_body_is_published_as_it_is(v1: V1Client, queue_name: str) -> None:
    lines = "Content-Type: image/x", "Segue-Header-Kind: k"
    published = v1.said("POST", f"queues/{queue_name}/messages/raw?priority=3", b"\xff\x00", *lines, status=201)
    (lease,) = v1.take(queue_name)
    assert lease["message"]["id"] == published["id"]
    assert lease["message"]["body_base64"] == "/wA="
    assert lease["message"]["headers"] == {
        "destination": f"/queue/{queue_name}",
        "content-type": "image/x",
        "kind": "k",
        "priority": "3",
    }


def test_a_request_that_is_repeated_after_a_crash_adds_nothing(broker: BrokerProcess, connect: Connect) -> None:
    said = {"messages": [{"body": "a"}, {"body": "b"}]}
    first = V1Client(connect()).said("POST", "queues/once/messages", said, "Idempotency-Key: k", status=201)
    broker.kill()
    broker.start()
    v1 = V1Client(connect())
    again = v1.said("POST", "queues/once/messages", said, "Idempotency-Key: k", status=201)
    assert [one["id"] for one in again["messages"]] == [one["id"] for one in first["messages"]]
    assert all(one["repeat"] for one in again["messages"])
    assert v1.said("GET", "queues/once")["statistics"]["ready"] == 2


def test_who_waits_is_answered_by_the_next_message(v1: V1Client, connect: Connect, queue_name: str) -> None:
    v1.said("PUT", f"queues/{queue_name}", status=201)
    v1.send("POST", f"queues/{queue_name}/leases", {"wait_seconds": 30})
    V1Client(connect()).publish(queue_name, "a")
    (lease,) = json.loads(v1.client.answer().body)["leases"]
    assert lease["message"]["body"] == "a"


def test_who_has_left_while_he_waited_swallows_nothing(v1: V1Client, connect: Connect, queue_name: str) -> None:
    v1.said("PUT", f"queues/{queue_name}", status=201)
    leaving = V1Client(connect())
    leaving.send("POST", f"queues/{queue_name}/leases", {"wait_seconds": 30})
    wait_for(v1, queue_name, consumers=1)
    reset(leaving)
    wait_for(v1, queue_name, consumers=0)
    v1.publish(queue_name, "a")
    (lease,) = v1.take(queue_name)
    assert (lease["message"]["body"], lease["redelivered"]) == ("a", False)


def test_what_a_client_did_not_read_before_its_connection_was_lost_is_back_at_once(
    v1: V1Client, connect: Connect, queue_name: str
) -> None:
    # More than the kernel takes for a peer that does not read.
    v1.said("POST", f"queues/{queue_name}/messages/raw", b"x" * (16 << 20), status=201)
    leaving = V1Client(connect())
    leaving.send("POST", f"queues/{queue_name}/leases", {"lease_seconds": 3600})
    wait_for(v1, queue_name, in_flight=1)
    reset(leaving)
    (lease,) = v1.take(queue_name, wait_seconds=30)
    assert lease["redelivered"]


def test_a_lease_that_runs_out_gives_the_message_back(v1: V1Client, queue_name: str) -> None:
    v1.publish(queue_name, "a")
    (lease,) = v1.take(queue_name, lease_seconds=1)
    (again,) = v1.take(queue_name, wait_seconds=30)
    assert again["message"]["id"] == lease["message"]["id"]
    (result,) = v1.settle({"action": "ack", "lease": lease["id"]})
    assert result["problem"]["type"] == "/problems/not-held"


def test_messages_are_looked_at_and_deleted_by_their_ids_also_after_a_crash(
    broker: BrokerProcess, connect: Connect
) -> None:
    v1 = V1Client(connect())
    ids = v1.publish("seen", "a", "b", "c", "d")
    v1.take("seen")
    assert v1.said("DELETE", f"queues/seen/messages/{ids[0]}", status=409)["type"] == "/problems/in-use"
    assert v1.said("DELETE", f"queues/seen/messages/{ids[2]}") == {"id": ids[2]}
    assert v1.said("GET", f"queues/seen/messages/{ids[0]}")["state"] == "in_flight"
    broker.kill()
    broker.start()
    v1 = V1Client(connect())
    first = v1.said("GET", "queues/seen/messages?limit=2")
    assert [message["id"] for message in first["messages"]] == ids[:2]
    last = v1.said("GET", f"queues/seen/messages?limit=2&after={first['next']}")
    assert ([message["id"] for message in last["messages"]], last["next"]) == (ids[3:], None)


def test_messages_are_moved_by_a_job_that_is_watched(v1: V1Client, queue_name: str) -> None:
    v1.publish(queue_name, "a", "b")
    job = v1.said("POST", "jobs", {"kind": "move", "queue": queue_name, "to": f"{queue_name}.to"}, status=202)
    while job["state"] == "running":
        job = v1.said("GET", f"jobs/{job['job']}")
    assert (job["state"], job["passed_on"]) == ("done", 2)
    assert v1.said("DELETE", f"jobs/{job['job']}") == job
    assert [lease["message"]["body"] for lease in v1.take(f"{queue_name}.to", 10)] == ["a", "b"]
    wrong = v1.said("POST", "jobs", {"kind": "redrive", "queue": queue_name, "filter": "a ="}, status=400)
    assert (wrong["type"], wrong["pointer"]) == ("/problems/bad-selector", "/filter")


def test_publishers_that_are_held_come_again_later(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(settings={"storage.disk_free_bytes_min": 1 << 40})
    v1 = V1Client(broker.http_client())
    refused = v1.ask("POST", "queues/q/messages", {"messages": [{"body": "a"}]})
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    problem = json.loads(refused.body)
    assert (problem["type"], problem["retryable"]) == ("/problems/publishers-held", True)
    assert "disk_free_bytes_min" in problem["detail"]
    assert v1.said("GET", "queues") == {"queues": [], "next": None}


def wait_for(v1: V1Client, queue: str, **expected: int) -> None:
    """Ask for the statistics of a queue until they say this."""
    while not expected.items() <= v1.said("GET", f"queues/{queue}")["statistics"].items():
        pass


def reset(client: V1Client) -> None:
    """Close the connection without a good-bye, as a machine that fails does."""
    client.client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.client.close()


def test_a_stream_is_told_of_while_it_goes_on(connect: Connect, queue_name: str) -> None:
    client = connect()
    head = ("Transfer-Encoding: chunked", "Content-Type: application/x-ndjson", GUEST)
    client.send(request(f"/v1/queues/{queue_name}/messages/stream", *head, method="POST"))
    response = http.client.HTTPResponse(client, method="POST")  # type: ignore[arg-type]
    for number in range(1, 4):
        line = b'{"body": "%d"}\n' % number
        client.send(b"%x\r\n%s\r\n" % (len(line), line))
        if number == 1:
            response.begin()
        assert json.loads(response.readline())["id"].endswith(f"-{number}")
    client.send(b"0\r\n\r\n")
    assert response.read() == b""
