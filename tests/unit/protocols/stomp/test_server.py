"""What all STOMP connections share: the limits, and the lines in the log about connections."""

from __future__ import annotations

import pytest

from segue.broker.errors import BrokerError, LimitReachedError, ShuttingDownError
from segue.protocols.stomp.server import StompFrontend, _refusal
from tests.helpers.stomp_frames import FrameReader, encode_frame
from tests.unit.protocols.stomp.actors import StompWorld
from tests.unit.protocols.stomp.session_frames import frame, send, subscribe

MIB = 1 << 20


def test_the_limits_of_a_frame_are_those_of_the_settings() -> None:
    world = StompWorld(body_bytes_max=2 * MIB)
    limits, stomp = world.frontend.limits, world.settings.stomp
    assert limits.body_bytes_max == 2 * MIB
    for name in ("command_bytes_max", "header_count_max", "header_line_bytes_max", "header_block_bytes_max"):
        assert getattr(limits, name) == getattr(stomp, name)


@pytest.mark.parametrize(("share", "ration"), [(0, 2), (4, 2), (3, 32), (1, None)])
def test_an_output_buffer_is_smaller_when_much_waits_for_all_together(share: int, ration: int | None) -> None:
    world = StompWorld(output_buffer_bytes_max=MIB)
    if share:
        world.node.pressure.output_bytes = world.settings.memory.high_water_bytes // share
    assert world.frontend.output_bytes_max == (MIB // ration if ration else 0)


def test_a_refused_connection_is_one_line_in_the_log_and_a_stop_is_none() -> None:
    world = StompWorld()
    client, other = world.client(), world.client()
    client.say(b"FETCH\n\n\0")
    (event,) = world.log.named("connection.refused")
    assert (event.fields["code"], event.fields["session"]) == ("bad-command", client.stomp.session_id)
    world.node.stopping = True
    other.connection.close("the broker is shutting down")
    assert len(world.log.named("connection.refused")) == 1


def test_a_connection_is_told_of_when_it_logs_in_and_when_it_is_gone() -> None:
    world = StompWorld()
    client = world.client()
    client.say(encode_frame("DISCONNECT"))
    client.hang_up()
    assert [event.event for event in world.log.events] == ["connection.opened", "connection.closed"]
    assert world.log.events[1].fields["reason"] == "disconnected"


@pytest.mark.parametrize(
    "failure",
    [LimitReachedError("limits.connections_max (1) is reached"), ShuttingDownError("the broker is shutting down")],
)
def test_a_refusal_is_an_error_frame_of_any_version(failure: BrokerError) -> None:
    (frame,) = FrameReader().feed(_refusal(failure))
    assert (frame.command, frame["error-code"]) == ("ERROR", failure.code)
    assert str(failure).encode() in frame.body


def test_no_two_subscriptions_have_the_same_number() -> None:
    """Nor that of one of an earlier process: an ack id from before a reconnect must not fit a later subscription."""
    world = StompWorld()
    for number in range(1, 4):
        client = world.client()
        client.say(subscribe(id="a"), subscribe("/queue/other", id="b"))
        assert list(client.stomp.subscriptions) == [b"%d" % (2 * number - 1), b"%d" % (2 * number)]
    starts = {StompFrontend().number_subscription() for _ in range(100)}
    assert len(starts) == 100
    assert max(starts) > 1 << 32


def test_an_ack_id_of_one_connection_does_not_fit_the_first_subscription_of_the_next() -> None:
    """FAULTS 39: it may be to another queue, and that message would be lost."""
    world = StompWorld()
    first = world.client()
    first.say(subscribe("/queue/jobs"), send("job", "/queue/jobs"), send("mail", "/queue/mails"))
    old = first.frames()[0]["ack"]
    first.hang_up()
    again = world.client()
    again.say(subscribe("/queue/mails"))
    again.say(frame("ACK", id=old))
    assert again.error() == "unknown-ack"
    statistics = world.node.queue("mails").statistics()
    assert (statistics.ready, statistics.settled) == (1, 0)
