"""The node: what is declared and deleted, what a step does and in which order, and whose fault stops whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import trio
import trio.testing

from segue.broker.errors import InUseError, LimitReachedError, NotFoundError, ShuttingDownError
from segue.broker.node import Node
from segue.broker.queue_options import NO_OPTIONS, REFUSE, QueueOptions
from segue.broker.settings import Policy, Settings
from segue.broker.users import Users
from tests.helpers.recorded_log import RecordedLog
from tests.unit.broker.actors import FakeOutput, FakeSink, World, record
from tests.unit.broker.memory_store import FakeClock, MemoryStore

# Queues -------------------------------------------------------------------------------------------------------------


def test_a_queue_is_declared_on_first_use_and_found_after_that(world: World) -> None:
    queue = world.node.queue("q")
    assert world.node.queue("q") is queue
    assert world.node.declare_queue("q", auto_delete=True) is queue
    assert not queue.auto_delete
    assert world.node.existing_queue("q") is queue


def test_a_new_queue_follows_the_policies_and_keeps_what_it_was_declared_with() -> None:
    world = World(policies={"all": Policy("*", dead_letter="dead", delivery_limit=9)})
    queue = world.node.declare_queue("q", options=QueueOptions(delivery_limit=2))
    assert queue.options == QueueOptions(dead_letter="dead", delivery_limit=2)
    assert queue.definition["options"] == {"delivery_limit": 2}
    assert world.node.queue("dead").options == QueueOptions(delivery_limit=9)


def test_temporary_queues_topics_and_durable_subscriptions_have_no_policies(world: World) -> None:
    strict = World(policies={"all": Policy("*", delivery_limit=1, message_ttl_ms=0, messages_max=0, overflow=REFUSE)})
    session = strict.session()
    sink, durable = FakeSink(), FakeSink()
    session.subscribe_topic("news", sink, prefetch=10, settles=False)
    session.subscribe_durable("diary", "news", durable, prefetch=10, settles=True)
    temporary = strict.node.create_temporary("t", session.id)
    strict.publish(temporary, "x")
    strict.node.topic("news").publish(record("a"))
    strict.node.store.want()
    strict.settle_down()
    reader, _ = strict.consume(temporary, session=session)
    assert (sink.bodies(), durable.bodies(), reader.bodies()) == (["a"], ["a"], ["x"])
    assert temporary.options == NO_OPTIONS


def test_a_queue_that_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(NotFoundError, match="'q'"):
        world.node.existing_queue("q")
    with pytest.raises(NotFoundError):
        world.node.delete_queue("q")


def test_no_more_queues_than_the_limit_are_declared() -> None:
    world = World(queues_max=2)
    world.node.queue("a")
    world.node.queue("b")
    with pytest.raises(LimitReachedError, match="queues_max"):
        world.node.queue("c")
    assert world.node.queue("a").open
    world.node.delete_queue("a")
    world.node.queue("c")


def test_a_durable_subscription_counts_as_a_queue() -> None:
    world = World(queues_max=2)
    world.node.queue("a")
    session = world.session()
    session.subscribe_durable("d", "t", FakeSink(), prefetch=1, settles=True)
    with pytest.raises(LimitReachedError, match="queues_max"):
        world.node.queue("b")
    with pytest.raises(LimitReachedError, match="queues_max"):
        session.subscribe_durable("e", "t", FakeSink(), prefetch=1, settles=True)
    assert [one.name for one in world.node.topics.durables()] == ["d"]


def test_a_deleted_queue_takes_its_messages_with_it(world: World) -> None:
    queue = world.node.queue("q")
    world.publish(queue, *"abc")
    sink, _ = world.consume(queue, prefetch=1)
    assert world.node.delete_queue("q") == 3
    world.settle_down()
    assert sink.reasons == ["queue deleted"]
    assert not queue.open
    assert world.store.logs == {}
    assert world.store.hot_bytes == 0
    assert world.node.queue("q").statistics().ready == 0


def test_a_queue_with_messages_or_consumers_is_not_deleted_if_that_was_excluded(world: World) -> None:
    queue = world.node.queue("q")
    world.publish(queue, "a")
    with pytest.raises(InUseError, match="1 messages"):
        world.node.delete_queue("q", if_empty=True)
    world.consume(queue)
    with pytest.raises(InUseError, match="1 messages"):  # what is out with a consumer is not gone
        world.node.delete_queue("q", if_empty=True)
    with pytest.raises(InUseError, match="1 consumers"):
        world.node.delete_queue("q", if_unused=True)
    assert world.node.existing_queue("q") is queue
    assert world.node.delete_queue("q") == 1


def test_a_deleted_queue_tells_all_consumers_even_when_one_of_them_takes_others_along(world: World) -> None:
    queue = world.node.queue("q")
    world.publish(queue, *"ab")
    session, bystander = world.session(), world.session()

    class Leaving(FakeSink):
        def cancelled(self, reason: str) -> None:
            super().cancelled(reason)
            session.close()

    leaving, other = Leaving(), FakeSink()
    session.subscribe_queue(queue, leaving, prefetch=1, settles=True)
    session.subscribe_queue(queue, other, prefetch=1, settles=True)
    third, _ = world.consume(queue, session=bystander)
    world.node.delete_queue("q")
    assert leaving.reasons == third.reasons == ["queue deleted"]
    assert queue.dispatcher.consumers == []
    assert world.store.logs == {}
    assert list(world.node.sessions.values()) == [bystander]


def test_a_message_of_the_step_that_deletes_the_queue_does_no_harm(world: World) -> None:
    queue = world.node.queue("q")
    queue.publish(record("a"))
    world.node.delete_queue("q")
    world.settle_down()
    assert world.store.hot_bytes == 0


def test_a_deleted_queue_gets_no_messages_of_topics_any_more(world: World) -> None:
    queue = world.node.queue("q")
    world.node.bind(queue, "t.*")
    world.node.bind(queue, "t.#")
    world.node.bind(queue, "t.*")
    world.node.topic("t.x").publish(record("a"))
    world.node.store.want()
    world.settle_down()
    assert queue.statistics().ready == 1  # once, though two patterns match
    world.node.delete_queue("q")
    assert list(world.node.topics.topics()) == []
    world.node.topic("t.x").publish(record("b"))
    world.settle_down()
    assert queue.log.head == 2


# Sessions -----------------------------------------------------------------------------------------------------------


def test_ids_of_sessions_are_never_used_again(world: World) -> None:
    first = world.session()
    first.close()
    assert world.session().id != first.id
    assert first.id not in world.node.sessions


def test_no_session_begins_once_the_broker_stops(world: World) -> None:
    world.node.stopping = True
    with pytest.raises(ShuttingDownError):
        world.session()


# Steps --------------------------------------------------------------------------------------------------------------


class Talkative(FakeOutput):
    """An output whose flush sets something off."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self._act = act

    def flush_output(self) -> None:
        super().flush_output()
        self._act()


