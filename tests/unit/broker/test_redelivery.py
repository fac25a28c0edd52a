"""Messages that consumers return, and that come again later."""

from __future__ import annotations

from dataclasses import replace

import pytest

from segue.broker.dead_letters import Reason, condemned
from segue.broker.errors import NotSupportedError
from segue.broker.message import decode
from segue.broker.queue import Queue
from segue.broker.queue_options import NO_OPTIONS, REFUSE, QueueOptions
from segue.broker.redelivery import back_off_ms
from segue.broker.selector import compile_selector
from segue.broker.session import Subscription
from segue.storage.api import deliveries_of, encode, prefix, with_deliveries
from segue.storage.record import verify
from tests.unit.broker.actors import Delivery, FakeSink, header, record
from tests.unit.broker.schedule.waiting import Waiting

__all__: list[str] = []

BACK_OFF = QueueOptions(redelivery_delay_ms=1000, redelivery_multiplier=2, redelivery_delay_max_ms=5000)


@pytest.fixture
def world() -> Waiting:
    return Waiting()


def reject(world: Waiting, subscription: Subscription, *seqs: int, delay_ms: int | None = None) -> None:
    session = world.node.sessions[subscription.consumer.session_id]
    session.give_back(subscription.consumer, list(seqs), delay_ms)
    world.settle_down()


def only(sink: FakeSink) -> Delivery:
    (delivery,) = sink.take()
    return delivery


def test_a_message_that_is_put_off_comes_again_at_the_end_with_its_count(world: Waiting) -> None:
    queue = world.node.queue("q")
    world.publish(queue, "a", "b")
    sink, subscription = world.consume(queue)
    sink.take()
    reject(world, subscription, 1, delay_ms=3000)
    assert queue.statistics().delayed == 1
    assert queue.statistics().in_flight == 1
    world.wait(2.999)
    assert sink.take() == []
    world.wait(0.001)
    assert only(sink) == Delivery(3, "a", 2, True)
    assert queue.statistics().in_flight == 2


def test_without_a_word_it_comes_again_at_once_and_in_its_place(world: Waiting) -> None:
    queue = world.node.queue("q")
    world.publish(queue, "a")
    sink, subscription = world.consume(queue)
    sink.take()
    for delay_ms in (None, 0):
        reject(world, subscription, 1, delay_ms=delay_ms)
        assert only(sink).seq == 1
    assert world.logs == []


def test_in_a_transaction_each_is_put_off_for_as_long_as_it_was_said_from_the_commit_on(world: Waiting) -> None:
    queue = world.node.queue("q")
    world.publish(queue, "a", "b", "c")
    sink, subscription = world.consume(queue)
    consumer = subscription.consumer
    session = world.node.sessions[consumer.session_id]
    sink.take()
    session.open_redelivery(consumer)
    session.begin("t")
    for seq, delay_ms in ((1, 2000), (2, 0), (3, 1000)):
        session.transaction("t").reject(consumer, [seq], delay_ms)
    world.wait(5)
    assert sink.bodies() == []
    session.commit("t")
    world.work()
    assert sink.bodies() == ["b"]
    world.wait(1)
    assert sink.bodies() == ["c"]
    world.wait(1)
    assert sink.bodies() == ["a"]


def test_its_count_goes_on_through_restarts_up_to_the_delivery_limit(world: Waiting) -> None:
    world.node.declare_queue("q", options=QueueOptions(delivery_limit=3, dead_letter="dead"))
    world.publish(world.node.queues["q"], "a")
    for deliveries in (1, 2, 3):
        sink, subscription = world.consume(world.node.queues["q"])
        delivery = only(sink)
        assert delivery.deliveries == deliveries
        reject(world, subscription, delivery.seq, delay_ms=1000)
        world.restart()
        world.wait(1)
    assert world.bodies("dead") == ["a"]


def test_a_crash_forgets_none_of_the_deliveries_before_it_was_put_off(world: Waiting) -> None:
    queue = world.node.queue("q")
    queue.note_put_off()
    queue.open_redelivery()
    queue.publish(with_deliveries(record("a"), 4))
    world.node.store.want()
    world.settle_down()
    assert only(world.consume(queue)[0]).deliveries == 5
    world.restart()
    assert world.node.queues["q"].cursor.returned == {1: 1}
    assert only(world.consume(world.node.queues["q"])[0]).deliveries == 6


