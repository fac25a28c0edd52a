"""One message in a thousand is left of five million, and does not keep the others on the disk (issue 3)."""

from __future__ import annotations

import re
import time

from segue.broker.cli.control_client import ControlClient
from tests.faults.load.flow import Consumer, Publisher, fill
from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.helpers.stomp_client import StompClient

__all__: list[str] = []

_COUNT = 5_000_000
_LEFT_OF = 1000
_ACK = re.compile(rb"\nack:([^\n]*)\n")


def bytes_on_disk(broker: BrokerProcess) -> int:
    """What the whole data directory takes."""
    total = 0
    for path in broker.data.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # a checkpoint has just removed it
    return total


def checkpoints(broker: BrokerProcess) -> int:
    with ControlClient(broker.data / "control.sock", broker.data, 60.0) as client:
        return int(client.ask("status")["checkpoints"]["done"])


def take_all_but_some(client: StompClient, queue: str) -> None:
    """Acknowledge each message, but not every thousandth. Octets are looked at, not frames: there are five million."""
    client.subscribe(queue, wait=False, headers={"prefetch-count": "60000"})
    rest, taken = b"", 0
    while taken < _COUNT:
        rest += client.socket.recv(1 << 20)
        acknowledged, end = [], 0
        for match in _ACK.finditer(rest):
            taken += 1
            end = match.end() - 1
            if taken % _LEFT_OF:
                acknowledged.append(b"ACK\nid:" + match[1] + b"\n\n\0")
        rest = rest[end:]
        client.send_bytes(b"".join(acknowledged))


def test_what_is_left_of_a_queue_does_not_keep_the_rest_on_the_disk(broker_factory: BrokerFactory) -> None:
    """Below 5 % of the peak within two checkpoints, while the queue is in use."""
    broker = broker_factory()
    fill(broker, "/queue/deep", _COUNT)
    peak = bytes_on_disk(broker)
    client = broker.client()
    client.socket.settimeout(60.0)
    take_all_but_some(client, "/queue/deep")
    before = checkpoints(broker)
    consumer, publisher = Consumer(broker, "/queue/deep"), Publisher(broker, "/queue/deep", rate=500.0)
    for worker in (consumer, publisher):
        worker.start()
    while checkpoints(broker) < before + 2 + 1:  # one may have been under way
        time.sleep(1.0)
    left = bytes_on_disk(broker)
    publisher.finish()
    consumer.finish()
    print(f"peak {peak >> 20} MiB, left {left >> 20} MiB, {left / peak:.1%}")
    assert left < 0.05 * peak
    client.disconnect()
