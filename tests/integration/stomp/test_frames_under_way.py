"""Many large frames at the same time, none of them whole (DESIGN 3.5, FAULTS 51, L4)."""

from __future__ import annotations

import pytest

from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.helpers.stomp_client import StompClient
from tests.helpers.stomp_frames import Frame

__all__: list[str] = []

_MIB = 1 << 20
_CLIENTS = 30
_BODY_BYTES = 10 * _MIB
_BOUND_BYTES = 8 * _MIB
_ROUNDS_MAX = 5000
_QUIET_ROUNDS = 100  # each of them waits for a receipt, so for the broker's turn


class Upload:
    """A client that sends one large message, as far as the broker takes it."""

    def __init__(self, broker: BrokerProcess, number: int) -> None:
        self.client = broker.client()
        self.receipt = f"{number}"
        head = f"SEND\ndestination:/queue/large\ncontent-length:{_BODY_BYTES}\nreceipt:{number}\n\n"
        self.rest = memoryview(head.encode() + bytes(_BODY_BYTES) + b"\0")

    def push(self, keep: int = 0) -> int:
        """Send what goes now, but for the last `keep` octets. Returns how many octets went."""
        before = len(self.rest)
        self.client.socket.settimeout(0.0)
        try:
            while len(self.rest) > keep:
                self.rest = self.rest[self.client.socket.send(self.rest[: len(self.rest) - keep]) :]
        except BlockingIOError:
            pass
        return before - len(self.rest)


def push_all(uploads: list[Upload], other: StompClient, keep: int = 0) -> None:
    """Until nothing goes any more; in between, somebody else is served all the time."""
    quiet = 0
    for _ in range(_ROUNDS_MAX):
        if quiet == _QUIET_ROUNDS or not any(len(upload.rest) > keep for upload in uploads):
            return
        quiet = 0 if sum([upload.push(keep) for upload in uploads]) else quiet + 1
        other.publish_confirmed("/queue/small", b"x")
    raise AssertionError("it goes on and on")


def test_frames_that_are_not_whole_take_no_more_memory_than_they_may_and_all_get_done(
    broker_factory: BrokerFactory,
) -> None:
    broker = broker_factory(settings={"memory.receiving_bytes_max": _BOUND_BYTES})
    other = broker.client()
    before = broker.resident_bytes()
    uploads = [Upload(broker, number) for number in range(_CLIENTS)]
    push_all(uploads, other, keep=_MIB)
    risen = broker.resident_bytes() - before
    print(f"RSS +{risen / _MIB:.1f} MiB")
    assert risen < _BOUND_BYTES + _BODY_BYTES + 16 * _MIB
    push_all(uploads, other)
    assert [len(upload.rest) for upload in uploads] == [0] * _CLIENTS
    for upload in uploads:
        upload.client.expect_receipt(upload.receipt)


@pytest.mark.long
def test_a_frame_that_does_not_get_done_is_refused_and_the_others_go_on(broker_factory: BrokerFactory) -> None:
    settings = {"memory.receiving_bytes_max": _BOUND_BYTES, "limits.frame_seconds": 2}
    broker = broker_factory(settings=settings)
    other = broker.client()
    slow, quick = Upload(broker, 1), Upload(broker, 2)
    push_all([slow], other, keep=_MIB)
    push_all([quick], other)
    assert quick.rest
    error: Frame = slow.client.expect("ERROR")
    assert error["error-code"] == "timed-out"
    push_all([quick], other)
    quick.client.expect_receipt("2")
