"""Push queues of the gateway, and a real subscriber. What the tests of units show of retries is not shown again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from segue.protocols.push.signing import read_secret, signed_headers
from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.helpers.iron_client import PROJECT, IronClient
from tests.helpers.push_receiver import PushReceiver

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_PATIENCE_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 0.01


@pytest.fixture(scope="module")
def module_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """A daemon that may push to this machine."""
    settings = {"push.allow_addresses": "127.0.0.0/8", "http.host_names": "broker.example"}
    with BrokerProcess(tmp_path_factory.mktemp("broker") / "data", settings=settings) as broker:
        yield broker
        broker.assert_no_traceback()


@pytest.fixture
def receiver() -> Iterator[PushReceiver]:
    with PushReceiver() as found:
        yield found


def make(iron: IronClient, queue: str, *urls: str, kind: str = "multicast", **push: Any) -> None:
    """A push queue; its subscribers are called `s0`, `s1` and so on."""
    subscribers = [{"name": f"s{number}", "url": url} for number, url in enumerate(urls)]
    iron.said("PUT", f"queues/{queue}", {"queue": {"type": kind, "push": {"subscribers": subscribers, **push}}})


def statuses(iron: IronClient, queue: str, message_id: str) -> dict[str, dict[str, Any]]:
    found = iron.said("GET", f"queues/{queue}/messages/{message_id}/subscribers")["subscribers"]
    return {one["name"]: one for one in found}


def wait_for_status(iron: IronClient, queue: str, message_id: str, status: str, name: str = "s0") -> dict[str, Any]:
    """The status is set when the answer to the push has come, which is after the receiver has sent it."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while (one := statuses(iron, queue, message_id).get(name, {})).get("status") != status:
        assert time.monotonic() < end, one
        time.sleep(_LOOK_AGAIN_SECONDS)
    return one


def confirm(iron: IronClient) -> None:
    """All that the broker has done before is on disk when this returns."""
    iron.post("confirmed", "")


