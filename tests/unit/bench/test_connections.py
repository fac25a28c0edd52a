"""Idle connections."""

from segue.bench.connections import open_connections
from tests.unit.bench.loopback_broker import loopback_broker


def test_every_connection_is_open_and_subscribed() -> None:
    seen: list[int] = []
    with loopback_broker() as broker:
        opened = open_connections(broker.target(queues=3), 5, seen.append)
        opened.close()
    assert (len(opened.links), opened.error, seen) == (5, "", [1, 2, 3, 4, 5])


def test_a_broker_that_refuses_leaves_what_there_is_and_its_words() -> None:
    with loopback_broker(refuse="SUBSCRIBE") as broker:
        opened = open_connections(broker.target(), 5)
        opened.close()
    assert (len(opened.links), opened.error) == (0, "ERROR: refused: not today")
