"""Once-only publishing: who repeats himself adds nothing, and is told which message it was (FAULTS 33, 34)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.helpers.stomp_client import StompClient
from tests.helpers.stomp_frames import Frame
from tests.integration.stomp.conftest import Connect
from tests.integration.stomp.ends import ENDS, IMPATIENT

__all__: list[str] = []

_QUEUE = "/queue/a"


def publish_once(client: StompClient, queue: str, **headers: str) -> Frame:
    """Send a message whose body is the value of its first header; returns the RECEIPT."""
    names = {name.replace("_", "-") if name != "_AMQ_DUPL_ID" else name: value for name, value in headers.items()}
    client.publish(queue, next(iter(headers.values())).encode(), receipt="r", headers=names)
    return client.expect_receipt("r")


def said(receipt: Frame) -> dict[str, str]:
    """What a RECEIPT says beside the id."""
    return {name: value for name, value in receipt.headers if name != "receipt-id"}


@pytest.mark.parametrize("name", ["dedup_id", "_AMQ_DUPL_ID"])
def test_a_repeat_is_answered_like_the_first_one_and_says_so(connect: Connect, queue: str, name: str) -> None:
    client = connect()
    first = publish_once(client, queue, **{name: "17"})
    client.reset()
    client = connect()
    again = publish_once(client, queue, **{name: "17"})
    assert said(again) == {"message-id": first["message-id"], "duplicate": "true"}
    client.subscribe(queue)
    assert client.expect_message(b"17")["message-id"] == first["message-id"]
    client.expect_no_message()


@ENDS
def test_ids_outlive_the_broker(broker_factory: BrokerFactory, end: Callable[[BrokerProcess], None]) -> None:
    """Fault 33: the producer did not see the receipt, because the broker died."""
    broker = broker_factory(settings=IMPATIENT)
    client = broker.client()
    first = [publish_once(client, _QUEUE, dedup_id=str(number)) for number in range(5)]
    end(broker)
    broker.start()
    client = broker.client()
    again = [publish_once(client, _QUEUE, dedup_id=str(number)) for number in range(6)]
    assert [frame["message-id"] for frame in again[:5]] == [frame["message-id"] for frame in first]
    assert ["duplicate" in said(frame) for frame in again] == [True] * 5 + [False]
    client.subscribe(_QUEUE)
    client.expect_messages(*(b"%d" % number for number in range(6)))
    client.expect_no_message()


@ENDS
@pytest.mark.parametrize("names", [("dedup_id",), ("sequence_id", "producer_name")], ids=["id", "number"])
def test_a_repeat_of_a_message_for_later_adds_nothing(
    broker_factory: BrokerFactory, end: Callable[[BrokerProcess], None], names: tuple[str, ...]
) -> None:
    """SQS's queues that keep the order take both, too."""
    broker = broker_factory(settings=IMPATIENT)
    client = broker.client()
    headers = dict.fromkeys(names, "7")
    first = said(publish_once(client, _QUEUE, **headers, delay="500"))
    assert first["schedule-id"]
    end(broker)
    broker.start()
    client = broker.client()
    assert said(publish_once(client, _QUEUE, **headers, delay="700")) == {**first, "duplicate": "true"}
    client.subscribe(_QUEUE)
    client.expect_message(b"7")
    assert said(publish_once(client, _QUEUE, **headers, delay="1")) == {**first, "duplicate": "true"}
    assert "schedule-id" not in said(publish_once(client, _QUEUE, **headers)), "it was not for later"
    client.expect_no_message()


def test_an_id_of_a_message_for_now_is_one_of_a_message_for_later_too(connect: Connect, queue: str) -> None:
    client = connect()
    first = said(publish_once(client, queue, dedup_id="7"))
    assert said(publish_once(client, queue, dedup_id="7", delay="1")) == {**first, "duplicate": "true"}
    client.subscribe(queue)
    client.expect_message(b"7")
    client.expect_no_message()


