"""What messages have in common that are accepted at once: each is as if it had been made by itself."""

from __future__ import annotations

from segue.broker.schedule.repeat import Repeat
from segue.broker.schedule.scheduled_message import ScheduledMessage, encode_scheduled
from tests.unit.broker.actors import record
from tests.unit.broker.schedule.waiting import Waiting

__all__: list[str] = []


def test_each_message_is_as_if_it_had_been_made_by_itself(world: Waiting) -> None:
    repeat = Repeat(period_ms=5, left=2)
    slot = world.node.schedule.slot(9000, "qq\nqp", repeat, by_wall_clock=True, is_plain=True, deliveries=3)
    first = slot.accept_all([record("a"), record("b")])
    seqs = [first, first + 1, slot.accept(record("c"))]
    world.settle_down()
    now_ms = world.clock.now_ms()
    for seq, body in zip(seqs, "abc", strict=True):
        identity = slot.identity(seq)
        expected = ScheduledMessage(9000, identity, "qq\nqp", record(body), now_ms, 3, repeat.as_text(), is_plain=True)
        assert world.store.logs[identity.log].find(seq) == encode_scheduled(expected)
        assert f"{slot.names.decode()}{seq}" == str(identity)
    assert world.node.schedule.census.waiting_for("qp") == 3
