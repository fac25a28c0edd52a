"""What the headers of SEND ask for."""

from __future__ import annotations

import pytest

from segue.protocols.stomp.destination import Dialect
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.headers import QueueFlags, SendOptions, read_send


def test_a_send_with_nothing_special_is_persistent() -> None:
    assert read_send({"destination": "/queue/a", "kind": "x", "x-any": "1"}) == SendOptions()
    assert SendOptions().persistent


@pytest.mark.parametrize(("value", "persistent"), [("true", True), ("false", False), ("False", False), ("TRUE", True)])
def test_a_send_may_be_not_persistent(value: str, persistent: bool) -> None:
    assert read_send({"persistent": value}).persistent is persistent


def test_a_send_asks_for_what_its_headers_say() -> None:
    headers = {
        "destination-type": "MULTICAST",
        "reply-to": "/temp-queue/a",
        "dedup-id": "1",
        "durable": "false",
        "exclusive": "true",
    }
    assert read_send(headers) == SendOptions(
        routing_type="MULTICAST",
        reply_to="/temp-queue/a",
        deduplication_id="1",
        queue=QueueFlags(durable=False, exclusive=True),
    )


def test_our_deduplication_id_goes_before_that_of_artemis() -> None:
    assert read_send({"_AMQ_DUPL_ID": "a"}).deduplication_id == "a"
    assert read_send({"_AMQ_DUPL_ID": "a", "dedup-id": "b"}).deduplication_id == "b"


@pytest.mark.parametrize("name", ["message-id", "subscription", "ack"])
def test_the_brokers_headers_on_send_are_refused_in_the_dialect_of_rabbitmq(name: str) -> None:
    assert read_send({name: "1"}) == SendOptions()
    with pytest.raises(StompProtocolError) as refused:
        read_send({name: "1"}, Dialect.RABBITMQ)
    assert refused.value.message == "Invalid header"
    assert refused.value.body == f"'{name}' is not allowed on 'SEND'.\n"


@pytest.mark.parametrize("name", ["persistent", "durable", "auto-delete", "exclusive"])
def test_a_flag_that_is_neither_true_nor_false_is_refused(name: str) -> None:
    with pytest.raises(StompProtocolError) as refused:
        read_send({name: "maybe"})
    assert refused.value.code is ErrorCode.INVALID_HEADER
