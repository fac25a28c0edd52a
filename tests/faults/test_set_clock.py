"""Fault 47: somebody sets the clock of the machine, and only people notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.broker_process import BrokerFactory

__all__: list[str] = []

HOUR, YEAR = 3600, 365 * 86_400


@pytest.mark.parametrize("step", [HOUR, -HOUR, -YEAR], ids=["+1 h", "-1 h", "-1 year"])
def test_a_clock_that_is_set_changes_neither_order_nor_lives_nor_what_is_remembered(
    broker_factory: BrokerFactory, tmp_path: Path, step: int
) -> None:
    state = tmp_path / "seconds"
    broker = broker_factory(module="tests.faults.set_clock", environment={"SET_CLOCK_FILE": str(state)})
    client = broker.client(heart_beat="0,1000")
    half_an_hour = {"expiration": "1800000"}
    client.publish_confirmed("/queue/q", b"before", headers={"dedup-id": "1", **half_an_hour})
    state.write_text(str(step))
    broker.wait_for_log(r"clock\.set by_ms=")

    client.publish("/queue/q", b"again", headers={"dedup-id": "1"}, receipt="again")
    assert client.expect_receipt("again")["duplicate"] == "true"
    client.publish_confirmed("/queue/q", b"after", headers=half_an_hour)
    for queue in ("q", "lives.short"):
        headers = {"expiration": "1000", "x-dead-letter-queue": "dead"}
        client.publish_confirmed(f"/queue/{queue}", b"short", headers=headers)
    client.subscribe("/queue/dead", ack="auto")
    assert client.expect_message(b"short")["dead-letter-reason"] == "expired"

    broker.kill()
    broker.start()
    client = broker.client()
    client.subscribe("/queue/q", ack="client-individual")
    messages = client.expect_messages(b"before", b"after")
    assert len({message["message-id"] for message in messages}) == 2
    client.expect_no_message()