def test_a_transaction_schedules_nothing_twice(connect: Connect, queue: str) -> None:
    client = connect()
    first = said(publish_once(client, queue, dedup_id="1", delay="1"))
    client.begin("t")
    for number in (1, 2, 2):
        headers = {"dedup-id": f"{number}", "delay": "1", "transaction": "t"}
        client.publish(queue, b"%d" % number, receipt=f"{number}", headers=headers)
    client.commit("t", wait=False)
    repeat, new, again = (client.expect_receipt(receipt) for receipt in "122")
    assert said(repeat) == {**first, "duplicate": "true"}
    assert said(again) == {**said(new), "duplicate": "true"}
    client.subscribe(queue)
    client.expect_messages(b"1", b"2")
    client.expect_no_message()


def test_a_message_for_later_to_several_destinations_can_not_have_an_id(connect: Connect, queue: str) -> None:
    client = connect()
    client.publish(f"{queue},{queue}-b", b"x", headers={"dedup-id": "1", "delay": "1"})
    assert "several destinations" in client.expect_error().body.decode()


def test_ids_are_remembered_when_their_messages_are_long_gone(connect: Connect, queue: str) -> None:
    client = connect()
    first = publish_once(client, queue, dedup_id="1")
    client.subscribe(queue, ack="client-individual")
    client.ack(client.expect_message(b"1"), wait=True)
    assert said(publish_once(client, queue, dedup_id="1")) == {"message-id": first["message-id"], "duplicate": "true"}
    client.expect_no_message()


def test_two_of_the_same_id_in_one_read_are_one_message(connect: Connect, queue: str) -> None:
    client = connect()
    send = f"SEND\ndestination:{queue}\ndedup-id:1\nreceipt:{{}}\n\nx\0"
    client.send_bytes("".join(send.format(receipt) for receipt in "abc").encode())
    first, *others = (client.expect_receipt(receipt) for receipt in "abc")
    assert [said(frame) for frame in others] == [{**said(first), "duplicate": "true"}] * 2


def test_a_transaction_confirms_repeats_with_its_own_messages(connect: Connect, queue: str) -> None:
    client = connect()
    first = publish_once(client, queue, dedup_id="1")
    client.begin("t")
    for number, receipt in ("1", "a"), ("2", "b"), ("2", "c"):
        client.publish(queue, number.encode(), transaction="t", receipt=receipt, headers={"dedup-id": number})
    client.commit("t", wait=False)
    a, b, c = (client.expect_receipt(receipt) for receipt in "abc")
    assert said(a) == {"message-id": first["message-id"], "duplicate": "true"}
    assert said(c) == {"message-id": b["message-id"], "duplicate": "true"}
    client.subscribe(queue)
    client.expect_messages(b"1", b"2")
    client.expect_no_message()


def test_an_aborted_transaction_leaves_no_ids(connect: Connect, queue: str) -> None:
    client = connect()
    client.begin("t")
    client.publish(queue, b"1", transaction="t", headers={"dedup-id": "1"})
    client.abort("t")
    assert "duplicate" not in said(publish_once(client, queue, dedup_id="1"))


