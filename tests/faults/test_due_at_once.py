"""The broker is killed while ten thousand messages become due: each comes once, and in order."""

from __future__ import annotations

import time

from tests.helpers.broker_process import BrokerFactory

__all__: list[str] = []

_MESSAGES = 10_000
_KILLS = 3


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_each_message_that_was_due_when_the_broker_was_killed_comes_once_and_in_order(
    broker_factory: BrokerFactory,
) -> None:
    """Between two kills nobody consumes: a message that came twice, or not at all, would be the schedule's fault."""
    broker = broker_factory()
    client = broker.client()
    begin_ms = now_ms() + 1500
    for number in range(_MESSAGES):
        headers = {"deliver-at": str(begin_ms + number // 10)}
        client.publish("/queue/q", b"%d" % number, headers=headers)
    client.publish_confirmed("/queue/q", b"last", headers={"deliver-at": str(begin_ms + _MESSAGES // 10)})
    client.close()
    for number in range(_KILLS):
        time.sleep(max(0.0, (begin_ms + 100 * (2 * number + 1) - now_ms()) / 1000))
        broker.kill()
        broker.start()
    client = broker.client()
    client.subscribe("/queue/q", ack="auto")
    found = [client.expect_message().body for _ in range(_MESSAGES + 1)]
    assert found == [b"%d" % number for number in range(_MESSAGES)] + [b"last"]
    client.expect_no_message()
    broker.assert_no_traceback()
