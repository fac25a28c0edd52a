"""The brokers of the comparison: each on loopback ports and in a directory of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from segue.bench.peers.activemq import ActiveMQ
from segue.bench.peers.peer import Peer
from segue.bench.peers.rabbitmq import RabbitMQ
from segue.bench.peers.segue import Segue

__all__ = ["PEERS"]

PEERS: dict[str, Callable[[Path], Peer]] = {
    "segue": Segue,
    "rabbitmq-quorum": lambda directory: RabbitMQ(directory, queue_type="quorum"),
    "rabbitmq-classic": lambda directory: RabbitMQ(directory, queue_type="classic"),
    "activemq": ActiveMQ,
}
"""By name; each is given the directory below which it may keep its files."""
