"""Names of queues and topics, and who may call them what (stomp.md §5, FAULTS 46)."""

from __future__ import annotations

import itertools
import unicodedata

import pytest

from tests.helpers.stomp_client import StompClient
from tests.integration.stomp.conftest import Connect

__all__: list[str] = []


def test_a_queue_is_made_by_its_first_use(connect: Connect, queue: str) -> None:
    connect().publish_confirmed(queue, b"waiting for someone")
    client = connect()
    client.subscribe(queue)
    client.expect_message(b"waiting for someone")


@pytest.mark.parametrize(
    "name", ["a", "with space", "a/b/c", "a.b.c", "%2F", "a%2Fb", "größe", "日本", "a:b", "A" * 100]
)
def test_a_queue_may_have_a_name_that_clients_of_other_brokers_use(connect: Connect, name: str, queue: str) -> None:
    client = connect()
    client.subscribe(f"{queue}/{name}", ack="auto")
    client.publish(f"{queue}/{name}", b"1")
    client.expect_message(b"1", destination=f"{queue}/{name}")


def test_names_are_case_sensitive(connect: Connect, queue: str) -> None:
    client = connect()
    client.subscribe(queue, ack="auto")
    client.publish(queue.replace("/queue/t", "/queue/T"), b"upper")
    client.publish(queue, b"lower")
    client.expect_message(b"lower")
    client.expect_no_message()


_REFUSED = {
    "empty": "",
    "two dots alone": "..",
    "dots as a part": "a/../b",
    "two thousand octets": "x" * 2000,
    "NUL": "a\0b",
    "control": "a\x07b",
    "line feed": "a\nb",
    "right to left": "a\u202eb",
    "right to left mark": "a\u200fb",
}


@pytest.mark.parametrize("kind", ["queue", "topic"])
@pytest.mark.parametrize("fault", [fault for fault in _REFUSED if fault != "NUL"])
@pytest.mark.parametrize("command", ["SEND", "SUBSCRIBE"])
def test_a_name_that_no_one_should_have_is_refused(connect: Connect, kind: str, fault: str, command: str) -> None:
    """Fault 46."""
    client = connect()
    client.send_frame(command, {"destination": f"/{kind}/{_REFUSED[fault]}", "id": "1", "receipt": "r"})
    client.expect_error()


def test_a_name_with_nul_ends_the_connection(connect: Connect) -> None:
    """Fault 46: the NUL stands where a header should end."""
    client = connect()
    client.send_bytes(b"SEND\ndestination:/queue/a\0b\n\n\0")
    client.expect_error()


@pytest.mark.parametrize("name", ["a.*", "*", "#", "a.#", ">", "a.>"])
def test_a_wildcard_is_no_name_to_send_to(connect: Connect, name: str) -> None:
    """Fault 46."""
    client = connect()
    client.send_frame("SEND", {"destination": f"/topic/{name}"})
    client.expect_error()


@pytest.mark.parametrize("name", ["a.*", "*", "#", ">"])
@pytest.mark.parametrize("command", ["SEND", "SUBSCRIBE"])
def test_a_wildcard_is_no_name_of_a_queue(connect: Connect, name: str, command: str) -> None:
    """Fault 46."""
    client = connect()
    client.send_frame(command, {"destination": f"/queue/{name}", "id": "1"})
    client.expect_error()


def test_names_that_are_equal_in_nfc_are_one_queue(connect: Connect, queue: str) -> None:
    """Fault 46: the same letters, composed or not, look the same to everybody."""
    composed, decomposed = f"{queue}-é", unicodedata.normalize("NFD", f"{queue}-é")
    assert composed != decomposed
    connect().publish_confirmed(composed, b"1")
    other = connect()
    other.subscribe(decomposed, ack="auto")
    other.expect_message(b"1")


@pytest.mark.parametrize("destination", ["/bah/baz", "/queues/a", "/Queue/a", "plain", "jms.queue.a"])
def test_what_has_no_prefix_of_ours_is_the_name_of_a_queue(connect: Connect, destination: str) -> None:
    client = connect()
    client.publish_confirmed(destination, b"1")
    other = connect()
    other.subscribe(destination, ack="auto")
    other.expect_message(b"1", destination=destination)


@pytest.mark.parametrize("destination", ["/queue", "/topic", "/queue/", "/topic/", "/amq/queue/", "/temp-queue/"])
@pytest.mark.parametrize("command", ["SEND", "SUBSCRIBE"])
def test_a_prefix_without_a_name_is_refused(connect: Connect, destination: str, command: str) -> None:
    """Fault 46."""
    client = connect()
    client.send_frame(command, {"destination": destination, "id": "1", "receipt": "r"})
    client.expect_error("destination")


@pytest.mark.parametrize(
    ("command", "destination"),
    [
        ("SUBSCRIBE", "/queue/a,/queue/b"),
        *itertools.product(["SEND", "SUBSCRIBE"], ["/queue/a?consumer.prefetchSize=1", "/temp-topic/a"]),
    ],
)
def test_what_only_activemq_understands_is_refused_and_not_taken_for_a_name(
    connect: Connect, destination: str, command: str
) -> None:
    client = connect()
    client.send_frame(command, {"destination": destination, "id": "1", "receipt": "r"})
    client.expect_error()


def test_amq_queue_is_an_existing_queue(connect: Connect, queue: str) -> None:
    client = connect()
    client.publish_confirmed(queue, b"1")
    client.subscribe(queue.replace("/queue/", "/amq/queue/"), ack="auto")
    client.expect_message(b"1")


@pytest.mark.parametrize("command", ["SEND", "SUBSCRIBE"])
def test_amq_queue_never_declares(connect: Connect, command: str) -> None:
    client = connect()
    client.send_frame(command, {"destination": "/amq/queue/never-declared", "id": "1", "receipt": "r"})
    client.expect_error("not_found")


@pytest.mark.parametrize("command", ["SEND", "SUBSCRIBE"])
@pytest.mark.parametrize("destination", ["/exchange/amq.direct/key", "/exchange/mine", "/exchange/amq.topic/a.b"])
def test_exchanges_are_not_found_till_there_are_any(connect: Connect, command: str, destination: str) -> None:
    client = connect()
    client.send_frame(command, {"destination": destination, "id": "1", "receipt": "r"})
    client.expect_error("not_found")


def subscribe_as(client: StompClient, name: str, kind: str) -> None:
    client.subscribe(name, ack="auto", headers={"subscription-type": kind})


def test_an_anycast_name_without_prefix_is_a_queue(connect: Connect, queue: str) -> None:
    name = queue.removeprefix("/queue/")
    client = connect()
    client.publish_confirmed(name, b"1", headers={"destination-type": "ANYCAST"})
    subscribe_as(client, name, "ANYCAST")
    client.expect_message(b"1")


def test_a_multicast_name_without_prefix_is_a_topic(connect: Connect, queue: str) -> None:
    name = queue.removeprefix("/queue/")
    one, other = connect(), connect()
    subscribe_as(one, name, "MULTICAST")
    subscribe_as(other, name, "MULTICAST")
    connect().publish_confirmed(name, b"1", headers={"destination-type": "MULTICAST"})
    one.expect_message(b"1")
    other.expect_message(b"1")


def test_x_queue_type_is_taken_without_a_word(connect: Connect, queue: str) -> None:
    for number, kind in enumerate(("classic", "quorum")):
        client = connect()
        client.subscribe(queue, id=str(number), ack="auto", headers={"x-queue-type": kind})
        client.publish(queue, b"1")
        client.expect_message(b"1")
        client.disconnect()
