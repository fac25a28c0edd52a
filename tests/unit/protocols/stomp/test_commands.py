"""What STOMP frames other than plain SEND and ACK do: subscriptions, rarer acknowledgements, transactions, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from segue.broker.errors import (
    BrokerError,
    InUseError,
    LimitReachedError,
    NotFoundError,
    NotHeldError,
    TransactionError,
)
from segue.protocols.stomp.commands import as_protocol_error
from tests.unit.protocols.stomp import session_frames
from tests.unit.protocols.stomp.actors import Client, StompWorld
from tests.unit.protocols.stomp.session_frames import frame, send


def subscribe(destination: str = "/queue/q", id: str = "s", ack: str = "client", **headers: Any) -> bytes:
    return session_frames.subscribe(destination, id, ack, **headers)


def holding(world: StompWorld, version: str = "1.2", **headers: Any) -> Client:
    """A client with three messages out."""
    client = world.client(version)
    client.say(send("1"), send("2"), send("3"), subscribe(**headers))
    client.connection.written.clear()
    client._read = 0
    return client


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFoundError, "not-found"),
        (InUseError, "precondition-failed"),
        (LimitReachedError, "limit-reached"),
        (NotHeldError, "unknown-ack"),
        (TransactionError, "precondition-failed"),
        (BrokerError, "precondition-failed"),
    ],
)
def test_every_refusal_of_the_node_has_a_code_and_keeps_its_text(error: type[BrokerError], code: str) -> None:
    failure = as_protocol_error(error("why"))
    assert (failure.code.code, failure.body) == (code, "why")


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (frame("SUBSCRIBE", id="x"), "missing-header"),
        (subscribe(id="s"), "duplicate-subscription"),
        (subscribe("/amq/queue/none", "x"), "not-found"),
        (subscribe("/exchange/none", "x"), "not-found"),
        (subscribe("/reply-queue/none", "x"), "not-found"),
        (subscribe("/topic/t", "x", browser="true"), "not-supported"),
        (subscribe("/queue/q", "x", no_local="true"), "not-supported"),
        (subscribe("/queue/q", "x", exclusive="true"), "precondition-failed"),
        (subscribe("/topic/t", "x", no_local="true", durable="true"), "not-supported"),
        (subscribe("/topic/t", "x", no_local="true", x_queue_name="b"), "not-supported"),
        (send("x", "/reply-queue/none"), "not-found"),
        (frame("UNSUBSCRIBE", id="none"), "unknown-subscription"),
        (frame("UNSUBSCRIBE", id="none", durable="true", destination="/topic/t"), "not-found"),
        (frame("BEGIN"), "missing-header"),
        (frame("COMMIT", transaction="none"), "unknown-transaction"),
        (frame("ABORT", transaction="none"), "unknown-transaction"),
        (frame("ACK", id="1-9"), "unknown-ack"),
        (frame("NACK", id="1-9"), "unknown-ack"),
        (frame("NACK", id="9-1"), "unknown-ack"),
        (frame("ACK", id="1-1", transaction="none"), "unknown-transaction"),
        (frame("CONNECT", accept_version="1.2", host="/"), "unexpected-command"),
        (frame("MESSAGE"), "unexpected-command"),
    ],
)
def test_what_can_not_be_done_is_an_error_and_everything_out_returns(world: StompWorld, bad: bytes, code: str) -> None:
    """FAULTS 68."""
    client = holding(world)
    client.say(bad)
    assert client.error() == code
    found = world.node.queue("q").statistics()
    assert (found.ready, found.settled, found.consumers) == (3, 0, 0)


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
@pytest.mark.parametrize("command", ["ACK", "NACK"])
@pytest.mark.parametrize("transaction", [False, True])
def test_in_client_mode_an_acknowledgement_covers_what_came_before(
    world: StompWorld, version: str, command: str, transaction: bool
) -> None:
    client = holding(world, version, prefetch_count=3)
    headers: dict[str, Any] = {"id": "1-2"} if version == "1.2" else {"message_id": "1-2", "subscription": "s"}
    if transaction:
        client.say(
            frame("BEGIN", transaction="t"),
            frame(command, transaction="t", **headers),
            frame("COMMIT", transaction="t"),
        )
    else:
        client.say(frame(command, **headers))
    found = world.node.queue("q").statistics()
    if command == "ACK":
        assert (found.settled, found.in_flight) == (2, 1)
        assert client.frames() == []
    else:
        assert (found.settled, found.in_flight) == (0, 3)
        assert [(one.body, one["redelivered"], one["x-delivery-count"]) for one in client.frames()] == [
            (b"1", "true", "2"),
            (b"2", "true", "2"),
        ]


@pytest.mark.parametrize("transaction", [False, True])
def test_a_message_that_is_not_to_be_requeued_is_done(world: StompWorld, transaction: bool) -> None:
    client = holding(world, ack="client-individual")
    nack: dict[str, Any] = {"id": "1-2", "requeue": "false"}
    if transaction:
        client.say(frame("BEGIN", transaction="t"), frame("NACK", transaction="t", **nack))
        assert world.node.queue("q").statistics().settled == 0
        client.say(frame("COMMIT", transaction="t"))
    else:
        client.say(frame("NACK", **nack))
    assert world.node.queue("q").statistics().settled == 1
    assert client.frames() == []


def test_the_ack_id_of_an_earlier_delivery_is_void(world: StompWorld) -> None:
    """FAULTS 39."""
    client = holding(world, ack="client-individual")
    client.say(frame("NACK", id="1-1"))
    (again,) = client.frames()
    assert again["ack"] == "1-1.2"
    client.say(frame("ACK", id="1-1"))
    assert client.error() == "unknown-ack"


def test_an_acknowledgement_of_what_nobody_waits_for_is_harmless(world: StompWorld) -> None:
    client = holding(world, ack="auto")
    client.say(frame("ACK", id="1-1", receipt="a"), frame("NACK", id="1-1", receipt="b"))
    assert client.commands() == ["RECEIPT a", "RECEIPT b"]


@pytest.mark.parametrize("command", ["ACK", "NACK"])
@pytest.mark.parametrize("browser", ["true", "false"])
def test_an_unknown_transaction_is_an_error_where_acknowledgements_mean_nothing_too(
    world: StompWorld, command: str, browser: str
) -> None:
    client = holding(world, ack="auto", browser=browser)
    client.say(frame(command, id="1-1", transaction="none"))
    assert client.error() == "unknown-transaction"


def test_in_1_0_an_ack_without_subscription_goes_to_the_one_that_waits_for_it(world: StompWorld) -> None:
    """A subscription that acknowledges nothing would take any message of its queue for its own."""
    client = world.client("1.0")
    client.say(subscribe("/queue/q", "looks", browser="true"), subscribe("/queue/q", "takes", ack="auto"))
    client.say(subscribe("/queue/q", "waits", ack="client"), send("1"), send("2"))
    for message in client.frames():
        client.say(frame("ACK", message_id=message["message-id"], receipt="r"))
    found = world.node.queue("q").statistics()
    assert (found.settled, found.in_flight) == (2, 0)


def test_in_1_0_a_message_is_found_on_whichever_subscription_holds_it(world: StompWorld) -> None:
    client = world.client("1.0")
    client.say(subscribe("/queue/q", "one", prefetch_count=1), subscribe("/queue/q", "two", prefetch_count=1))
    client.say(send("1"), send("2"))
    for message in client.frames():
        client.say(frame("ACK", message_id=message["message-id"]))
    assert world.node.queue("q").statistics().settled == 2


def test_a_reply_finds_its_way_to_the_queue_of_who_asked(world: StompWorld) -> None:
    asking, answering = world.client(), world.client()
    answering.say(subscribe("/queue/service", ack="auto"))
    asking.say(send("?", "/queue/service", reply_to="/temp-queue/answers"))
    (question,) = answering.frames()
    assert question["reply-to"].startswith("/reply-queue/")
    answering.say(send("!", question["reply-to"]))
    (answer,) = asking.frames()
    assert (answer.body, answer["subscription"]) == (b"!", "/temp-queue/answers")
    asking.hang_up()
    answering.say(send("?", question["reply-to"]))
    assert answering.error() == "not-found"


@pytest.mark.parametrize(
    ("dialect", "name"), [("segue", "a/b"), ("segue", "x" * 255), ("rabbitmq", "a%2Fb"), ("rabbitmq", "x" * 255)]
)
def test_the_name_of_a_reply_queue_can_be_sent_to_as_it_comes(dialect: str, name: str) -> None:
    world = StompWorld(dialect=dialect)
    asking, answering = world.client(), world.client()
    answering.say(subscribe("/queue/service", ack="auto"))
    asking.say(send("?", "/queue/service", reply_to=f"/temp-queue/{name}"))
    (question,) = answering.frames()
    answering.say(send("!", question["reply-to"]))
    assert asking.bodies() == ["!"]


def test_a_durable_subscription_is_deleted_by_name_or_by_its_id(world: StompWorld) -> None:
    client = world.client(client_id="c")
    client.say(subscribe("/topic/t", "a", durable_subscription_name="n"), subscribe("/topic/t", "b", durable="true"))
    assert len(world.node.topics.durables()) == 2
    client.say(frame("UNSUBSCRIBE", id="a"), frame("UNSUBSCRIBE", id="b"))
    assert len(world.node.topics.durables()) == 2
    client.say(
        frame("UNSUBSCRIBE", id="a", durable_subscription_name="n"),
        frame("UNSUBSCRIBE", id="b", destination="/topic/t", durable="true", receipt="r"),
    )
    assert client.commands() == ["RECEIPT r"]
    assert world.node.topics.durables() == []


def test_a_client_id_and_a_topic_of_the_same_name_are_two_owners_of_durable_subscriptions(world: StompWorld) -> None:
    """With one key for both, the one who comes later would take the other's place, and its messages would be gone."""
    activemq, rabbitmq = world.client(client_id="news"), world.client()
    activemq.say(subscribe("/topic/else", "1", durable_subscription_name="n"), frame("UNSUBSCRIBE", id="1"))
    rabbitmq.say(subscribe("/topic/news", "n", durable="true"))
    assert sorted((one.pattern, one.name) for one in world.node.topics.durables()) == [
        ("else", "news:n"),
        ("news", "news/n"),
    ]


