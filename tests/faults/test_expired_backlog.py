"""A backlog that expires behind a message that lives: nothing is delivered late, and the disk gets its room back."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.helpers.broker_process import BrokerFactory, BrokerProcess

__all__: list[str] = []

_COUNT = 3000
_BODY = 2000 * b"x"
_SETTINGS = {"storage.checkpoint_interval_seconds": 1, "storage.segment_bytes_min": 1 << 20}
_LOOKS_MAX = 300
"""A tenth of a second each, or more; the broker needs some ten: it reads at its leisure, and makes checkpoints."""


def show(broker: BrokerProcess, queue: str) -> Any:
    words = ["queue", "show", queue, "--json", "--data", str(broker.data)]
    done = subprocess.run([sys.executable, "-m", "segue.broker", *words], capture_output=True, check=True, timeout=60)
    return json.loads(done.stdout)


def until_small(broker: BrokerProcess, queue: str) -> dict[str, Any]:
    """Look at a queue until its bytes are gone, but for a twentieth."""
    for _ in range(_LOOKS_MAX):
        seen: dict[str, Any] = show(broker, queue)
        if seen["bytes"] < _COUNT * len(_BODY) // 20:
            return seen
    raise AssertionError("the room of expired messages does not come back")


def test_the_room_of_a_backlog_that_has_expired_comes_back_though_its_first_message_lives(
    broker_factory: BrokerFactory,
) -> None:
    """Fault 42."""
    broker = broker_factory(settings=_SETTINGS)
    client = broker.client()
    client.publish("/queue/q", b"first", headers={"expires": "0"})
    for _ in range(_COUNT):
        client.publish("/queue/q", _BODY, headers={"expiration": "1000"})
    client.publish_confirmed("/queue/q", b"last")
    seen = until_small(broker, "q")
    assert (seen["expired"], seen["ready"]) == (_COUNT, 2)
    client.subscribe("/queue/q", ack="client-individual")
    client.expect_messages(b"first", b"last")
    client.expect_no_message()
    broker.kill()
    broker.start()
    client = broker.client()
    client.subscribe("/queue/q", ack="client-individual")
    client.expect_messages(b"first", b"last")
    client.expect_no_message()