def test_what_is_durable_already_is_called_back_at_once_and_the_rest_later(world: World) -> None:
    calls: list[str] = []
    world.node.on_durable(lambda: calls.append("idle"))
    assert calls == ["idle"]
    world.node.queue("q").publish(record("a"))
    world.node.on_durable(lambda: calls.append("first"))
    world.node.on_durable(lambda: calls.append("second"))
    world.node.end_step()
    assert calls == ["idle"]
    world.store.sync()
    assert calls == ["idle", "first", "second"]


def test_a_callback_that_fails_stops_neither_the_others_nor_the_deliveries(world: World) -> None:
    """A fault in one connection's receipt costs that connection."""
    queue = world.node.queue("q")
    sink, _ = world.consume(queue)
    calls: list[str] = []
    output = FakeOutput()

    def fail() -> None:
        raise ValueError("of this connection")

    queue.publish(record("a"))
    world.node.on_durable(lambda: calls.append("before"))
    world.node.on_durable(fail, output)
    world.node.on_durable(fail)
    world.node.on_durable(lambda: calls.append("behind"))
    world.settle_down()
    assert calls == ["before", "behind"]
    assert sink.bodies() == ["a"]
    assert output.closed_because == ["abandoned: internal error"]
    assert [event.event for event in world.log.events] == ["internal.error"] * 2


@pytest.mark.parametrize("call", ["flush_output", "let_go"])
def test_an_output_that_fails_is_abandoned_and_the_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    broken, sound = FakeOutput(), FakeOutput()

    def fail() -> None:
        raise ValueError("of this connection")

    monkeypatch.setattr(broken, call, fail)
    for output in (broken, sound):
        world.node.wrote(output)
        world.node.wait_for_room(output)
    world.node.end_step()
    assert broken.closed_because == ["abandoned: internal error"]
    assert (sound.flushed, sound.let_go_times) == (1, 1)
    assert len(world.log.named("internal.error")) == 1


def test_each_output_is_flushed_once_a_step(world: World) -> None:
    output = FakeOutput()
    world.node.wrote(output)
    world.node.end_step()
    world.node.end_step()
    assert output.flushed == 1


def test_room_that_a_flush_makes_is_used_in_the_same_step(world: World) -> None:
    queue = world.node.queue("q")
    sink, subscription = world.consume(queue)
    sink.blocked = True
    world.publish(queue, "a")

    def drain() -> None:
        sink.blocked = False
        queue.dispatcher.queue_up(subscription.consumer)
        world.node.touched(queue.dispatcher)

    world.node.wrote(Talkative(drain))
    world.node.end_step()
    assert sink.bodies() == ["a"]