def test_consumers_share_a_durable_subscription_that_is_named_by_its_topic(world: StompWorld) -> None:
    """As in RabbitMQ, where there is an ordinary queue behind it; with a client id it is one client's (JMS)."""
    one, two = world.client(client_id="c"), world.client(client_id="c")
    for client in (one, two):
        client.say(subscribe("/topic/t", "both", durable="true", ack="client-individual", prefetch_count=1))
    one.say(send("1", "/topic/t"), send("2", "/topic/t"))
    assert one.bodies() + two.bodies() == ["1", "2"]
    for client in (one, two):
        client.say(subscribe("/topic/t", "mine", durable_subscription_name="n"))
    assert two.error() == "precondition-failed"


def test_a_1_0_client_ends_by_destination_what_it_has_begun_with_an_id(world: StompWorld) -> None:
    """As ActiveMQ does; the first of several."""
    client = world.client("1.0")
    client.say(subscribe("/queue/q", "a", ack="auto"), subscribe("/queue/q", "b", ack="auto"))
    client.say(frame("UNSUBSCRIBE", destination="/queue/q"), send("1"))
    (message,) = client.frames()
    assert message["subscription"] == "b"


# Whose queue it is --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rude", [subscribe(browser="true"), subscribe("/topic/t", x_queue_name="q"), subscribe("/queue/q")]
)
def test_nobody_looks_into_a_queue_that_is_anothers_alone_or_binds_it_to_a_topic(
    world: StompWorld, rude: bytes
) -> None:
    owner, other = world.client(), world.client()
    owner.say(subscribe(exclusive="true"), frame("UNSUBSCRIBE", id="s"), send("secret"))
    other.say(rude)
    assert other.commands() == ["ERROR precondition-failed"]
    world.client().say(send("forced", "/topic/t"))
    assert world.node.queue("q").statistics().ready == 1


