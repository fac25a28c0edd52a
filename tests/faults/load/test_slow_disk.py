"""L10, fault 20: a disk whose syncs take 200 ms, and one that stands still for 20 s."""

from __future__ import annotations

import contextlib
import time
from itertools import pairwise
from pathlib import Path

from tests.faults.load.flow import Publisher
from tests.helpers.broker_process import BrokerFactory
from tests.helpers.stomp_client import NothingArrived, StompClient

__all__: list[str] = []

_MODULE = "tests.faults.load.slow_disk"


def read_beats(client: StompClient, seconds: float) -> list[float]:
    """When an octet came, over so long; the client beats its own heart meanwhile."""
    times = [time.monotonic()]
    until = times[0] + seconds
    while time.monotonic() < until:
        client.send_bytes(b"\n")
        before = client.reader.end_of_lines
        with contextlib.suppress(NothingArrived):
            client.receive(0.2)
        if client.reader.end_of_lines > before:
            times.append(time.monotonic())
    return times


def longest_gap(times: list[float]) -> float:
    return max(later - earlier for earlier, later in pairwise(times))


def test_slow_syncs_slow_confirms_down_and_nothing_else(broker_factory: BrokerFactory) -> None:
    """L10: the group commit grows with what waits; heart-beats stay in time."""
    broker = broker_factory(module=_MODULE, environment={"SLOW_DISK_SYNC_SECONDS": "0.2"})
    alone = Publisher(broker, "/queue/one", window=1)
    alone.start()
    time.sleep(5.0)
    alone.finish()
    beating = broker.client(heart_beat="1000,1000")
    crowd = [Publisher(broker, f"/queue/{number}", window=200) for number in range(10)]
    for publisher in crowd:
        publisher.start()
    gap = longest_gap(read_beats(beating, 15.0))
    for publisher in crowd:
        publisher.finish()
    confirmed = sum(publisher.confirmed for publisher in crowd)
    print(f"alone {alone.confirmed / 5.0:.1f}/s, crowd {confirmed / 15.0:.0f}/s, longest gap {gap:.2f} s")
    assert confirmed / 15.0 > 200 * alone.confirmed / 5.0
    assert gap <= 1.5


def test_a_disk_that_stands_still_delays_confirms_and_loses_none(broker_factory: BrokerFactory, tmp_path: Path) -> None:
    """Fault 20: 20 s."""
    stall = tmp_path / "stall"
    broker = broker_factory(module=_MODULE, environment={"SLOW_DISK_STALL_FILE": str(stall)})
    publisher = Publisher(broker, "/queue/a", rate=200.0, window=100)
    publisher.start()
    time.sleep(2.0)
    beating = broker.client(heart_beat="1000,1000")
    stall.touch()
    gap = longest_gap(read_beats(beating, 20.0))
    stall.unlink()
    publisher.finish()
    print(f"{publisher.confirmed} confirmed, longest gap between heart-beats {gap:.2f} s")
    assert gap <= 1.5
    assert publisher.confirmed == publisher.sent
    broker.wait_for_log(r"warning commit\.late(.|\n)*info commit\.done")
    client = broker.client()
    client.subscribe("/queue/a", wait=False, headers={"prefetch-count": "1000"})
    for _ in range(publisher.confirmed):
        client.ack(client.expect("MESSAGE"))
    client.expect_no_message()
