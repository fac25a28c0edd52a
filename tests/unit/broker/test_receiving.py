"""Frames that are not whole: how many bytes of them there are, and whose turn it is when that is too many."""

from __future__ import annotations

import itertools

import pytest

from segue.broker.receiving import SMALL_BYTES, Receiving

KIB = 1 << 10
BOUND = 1000 * KIB
SECONDS = 30.0


class Peer:
    """A connection that holds a part of a frame, and is read when it may be."""

    def __init__(self, receiving: Receiving) -> None:
        self.receiving = receiving
        self.held = 0
        self.calls = 0
        self.late = 0

    @property
    def is_read(self) -> bool:
        return self.held <= SMALL_BYTES or self.receiving.may_read(self)

    def receive(self, size: int) -> None:
        """More of the same frame."""
        self._hold(self.held + size, completed=False)

    def complete(self, rest: int = 0) -> None:
        """The frame is whole, and so much of the next one has come with its end."""
        self._hold(rest, completed=True)

    def read_on(self) -> None:
        self.calls += 1

    def frame_late(self) -> None:
        self.late += 1
        self._hold(0, completed=True)

    def _hold(self, size: int, *, completed: bool) -> None:
        before, self.held = self.held, size
        self.receiving.count(self, before, size, completed=completed)


@pytest.fixture
def receiving() -> Receiving:
    return Receiving(BOUND, SECONDS)


def peers(receiving: Receiving, count: int, size: int = 0) -> list[Peer]:
    """So many connections, each with a part of a frame; the ones that came first began first."""
    made = [Peer(receiving) for _ in range(count)]
    for peer in made:
        peer.receive(size)
    return made


def who_is_read(all_peers: list[Peer]) -> list[int]:
    return [number for number, peer in enumerate(all_peers) if peer.is_read]


def test_everybody_is_read_up_to_the_bound(receiving: Receiving) -> None:
    crowd = peers(receiving, 10, 100 * KIB)
    assert receiving.bytes == BOUND
    assert not receiving.crowded
    assert [receiving.read_bytes_max(peer) for peer in crowd] == [0] * 10
    assert who_is_read(crowd) == list(range(10))


def test_above_the_bound_the_frame_that_began_first_goes_on_alone(receiving: Receiving) -> None:
    crowd = peers(receiving, 11, 100 * KIB)
    assert who_is_read(crowd) == [0]
    assert receiving.waiting == 10
    crowd[0].receive(16 << 20)
    assert who_is_read(crowd) == [0]


def test_frames_get_done_one_after_the_other(receiving: Receiving) -> None:
    crowd = peers(receiving, 20, 100 * KIB)
    for number in range(10):
        assert who_is_read(crowd[number:]) == [0]
        before = crowd[number + 1].calls
        crowd[number].complete()
        if receiving.crowded:
            assert crowd[number + 1].calls == before + 1
    assert receiving.bytes == BOUND
    assert all(peer.calls for peer in crowd[10:])
    assert who_is_read(crowd[10:]) == list(range(10))


def test_small_frames_go_on_in_small_reads_and_the_first_large_one_in_full_ones(receiving: Receiving) -> None:
    crowd = peers(receiving, 11, 100 * KIB)
    small = Peer(receiving)
    for size in itertools.repeat(SMALL_BYTES // 4, 4):
        assert small.is_read
        small.receive(size)
    assert small.is_read
    assert 0 < receiving.read_bytes_max(small) <= SMALL_BYTES
    assert receiving.read_bytes_max(crowd[0]) == 0
    small.receive(1)
    assert not small.is_read


def test_who_sends_frame_behind_frame_does_not_keep_the_turn(receiving: Receiving) -> None:
    crowd = peers(receiving, 11, 100 * KIB)
    crowd[0].complete(rest=90 * KIB)
    assert receiving.bytes > BOUND
    assert who_is_read(crowd) == [1]


def test_a_connection_that_goes_makes_room(receiving: Receiving) -> None:
    crowd = peers(receiving, 12, 100 * KIB)
    assert who_is_read(crowd) == [0]
    crowd[5].complete()
    assert crowd[1].calls == 0, "one less is not enough"
    crowd[0].complete()
    assert [peer.calls for peer in crowd[1:]] == [1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]
    for peer in crowd:
        peer.complete()
    assert receiving.bytes == receiving.waiting == 0


def test_a_frame_that_others_have_waited_for_too_long_is_refused(receiving: Receiving) -> None:
    crowd = peers(receiving, 12, 100 * KIB)
    assert who_is_read(crowd) == [0]
    for now in (0.0, 10.0, SECONDS - 0.1):
        receiving.check(now, held=False)
        crowd[0].receive(1)
    assert [peer.late for peer in crowd] == [0] * 12
    receiving.check(SECONDS, held=False)
    assert [peer.late for peer in crowd] == [1] + [0] * 11
    assert crowd[1].calls == 1
    receiving.check(SECONDS + 1, held=False)
    receiving.check(2 * SECONDS, held=False)
    assert [peer.late for peer in crowd] == [1] + [0] * 11, "each has its own time"
    receiving.check(2 * SECONDS + 1, held=False)
    assert [peer.late for peer in crowd] == [1, 1] + [0] * 10


def test_a_slow_frame_is_not_refused_when_nobody_waits_for_it(receiving: Receiving) -> None:
    (slow,) = peers(receiving, 1, 2 * BOUND)
    assert slow.is_read
    for now in (0.0, 1e6):
        receiving.check(now, held=False)
    assert not slow.late


def test_no_frame_is_refused_for_the_time_that_publishers_are_held(receiving: Receiving) -> None:
    crowd = peers(receiving, 12, 100 * KIB)
    assert who_is_read(crowd) == [0]
    for now, held in ((0.0, False), (20.0, True), (40.0, True), (69.0, False)):
        receiving.check(now, held=held)
    assert [peer.late for peer in crowd] == [0] * 12
    receiving.check(70.0, held=False)
    assert [peer.late for peer in crowd] == [1] + [0] * 11


def test_who_steps_aside_is_counted_and_keeps_nobody_waiting(receiving: Receiving) -> None:
    crowd = peers(receiving, 11, 100 * KIB)
    assert who_is_read(crowd) == [0]
    receiving.step_aside(crowd[0])
    assert who_is_read(crowd) == [0, 1], "it is not asked whether it may be read"
    assert (receiving.bytes, crowd[1].calls) == (1100 * KIB, 1)
    crowd[0].receive(0)
    assert who_is_read(crowd) == [1], "it stands at the end of the line"
