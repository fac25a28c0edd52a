"""Messages that wait, as they stand in a log."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from segue.broker.message import decode
from segue.broker.schedule.scheduled_message import (
    ScheduledMessage,
    ScheduleId,
    by_fate,
    decode_scheduled,
    encode_scheduled,
    identity_of,
    targets_of,
)
from tests.unit.broker.actors import body_of, record

__all__: list[str] = []


@dataclass
class Writer:
    """Writes one message after the other."""

    written: int = 0

    def write(self, targets: str = "qq", deliveries: int = 0, repeat: str = "", *, is_plain: bool = False) -> bytes:
        self.written += 1
        identity, body = ScheduleId(1000 + self.written, 7, self.written), record(f"{self.written}")
        return encode_scheduled(ScheduledMessage(5, identity, targets, body, 6, deliveries, repeat, is_plain))


def test_a_message_that_waits_is_read_as_it_was_written() -> None:
    message = ScheduledMessage(5, ScheduleId(1, 7, 8), "qq\ntnäws", record("a"), 6, 3, '{"left":1}', is_plain=True)
    frame = encode_scheduled(message)
    assert decode_scheduled(frame) == message
    assert targets_of(frame) == message.targets
    assert identity_of(frame) == message.identity


def test_a_frame_of_before_there_were_plain_ones_is_none() -> None:
    frame = Writer().write()
    assert decode(frame).flags == 1
    assert not decode_scheduled(frame).is_plain


def test_messages_with_the_same_fate_are_together_whatever_they_are_called() -> None:
    writer = Writer()
    frames = [writer.write() for _ in range(5)]
    assert list(by_fate(frames)) == [frames]
    assert list(by_fate([])) == []


def test_those_of_different_targets_are_sorted_out() -> None:
    writer = Writer()
    one, two, three = ([writer.write(targets) for _ in range(3)] for targets in ("qq", "qqq", "tq\ntp"))
    mixed = [frame for some in zip(one, two, three, strict=True) for frame in some]
    assert list(by_fate(mixed)) == [one, two, three]


@pytest.mark.parametrize(
    "other", [{"targets": "qp\nqq"}, {"deliveries": 1}, {"repeat": "{}"}, {"is_plain": True}], ids=str
)
def test_those_with_a_target_in_common_stay_in_their_order(other: dict[str, object]) -> None:
    writer = Writer()
    frames = [writer.write(), writer.write(), writer.write(**other), writer.write()]  # type: ignore[arg-type]
    elsewhere = writer.write("tq")
    assert list(by_fate(frames)) == [frames[:2], frames[2:3], frames[3:]]
    assert list(by_fate([elsewhere, *frames])) == [[elsewhere], frames[:2], frames[2:3], frames[3:]]
    assert [body_of(decode_scheduled(frame).record) for frame in frames] == ["1", "2", "3", "4"]