def test_what_a_flush_settles_is_on_its_way_to_the_disk_when_the_step_is_over(world: World) -> None:
    """A peer that acknowledges nothing has a message when the kernel has it: that is known behind the flush."""
    queue = world.node.queue("q")
    world.publish(queue, "a")
    _, subscription = world.consume(queue, settles=False)
    world.node.wrote(Talkative(lambda: subscription.consumer.sent(1)))
    world.node.end_step()
    assert world.store.batch.settled
    assert world.store._lazy.is_set()


async def test_one_reader_that_keeps_up_does_not_keep_the_others_waiting(world: World, nursery: trio.Nursery) -> None:
    """A step ends, however fast its output is taken; what is left is done in the next one, which comes by itself."""
    turns: list[int] = []

    def again() -> None:
        turns.append(1)
        world.node.wrote(endless)

    endless = Talkative(again)
    world.node.wrote(endless)
    world.node.end_step()
    assert 1 <= len(turns) < 20
    seen = len(turns)
    nursery.start_soon(world.node._go_on)
    for _ in range(10):
        await trio.lowlevel.checkpoint()
    nursery.cancel_scope.cancel()
    assert len(turns) > seen


# Held publishers ----------------------------------------------------------------------------------------------------


def test_publishers_are_held_while_the_disk_has_no_room_and_let_go_after_that(world: World) -> None:
    output = FakeOutput()
    world.store.played_journal.short_of_space = True
    world.node.end_step()
    assert world.node.held
    world.node.wait_for_room(output)
    world.node.end_step()
    assert output.let_go_times == 0
    world.store.played_journal.short_of_space = False
    world.node.end_step()
    assert output.let_go_times == 1
    world.node.end_step()
    assert (world.node.held, output.let_go_times) == (False, 1)


def test_publishers_are_let_go_one_after_the_other_until_they_have_to_wait_again(world: World) -> None:
    """Or the first moment of relief would bring everything that all connections have put aside at once."""
    journal = world.store.played_journal
    order: list[str] = []

    class Publisher(FakeOutput):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def let_go(self) -> None:
            order.append(self.name)
            journal.short_of_space = True
            if self.name == "b":
                world.node.wait_for_room(self)  # it had more than there was room for

    journal.short_of_space = True
    world.node.end_step()
    for name in "abc":
        world.node.wait_for_room(Publisher(name))
    for _ in range(4):
        journal.short_of_space = False
        world.node.end_step()
        assert world.node.held
    assert order == ["a", "b", "c", "b"]


def test_any_number_of_publishers_is_let_go_in_one_step(world: World) -> None:
    outputs = [FakeOutput() for _ in range(5000)]
    world.store.played_journal.short_of_space = True
    world.node.end_step()
    for output in outputs:
        world.node.wait_for_room(output)
    world.store.played_journal.short_of_space = False
    world.node.end_step()
    assert all(output.let_go_times == 1 for output in outputs)


def test_who_has_left_is_not_let_go(world: World) -> None:
    output = FakeOutput()
    world.store.played_journal.short_of_space = True
    world.node.end_step()
    world.node.wait_for_room(output)
    world.node.stop_waiting(output)
    world.node.stop_waiting(output)
    world.store.played_journal.short_of_space = False
    world.node.end_step()
    assert output.let_go_times == 0


# Topics by name -----------------------------------------------------------------------------------------------------


def test_names_of_topics_take_no_more_memory_than_the_limit() -> None:
    world = World(queues_max=10)
    for number in range(100):
        world.node.topic(f"t.{number}")
    assert len(world.node._topics_by_name) <= 10


def test_a_node_starts_with_the_default_settings() -> None:
    settings = replace(Settings())
    node = Node(MemoryStore(), settings, FakeClock(), RecordedLog(), Users(settings.users))
    assert node.queues == {}
    assert not node.held


async def test_a_round_of_sweeps_leaves_out_queues_whose_messages_expire_no_more(
    world: World, nursery: trio.Nursery
) -> None:
    nursery.start_soon(world.node.watch)
    await trio.testing.wait_all_tasks_blocked()
    queues = [world.node.queue(f"{number}") for number in range(100)]
    for queue in queues:
        world.publish(queue, *map(str, range(50)))
        queue.apply(QueueOptions(message_ttl_ms=1 << 50))
    world.node.sweep()
    world.settle_down()  # now they may be read
    for queue in queues:
        queue.apply(QueueOptions(message_ttl_ms=0))
    world.node.sweep()
    left = sum(queue.statistics().ready for queue in queues)
    assert 0 < left < 100 * 50
    for queue in queues:
        queue.apply(NO_OPTIONS)
    await trio.testing.wait_all_tasks_blocked()
    assert sum(queue.statistics().ready for queue in queues) == left