def test_a_message_that_was_put_off_before_is_delivered_alone_among_new_ones(world: Waiting) -> None:
    queue = world.node.queue("q")
    world.publish(queue, "a", "b")
    _, subscription = world.consume(queue, prefetch=2)
    reject(world, subscription, 1, delay_ms=1000)
    reject(world, subscription, 2, delay_ms=1000)
    world.node.sessions[subscription.consumer.session_id].close()
    world.publish(queue, "c")
    world.wait(1)
    world.publish(queue, "d", "e")
    sink, _ = world.consume(queue)
    assert [(one.body, one.deliveries) for one in sink.take()] == [
        ("c", 1), ("a", 2), ("b", 2), ("d", 1), ("e", 1),
    ]  # fmt: skip


def test_several_consumers_get_their_shares_of_them(world: Waiting) -> None:
    queue = world.node.queue("q")
    world.publish(queue, *"abcd")
    _, subscription = world.consume(queue)
    for seq in (1, 2, 3, 4):
        reject(world, subscription, seq, delay_ms=1000)
    world.node.sessions[subscription.consumer.session_id].close()
    sinks = [world.consume(queue, prefetch=2)[0] for _ in range(2)]
    world.wait(1)
    assert [sink.bodies() for sink in sinks] == [["a", "c"], ["b", "d"]]


def test_a_queue_puts_off_by_itself_longer_and_longer(world: Waiting) -> None:
    queue = world.node.declare_queue("q", options=BACK_OFF)
    world.publish(queue, "a")
    sink, subscription = world.consume(queue)
    waits = []
    for _ in range(5):
        reject(world, subscription, only(sink).seq)
        waits.append(0)
        while not sink.deliveries:
            world.wait(1)
            waits[-1] += 1
    assert waits == [1, 2, 4, 5, 5]


def test_a_consumer_knows_better_and_a_lost_one_says_nothing(world: Waiting) -> None:
    queue = world.node.declare_queue("q", options=BACK_OFF)
    world.publish(queue, "a")
    sink, subscription = world.consume(queue)
    sink.take()
    reject(world, subscription, 1, delay_ms=0)
    assert only(sink).seq == 1
    world.node.sessions[subscription.consumer.session_id].close()
    sink, _ = world.consume(queue)
    assert only(sink).seq == 1, "at once, and in its place"


def test_in_a_transaction_the_queue_says_when(world: Waiting) -> None:
    queue = world.node.declare_queue("q", options=BACK_OFF)
    world.publish(queue, "a")
    session = world.session()
    sink, subscription = world.consume(queue, session=session)
    sink.take()
    session.begin("t")
    session.transaction("t").reject(subscription.consumer, [1])
    session.commit("t")
    world.settle_down()
    assert sink.take() == []
    world.wait(1)
    assert only(sink).deliveries == 2


def test_a_policy_that_comes_and_goes_leaves_what_was_put_off(world: Waiting) -> None:
    queue = world.node.queue("q")
    queue.apply(BACK_OFF)
    world.publish(queue, "a", "b")
    sink, subscription = world.consume(queue)
    sink.take()
    reject(world, subscription, 1)
    queue.apply(NO_OPTIONS)
    reject(world, subscription, 2)
    assert only(sink).body == "b", "there is no delay any more"
    world.wait(1)
    assert only(sink) == Delivery(3, "a", 2, True)


def test_what_was_put_off_when_its_bytes_were_on_disk_is_moved_when_they_come(world: Waiting) -> None:
    queue = world.node.queue("q")
    world.publish(queue, "a")
    sink, subscription = world.consume(queue)
    sink.take()
    world.store.spill(queue.log)
    world.node.sessions[subscription.consumer.session_id].give_back(subscription.consumer, [1], 2000)
    world.node.end_step()
    assert list(queue.cursor.condemned) == [1]
    assert world.node.schedule.size == 0
    world.settle_down()
    assert world.node.schedule.size == 1
    world.wait(2)
    assert only(sink).deliveries == 2