def test_a_transaction_that_was_committed_and_not_confirmed_can_be_repeated(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    for _ in range(2):
        client = broker.client()
        client.begin("t")
        for number in ("1", "2"):
            client.publish(_QUEUE, number.encode(), transaction="t", headers={"dedup-id": number})
        client.commit("t")
        broker.kill()
        broker.start()
    client = broker.client()
    client.subscribe(_QUEUE)
    client.expect_messages(b"1", b"2")
    client.expect_no_message()


def test_each_queue_of_a_list_takes_what_it_does_not_have(connect: Connect, queue: str) -> None:
    client = connect()
    one, two = f"{queue}-1", f"{queue}-2"
    first = publish_once(client, one, dedup_id="1")
    both = f"{one},{two}"
    assert said(publish_once(client, both, dedup_id="1")) == {"message-id": first["message-id"]}
    assert said(publish_once(client, both, dedup_id="1")) == {"message-id": first["message-id"], "duplicate": "true"}
    for number, name in enumerate((one, two)):
        client.subscribe(name, id=str(number))
        client.expect_message(b"1")
    client.expect_no_message()


def test_a_topic_in_a_list_gets_a_copy_when_a_queue_does(connect: Connect, queue: str) -> None:
    client = connect()
    topic = queue.replace("/queue/", "/topic/")
    client.subscribe(topic)
    for _ in range(2):
        publish_once(client, f"{queue},{topic}", dedup_id="1")
    publish_once(client, f"{topic},{topic}.more", dedup_id="1")
    client.expect_messages(b"1", b"1")
    client.expect_no_message()


def test_an_id_is_new_behind_the_window_that_the_queue_was_made_with(connect: Connect, queue: str) -> None:
    """Fault 34."""
    client = connect()
    for number in "1", "2", "3", "1":
        window = {"x_deduplication_ids_max": "2"}
        assert "duplicate" not in said(publish_once(client, queue, dedup_id=number, **window))
    assert "duplicate" in said(publish_once(client, queue, dedup_id="3"))


def test_a_deleted_queue_takes_its_ids_with_it(connect: Connect, queue: str) -> None:
    client = connect()
    for _ in range(2):
        assert "duplicate" not in said(publish_once(client, queue, auto_delete="true", dedup_id="1"))
        client.subscribe(queue, ack="auto")
        client.expect_message()
        client.unsubscribe()


def test_a_temporary_queue_knows_repeats_too(connect: Connect) -> None:
    client = connect()
    client.subscribe("/temp-queue/t", ack="auto")
    first = publish_once(client, "/temp-queue/t", dedup_id="1")
    message = client.expect_message(b"1")
    assert message["message-id"] == first["message-id"]
    again = publish_once(client, "/temp-queue/t", dedup_id="1")
    assert said(again) == {"message-id": first["message-id"], "duplicate": "true"}
    client.expect_no_message()


@ENDS
def test_a_producer_that_numbers_its_messages_learns_where_to_go_on(
    broker_factory: BrokerFactory, end: Callable[[BrokerProcess], None]
) -> None:
    broker = broker_factory(settings=IMPATIENT)
    client = broker.client()
    first = [publish_once(client, _QUEUE, sequence_id=number, producer_name="p") for number in ("3", "7")]
    assert [frame["sequence-id"] for frame in first] == ["3", "7"]
    end(broker)
    broker.start()
    client = broker.client()
    asked = publish_once(client, _QUEUE, sequence_id="0", producer_name="p")
    assert said(asked) == {"sequence-id": "7", "duplicate": "true"}
    again = [publish_once(client, _QUEUE, sequence_id=number, producer_name="p") for number in ("3", "7", "8")]
    assert [said(frame) for frame in again] == [
        {"sequence-id": "7", "duplicate": "true"},
        {"sequence-id": "7", "duplicate": "true", "message-id": first[1]["message-id"]},
        {"sequence-id": "8", "message-id": again[2]["message-id"]},
    ]
    client.subscribe(_QUEUE)
    client.expect_messages(b"3", b"7", b"8")
    client.expect_no_message()


def test_producers_and_queues_have_numbers_of_their_own(connect: Connect, queue: str) -> None:
    client = connect()
    for name, producer in (queue, "p"), (queue, "q"), (f"{queue}-2", "p"):
        assert "duplicate" not in said(publish_once(client, name, sequence_id="1", producer_name=producer))
    asked = publish_once(client, f"{queue}-3", sequence_id="0", producer_name="p")
    assert said(asked) == {"sequence-id": "0", "duplicate": "true"}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"sequence-id": "1"}, "missing-header"),
        ({"producer-name": "p"}, "missing-header"),
        ({"producer-name": "p", "sequence-id": "-1"}, "invalid-header"),
        ({"producer-name": "p", "sequence-id": "1", "dedup-id": "1"}, "invalid-header"),
        ({"x-deduplication-ids-max": "0", "dedup-id": "1"}, "invalid-header"),
    ],
)
def test_half_an_identity_and_two_of_them_are_refused(
    connect: Connect, queue: str, headers: dict[str, str], code: str
) -> None:
    client = connect()
    client.publish(queue, b"", headers=headers)
    assert client.expect("ERROR")["error-code"] == code