def wait_for_message(iron: IronClient, queue: str) -> Any:
    """The body of the next message of another queue, which is made with its first message."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while True:
        answer = iron.ask("POST", f"queues/{queue}/reservations", {"wait": 30})
        if answer.status == 200:
            return json.loads(json.loads(answer.body)["messages"][0]["body"])
        assert time.monotonic() < end, answer.body
        time.sleep(_LOOK_AGAIN_SECONDS)


def test_a_message_is_pushed_and_its_status_is_shown_afterwards(
    iron: IronClient, receiver: PushReceiver, queue_name: str
) -> None:
    make(iron, queue_name, receiver.url("200"))
    (message_id,) = iron.post(queue_name, "héllo", push_headers={"X-Custom": "v"})
    pushed = receiver.next()
    assert pushed.body == "héllo".encode()
    assert pushed.message_id == message_id
    assert pushed.headers["x-custom"] == "v"
    assert pushed.headers["user-agent"] == "IronMQ Pusherd"
    assert pushed.headers["content-type"] == "text/plain; encoding=utf-8"
    assert pushed.headers["iron-subscriber-name"] == "s0"
    url = urlsplit(pushed.headers["iron-subscriber-message-url"])
    assert url.hostname == "broker.example"
    assert url.path == f"/3/projects/{PROJECT}/queues/{queue_name}/messages/{message_id}"
    one = wait_for_status(iron, queue_name, message_id, "deleted")
    assert (one["status_code"], one["tries"], one["retries_remaining"], one["url"]) == (200, 1, 2, receiver.url("200"))
    assert one["last_try_at"].endswith("Z")
    message = iron.said("GET", f"queues/{queue_name}/messages/{message_id}")["message"]
    assert message == {"id": message_id, "body": "héllo", "reserved_count": 1}
    assert iron.size(queue_name) == 0


def test_a_message_is_signed_for_who_has_a_secret_and_the_secret_is_not_shown(
    iron: IronClient, receiver: PushReceiver, queue_name: str
) -> None:
    subscriber = {"name": "s", "url": receiver.url("200"), "secret": SECRET}
    iron.said("PUT", f"queues/{queue_name}", {"queue": {"push": {"subscribers": [subscriber]}}})
    iron.post(queue_name, "body")
    pushed = receiver.next()
    seconds = int(pushed.headers["webhook-timestamp"])
    expected = signed_headers([read_secret(SECRET)], pushed.message_id, seconds, b"body")
    assert {name: pushed.headers[name] for name in expected} == expected
    shown = iron.said("GET", f"queues/{queue_name}")["queue"]["push"]["subscribers"]
    assert shown == [{"name": "s", "url": receiver.url("200")}]


def test_a_message_that_failed_is_pushed_again_after_the_broker_was_killed(
    broker: BrokerProcess, receiver: PushReceiver, queue_name: str
) -> None:
    receiver.statuses["flaky"] = 503
    iron = IronClient(broker.http_client())
    make(iron, queue_name, receiver.url("flaky"), receiver.url("200"), retries_delay=3)
    (message_id,) = iron.post(queue_name, "body")
    assert {receiver.next().path, receiver.next().path} == {"flaky", "200"}
    wait_for_status(iron, queue_name, message_id, "deleted", "s1")
    one = wait_for_status(iron, queue_name, message_id, "retrying")
    assert (one["status_code"], one["msg"], one["tries"]) == (503, "Service Unavailable", 1)
    confirm(iron)
    broker.kill()
    receiver.statuses["flaky"] = 200
    broker.start()
    pushed = receiver.next()
    assert (pushed.path, pushed.message_id, pushed.body) == ("flaky", message_id, b"body")
    one = wait_for_status(IronClient(broker.http_client()), queue_name, message_id, "deleted")
    assert one["tries"] == 2
    assert receiver.is_quiet


def test_a_message_that_was_answered_with_202_is_acknowledged_after_the_broker_was_killed(
    broker: BrokerProcess, receiver: PushReceiver, queue_name: str
) -> None:
    iron = IronClient(broker.http_client())
    make(iron, queue_name, receiver.url("202"), retries_delay=600)
    (message_id,) = iron.post(queue_name, "body")
    pushed = receiver.next()
    wait_for_status(iron, queue_name, message_id, "reserved")
    confirm(iron)
    broker.kill()
    broker.start()
    iron = IronClient(broker.http_client())
    wait_for_status(iron, queue_name, message_id, "reserved")
    path = f"queues/{queue_name}/messages/{message_id}"
    wrong = {"reservation_id": "wrong", "subscriber_name": "s0"}
    assert iron.said("DELETE", path, wrong, 403) == {"msg": "Reservation timed out"}
    right = {"reservation_id": pushed.reservation_id, "subscriber_name": "s0"}
    assert iron.said("DELETE", path, right) == {"msg": "Deleted"}
    assert statuses(iron, queue_name, message_id)["s0"]["status"] == "deleted"
    assert receiver.is_quiet


def test_the_error_queue_is_told_of_what_could_not_be_delivered(
    iron: IronClient, receiver: PushReceiver, queue_name: str
) -> None:
    make(iron, queue_name, receiver.url("500"), retries=0, error_queue=f"{queue_name}-errors")
    (message_id,) = iron.post(queue_name, "body", push_headers={"X-Custom": "v"})
    assert wait_for_message(iron, f"{queue_name}-errors") == {
        "source_msg_id": message_id,
        "body": "body",
        "headers": {"X-Custom": "v"},
        "subscribers": [{"name": "s0", "url": receiver.url("500"), "code": 500, "msg": "Internal Server Error"}],
    }
    assert statuses(iron, queue_name, message_id)["s0"]["status"] == "error"


def test_unicast_shows_the_one_subscriber_that_has_got_the_message(
    iron: IronClient, receiver: PushReceiver, queue_name: str
) -> None:
    make(iron, queue_name, receiver.url("200"), receiver.url("200"), kind="unicast")
    (message_id,) = iron.post(queue_name, "body")
    name = receiver.next().headers["iron-subscriber-name"]
    wait_for_status(iron, queue_name, message_id, "deleted", name)
    assert list(statuses(iron, queue_name, message_id)) == [name]
    assert receiver.is_quiet


def test_a_subscriber_may_be_another_queue(iron: IronClient, queue_name: str) -> None:
    make(iron, queue_name, f"ironmq:///{queue_name}-other")
    iron.post(queue_name, '"body"')
    assert wait_for_message(iron, f"{queue_name}-other") == "body"


def test_subscribers_that_come_and_go_are_pushed_to_from_the_next_message_on(
    iron: IronClient, receiver: PushReceiver, queue_name: str
) -> None:
    make(iron, queue_name, receiver.url("200"))
    added = {"subscribers": [{"name": "new", "url": receiver.url("200")}]}
    iron.said("POST", f"queues/{queue_name}/subscribers", added)
    iron.said("DELETE", f"queues/{queue_name}/subscribers", {"subscribers": [{"name": "s0"}]})
    iron.post(queue_name, "body")
    assert receiver.next().headers["iron-subscriber-name"] == "new"


def test_what_waits_for_another_try_is_cleared_and_goes_with_its_queue(
    iron: IronClient, receiver: PushReceiver, queue_name: str
) -> None:
    make(iron, queue_name, receiver.url("503"), retries_delay=3)
    (message_id,) = iron.post(queue_name, "body")
    wait_for_status(iron, queue_name, message_id, "retrying")
    assert iron.said("DELETE", f"queues/{queue_name}/messages", {}) == {"msg": "Cleared"}
    receiver.next()
    make(iron, queue_name, receiver.url("202"))
    (message_id,) = iron.post(queue_name, "body")
    wait_for_status(iron, queue_name, message_id, "reserved")
    receiver.next()
    assert iron.said("DELETE", f"queues/{queue_name}") == {"msg": "Deleted"}
    make(iron, queue_name, receiver.url("200"))
    iron.post(queue_name, "new")
    assert receiver.next().body == b"new"


@pytest.mark.parametrize(
    "subscriber",
    [
        {"name": "s", "url": "file:///etc/passwd"},
        {"name": "s", "url": "http://user:password@a.example/"},
        {"name": "s", "url": "http:///"},
        {"name": "s", "url": "ironmq://other.example/queue"},
        {"name": "s", "url": "http://a.example/", "secret": "guess"},
    ],
)
def test_a_subscriber_that_can_not_be_pushed_to_is_refused(
    iron: IronClient, queue_name: str, subscriber: dict[str, str]
) -> None:
    message = iron.said("PUT", f"queues/{queue_name}", {"queue": {"push": {"subscribers": [subscriber]}}}, 400)["msg"]
    assert "'s'" in message
    assert "guess" not in message


@pytest.mark.parametrize(
    "push",
    [
        {"subscribers": [{"name": "s", "url": "ironmq:///itself"}]},
        {"subscribers": [{"name": "s", "url": "ironmq:///%69tself"}]},
        {"subscribers": [{"name": "s", "url": "ironmq:///"}]},
        {"subscribers": [{"name": "s", "url": "ironmq:///%00"}]},
        {"subscribers": [{"name": "s", "url": "http://a.example/"}], "error_queue": "itself"},
        {"subscribers": [{"name": "s", "url": "http://a.example/"}], "error_queue": "a\nb"},
    ],
)
def test_a_queue_that_can_not_be_pushed_to_is_refused(iron: IronClient, push: dict[str, Any]) -> None:
    assert iron.said("PUT", "queues/itself", {"queue": {"push": push}}, 400)["msg"]
    iron.said("GET", "queues/itself", status=404)


def test_a_broker_of_which_nothing_else_is_said_does_not_push_to_its_own_machine(
    broker_factory: BrokerFactory, receiver: PushReceiver
) -> None:
    """Fault 102."""
    iron = IronClient(broker_factory().http_client())
    port = urlsplit(receiver.url("200")).port
    hosts = ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0x7f000001", "2130706433", "localhost"]
    make(iron, "q", *(f"http://{host}:{port}/200" for host in hosts), error_queue="errors")
    iron.post("q", "body")
    told = wait_for_message(iron, "errors")["subscribers"]
    assert [one["code"] for one in told] == [0] * len(hosts)
    assert all("push.allow_addresses" in one["msg"] for one in told)
    assert receiver.is_quiet