@pytest.mark.parametrize(("down_seconds", "left_seconds"), [(0, 2), (0.5, 1.5), (1.75, 0.25)])
def test_a_crash_before_its_bytes_come_leaves_the_time_at_which_it_is_due(
    world: Waiting, down_seconds: float, left_seconds: float
) -> None:
    queue = world.node.queue("q")
    world.publish(queue, "a")
    _, subscription = world.consume(queue)
    world.store.spill(queue.log)
    world.clock.set_by(-7200)  # delays go on by their own clock, through a crash, too
    world.node.look_at_clock()
    world.node.sessions[subscription.consumer.session_id].give_back(subscription.consumer, [1], 2000)
    world.node.end_step()
    world.restart_without_reads()
    assert list(world.node.queues["q"].cursor.condemned) == [1], "its bytes have not come"
    world.clock.advance(down_seconds)
    world.wait(left_seconds - 0.001)
    assert world.bodies() == []
    world.wait(0.001)
    assert world.bodies() == ["a"]


def test_where_an_earlier_segue_has_not_said_for_how_long_the_queue_does(world: Waiting) -> None:
    queue = world.node.declare_queue("q", options=BACK_OFF)
    queue.note_put_off()
    world.publish(queue, "a")
    sink, _ = world.consume(queue)
    sink.take()
    world.settle_down()
    world.node.sessions.clear()
    cursor = queue.log.cursors[0]
    cursor.out.clear()
    cursor.give_back({1: condemned(2, Reason.PUT_OFF)})
    world.restart()
    world.settle_down()
    assert world.node.schedule.size == 1
    world.wait(1.999)
    assert world.bodies() == []
    world.wait(0.001)
    assert world.bodies() == ["a"]


def test_what_is_put_off_goes_with_its_queue(world: Waiting) -> None:
    queue = world.node.queue("q")
    world.publish(queue, "a")
    _, subscription = world.consume(queue)
    reject(world, subscription, 1, delay_ms=1000)
    world.node.delete_queue("q")
    world.wait(1)
    assert "q" not in world.node.queues
    assert world.node.schedule.size == 0


def test_a_full_queue_takes_it_back_when_there_is_room(world: Waiting) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(messages_max=1, overflow=REFUSE))
    world.publish(queue, "a")
    sink, subscription = world.consume(queue, prefetch=1)
    sink.take()
    reject(world, subscription, 1, delay_ms=1000)
    world.node.sessions[subscription.consumer.session_id].close()
    world.publish(queue, "b")
    world.wait(3)
    assert world.bodies() == ["b"]
    sink, subscription = world.consume(queue, prefetch=1)
    assert only(sink).body == "b"
    world.wait(1)
    world.acknowledge(subscription.consumer, 2)
    assert only(sink) == Delivery(3, "a", 2, True)


def test_priorities_hold_for_what_was_put_off(world: Waiting) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(priority_max=9))
    for priority in (9, 1):
        queue.publish(record(f"{priority}", b"priority:%d\n\n" % priority))
    world.node.store.want()
    world.settle_down()
    sink, subscription = world.consume(queue, prefetch=1)
    reject(world, subscription, only(sink).seq, delay_ms=1000)
    assert only(sink).body == "1"
    world.publish(queue, "middle")
    world.wait(1)
    world.node.sessions[subscription.consumer.session_id].close()
    sink, _ = world.consume(queue)
    assert [(one.body, one.deliveries) for one in sink.take()] == [("9", 2), ("middle", 1), ("1", 2)]


@pytest.mark.parametrize("kind", ["temporary", "topic", "durable"])
def test_elsewhere_nothing_can_be_put_off(world: Waiting, kind: str) -> None:
    session, sink = world.session(), FakeSink()
    if kind == "temporary":
        subscription = session.subscribe_queue(session.temporary_queue("t"), sink, prefetch=1, settles=True)
    elif kind == "topic":
        subscription = session.subscribe_topic("news", sink, prefetch=1, settles=True)
    else:
        subscription = session.subscribe_durable("d", "news", sink, prefetch=1, settles=True)
    source = subscription.source
    (source.publish if isinstance(source, Queue) else world.node.topic("news").publish)(record("a"))
    world.node.store.want()
    world.settle_down()
    with pytest.raises(NotSupportedError):
        session.give_back(subscription.consumer, [1], 1000)
    assert list(subscription.consumer.unacknowledged) == [1], "nothing has changed"