@pytest.mark.parametrize(
    "first", [send("1", exclusive="true"), subscribe("/topic/t", x_queue_name="q", exclusive="true")]
)
def test_a_queue_is_its_makers_alone_however_it_is_made(world: StompWorld, first: bytes) -> None:
    owner, other = world.client(), world.client()
    owner.say(first, frame("BEGIN", transaction="t", receipt="r"))
    assert "RECEIPT r" in owner.commands()
    other.say(subscribe())
    assert other.error() == "precondition-failed"
    owner.hang_up()
    assert "q" not in world.node.queues


@pytest.mark.parametrize(
    ("headers", "auto_delete", "durable"),
    [
        ({}, True, False),
        ({"durable": "true"}, False, True),
        ({"durable": "true", "auto_delete": "true"}, True, True),
        ({"auto_delete": "false"}, False, False),
    ],
)
def test_a_queue_behind_a_topic_lasts_as_long_as_its_client_says(
    world: StompWorld, headers: dict[str, str], auto_delete: bool, durable: bool
) -> None:
    world.client().say(subscribe("/topic/t", x_queue_name="q", **headers))
    queue = world.node.queue("q")
    assert (queue.auto_delete, queue.definition.get("durable", True)) == (auto_delete, durable)


@pytest.mark.parametrize("auto_delete", ["true", "false"])
def test_unsubscribe_deletes_the_queue_behind_a_topic_unless_it_has_gone_by_itself(
    world: StompWorld, auto_delete: str
) -> None:
    client = world.client()
    client.say(subscribe("/topic/t", x_queue_name="q", auto_delete=auto_delete))
    client.say(frame("UNSUBSCRIBE", id="s", durable="true", receipt="r"))
    assert client.commands() == ["RECEIPT r"]
    assert world.node.queues == {}


def test_browsers_are_counted_as_subscriptions() -> None:
    world = StompWorld(subscriptions_per_connection_max=2)
    client = world.client()
    client.say(subscribe("/queue/q", "a", browser="true"), subscribe("/queue/q", "b", browser="true"))
    client.say(subscribe("/queue/never-made", "c", browser="true"))
    assert client.error() == "limit-reached"
    assert sorted(world.node.queues) == ["q"]


def test_the_subscriptions_of_a_deleted_queue_are_told(world: StompWorld) -> None:
    client, other = holding(world), world.client()
    other.say(subscribe("/queue/other"))
    world.node.delete_queue("q")
    world.settle_down()
    (error,) = client.frames()
    assert (error["error-code"], error["message"]) == ("not-found", "Server cancelled subscription")
    other.say(send("1", "/queue/other"))
    assert other.bodies() == ["1"]
