"""What the headers of SUBSCRIBE and UNSUBSCRIBE ask for."""

from __future__ import annotations

import pytest

from segue.protocols.stomp.destination import Dialect
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.frames import Version
from segue.protocols.stomp.headers import (
    PREFETCH_DEFAULT,
    PREFETCH_MAX,
    AckMode,
    DurableName,
    QueueFlags,
    SubscribeOptions,
    UnsubscribeOptions,
    name_durable_subscription,
    read_subscribe,
    read_unsubscribe,
)


def subscribe(**headers: str) -> SubscribeOptions:
    """Read a SUBSCRIBE of 1.2; an underscore in a name stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_subscribe({"id": "0", "destination": "/queue/a", **named}, Version.V1_2)


def subscribe_with(name: str, value: str) -> SubscribeOptions:
    return read_subscribe({"id": "0", "destination": "/queue/a", name: value}, Version.V1_2)


def test_a_subscription_has_defaults() -> None:
    assert subscribe() == SubscribeOptions(
        id="0",
        ack=AckMode.AUTO,
        prefetch=PREFETCH_DEFAULT,
        window_bytes=None,
        routing_type=None,
        queue=QueueFlags(),
        durable_name=None,
        queue_name=None,
        browser=False,
        no_local=False,
        selector="",
    )


@pytest.mark.parametrize("version", [Version.V1_1, Version.V1_2])
def test_a_subscription_needs_an_id_since_1_1(version: Version) -> None:
    with pytest.raises(StompProtocolError) as refused:
        read_subscribe({"destination": "/queue/a"}, version)
    assert refused.value.code is ErrorCode.MISSING_HEADER
    assert read_subscribe({"destination": "/queue/a"}, Version.V1_0).id is None


@pytest.mark.parametrize("mode", AckMode)
def test_there_are_three_ways_to_acknowledge(mode: AckMode) -> None:
    assert subscribe(ack=mode.value).ack is mode


@pytest.mark.parametrize("text", ["", "Client", "none", "client-cumulative"])
def test_an_unknown_way_to_acknowledge_is_refused(text: str) -> None:
    with pytest.raises(StompProtocolError) as refused:
        subscribe(ack=text)
    assert refused.value.code is ErrorCode.INVALID_HEADER


@pytest.mark.parametrize(
    ("headers", "prefetch", "window"),
    [
        ({"prefetch-count": "1"}, 1, None),
        ({"prefetch-count": "0"}, PREFETCH_MAX, None),
        ({"prefetch-count": "2147483648"}, PREFETCH_MAX, None),
        ({"activemq.prefetchSize": "7"}, 7, None),
        ({"activemq.prefetchSize": "0"}, 1, None),
        ({"activemq.prefetchSize": "7", "prefetch-count": "8"}, 8, None),
        ({"consumer-window-size": "0"}, 1, None),
        ({"consumer-window-size": "-1"}, PREFETCH_DEFAULT, None),
        ({"consumer-window-size": "1048576"}, PREFETCH_DEFAULT, 1_048_576),
        ({"consumer-window-size": "0", "prefetch-count": "5"}, 5, None),
    ],
)
def test_fault_45_credit_is_what_the_client_asks_for_within_our_bounds(
    headers: dict[str, str], prefetch: int, window: int | None
) -> None:
    options = read_subscribe({"id": "0", **headers}, Version.V1_2)
    assert (options.prefetch, options.window_bytes) == (prefetch, window)


@pytest.mark.parametrize("name", ["prefetch-count", "activemq.prefetchSize", "consumer-window-size"])
@pytest.mark.parametrize("value", ["-2", "", "many", "1.5", "9" * 5000, "\u0663", "+1"])
def test_fault_45_credit_that_is_no_number_is_refused(name: str, value: str) -> None:
    with pytest.raises(StompProtocolError) as refused:
        subscribe_with(name, value)
    assert refused.value.code is ErrorCode.INVALID_HEADER


def test_credit_keeps_within_the_bounds_of_the_settings() -> None:
    headers = {"id": "0", "prefetch-count": "500"}
    assert read_subscribe(headers, Version.V1_2, prefetch_max=50).prefetch == 50
    assert read_subscribe({"id": "0"}, Version.V1_2, prefetch_default=7).prefetch == 7


def test_a_subscription_asks_for_what_its_headers_say() -> None:
    options = subscribe(
        durable="true",
        auto_delete="false",
        exclusive="true",
        x_queue_name="q",
        browser="true",
        no_local="true",
        subscription_type="MULTICAST",
    )
    assert options.queue == QueueFlags(durable=True, auto_delete=False, exclusive=True)
    assert (options.queue_name, options.browser, options.no_local, options.routing_type) == (
        "q",
        True,
        True,
        "MULTICAST",
    )
    assert subscribe_with("activemq.noLocal", "true").no_local


QUEUE_NAMES = ("x-queue-name", "x-dead-letter-queue", "x-dead-letter-routing-key")


@pytest.mark.parametrize("header", QUEUE_NAMES)
@pytest.mark.parametrize("name", ["a\u202eb", "a*", "#", "a,b", "a?consumer.prefetchSize=1"])
def test_the_name_of_a_queue_in_a_header_is_one_that_a_destination_may_have(header: str, name: str) -> None:
    with pytest.raises(StompProtocolError) as refused:
        subscribe_with(header, name)
    assert refused.value.code is ErrorCode.INVALID_DESTINATION


@pytest.mark.parametrize("header", QUEUE_NAMES)
def test_the_dialect_of_rabbitmq_has_no_lists_and_so_commas_in_names(header: str) -> None:
    headers = {"id": "0", "destination": "/topic/a", header: "a,b"}
    options = read_subscribe(headers, Version.V1_2, dialect=Dialect.RABBITMQ)
    assert "a,b" in (options.queue_name, options.queue.dead_letter)
    with pytest.raises(StompProtocolError):
        read_subscribe({**headers, header: "a*"}, Version.V1_2, dialect=Dialect.RABBITMQ)


@pytest.mark.parametrize("name", ["activemq.subscriptionName", "durable-subscription-name", "durable-subscriber-name"])
def test_a_durable_subscription_by_name_belongs_to_a_client_id(name: str) -> None:
    options = subscribe_with(name, "n")
    assert name_durable_subscription(options, "t", "c") == DurableName("c", None, "n")
    with pytest.raises(StompProtocolError) as refused:
        name_durable_subscription(options, "t", None)
    assert refused.value.code is ErrorCode.MISSING_HEADER


def test_a_durable_subscription_by_id_belongs_to_its_topic() -> None:
    assert name_durable_subscription(subscribe(durable="true"), "t", "c") == DurableName(None, "t", "0")
    assert name_durable_subscription(subscribe(durable="true", auto_delete="true"), "t", None) is None
    assert name_durable_subscription(subscribe(durable="false"), "t", None) is None
    assert name_durable_subscription(subscribe(), "t", "c") is None


def test_a_durable_subscription_of_1_0_needs_an_id() -> None:
    with pytest.raises(StompProtocolError) as refused:
        name_durable_subscription(read_subscribe({"durable": "true"}, Version.V1_0), "t", None)
    assert refused.value.code is ErrorCode.MISSING_HEADER


def test_an_unsubscribe_names_a_subscription() -> None:
    assert read_unsubscribe({"id": "0", "durable": "true"}, Version.V1_2) == UnsubscribeOptions("0", None, True, None)
    assert read_unsubscribe({"destination": "/queue/a"}, Version.V1_0) == UnsubscribeOptions(
        None, "/queue/a", False, None
    )
    assert read_unsubscribe({"durable-subscriber-name": "n"}, Version.V1_2) == UnsubscribeOptions(
        None, None, False, "n"
    )


@pytest.mark.parametrize(
    ("headers", "version"),
    [({"destination": "/queue/a"}, Version.V1_1), ({"destination": "/queue/a"}, Version.V1_2), ({}, Version.V1_0)],
)
def test_an_unsubscribe_that_names_none_is_refused(headers: dict[str, str], version: Version) -> None:
    with pytest.raises(StompProtocolError) as refused:
        read_unsubscribe(headers, version)
    assert refused.value.code is ErrorCode.MISSING_HEADER