@pytest.mark.parametrize(
    ("deliveries", "options", "expected"),
    [
        (1, NO_OPTIONS, 0),
        (9, replace(BACK_OFF, redelivery_multiplier=1), 1000),
        (1, BACK_OFF, 1000),
        (3, BACK_OFF, 4000),
        (4, BACK_OFF, 5000),
        (1_000_000, BACK_OFF, 5000),
        (1_000_000, replace(BACK_OFF, redelivery_delay_max_ms=0), 3_155_760_000_000),
        (0, BACK_OFF, 1000),
    ],
)
def test_the_delay_grows_up_to_a_bound(deliveries: int, options: QueueOptions, expected: int) -> None:
    assert back_off_ms(options, deliveries) == expected


@pytest.mark.parametrize(("deliveries", "kept"), [(0, 0), (1, 1), (65_535, 65_535), (70_000, 65_535)])
def test_a_record_keeps_the_count_and_is_otherwise_the_same(deliveries: int, kept: int) -> None:
    common, crc = prefix(5, b"a:b\n\n")
    plain = encode(common, crc, b"body")
    counted = with_deliveries(plain, deliveries)
    assert verify(counted)
    assert deliveries_of(counted) == kept
    assert with_deliveries(counted, 0) == plain


@pytest.mark.parametrize("lies", ["in memory", "on disk"])
def test_with_selectors_it_comes_again_with_its_count_to_whom_it_concerns(world: Waiting, lies: str) -> None:
    queue = world.node.queue("q")
    for body in ("a", "b", "c"):
        queue.publish(record(body, b"kind:%s\n\n" % body.encode()))
    world.node.store.want()
    sinks = {}
    for kind in ("a", "b"):
        sinks[kind], subscription = world.consume(queue, selector=compile_selector(f"kind = '{kind}'"))
        seq = only(sinks[kind]).seq
        reject(world, subscription, seq, delay_ms=1000)
    world.send("d", delay=0.5)
    if lies == "on disk":
        world.settle_down()
        world.store.spill(queue.log)
    world.wait(1)
    assert [(sink.take()[0].deliveries, kind) for kind, sink in sinks.items()] == [(2, "a"), (2, "b")]
    for session in list(world.node.sessions.values()):
        session.close()
    world.settle_down()
    sink, _ = world.consume(queue)
    assert [(one.body, one.deliveries) for one in sink.take()] == [("c", 1), ("d", 1), ("a", 3), ("b", 3)]


def test_what_was_put_off_and_lies_on_disk_is_delivered_with_its_count(world: Waiting) -> None:
    queue = world.node.queue("q")
    world.publish(queue, "a", "b")
    _, subscription = world.consume(queue)
    reject(world, subscription, 1, delay_ms=1000)
    world.node.sessions[subscription.consumer.session_id].close()
    world.wait(1)
    world.store.spill(queue.log)
    sink, _ = world.consume(queue)
    assert [(one.body, one.deliveries) for one in sink.take()] == [("b", 2), ("a", 2)]


def test_what_is_set_aside_and_put_back_again_keeps_its_count(world: Waiting) -> None:
    queue = world.node.queue("q")
    world.publish(queue, "a")
    _, subscription = world.consume(queue)
    reject(world, subscription, 1, delay_ms=1000)
    world.node.sessions[subscription.consumer.session_id].close()
    _, choosy = world.consume(queue, selector=compile_selector("kind = 'b'"))
    world.wait(1)
    assert queue.statistics().passed_over == 1
    world.node.sessions[choosy.consumer.session_id].close()
    assert only(world.consume(queue)[0]) == Delivery(2, "a", 2, True)


@pytest.mark.parametrize("waits", ["unread", "returned", "set aside"])
def test_a_dead_letter_says_how_often_it_was_delivered_before_it_was_put_off(world: Waiting, waits: str) -> None:
    queue = world.node.declare_queue("q", options=QueueOptions(dead_letter="dead", messages_max=1))
    world.publish(queue, "a")
    _, subscription = world.consume(queue)
    reject(world, subscription, 1, delay_ms=1000)
    world.node.sessions[subscription.consumer.session_id].close()
    if waits == "set aside":
        world.consume(queue, selector=compile_selector("kind = 'b'"))
    world.wait(1)
    if waits == "returned":
        sink, subscription = world.consume(queue)
        assert only(sink).deliveries == 2
        world.node.sessions[subscription.consumer.session_id].close()
    world.publish(queue, "b")
    letter = world.node.queue("dead").log.find(1)
    assert letter is not None
    assert header(decode(letter), "dead-letter-deliveries") == ("2" if waits == "returned" else "1")
