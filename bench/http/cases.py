"""What is measured: loads, and the APIs that they are put on, each with the broker behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal

from segue.bench.http.door import Door
from segue.bench.http.ironmq import IronMQ
from segue.bench.http.management import Management
from segue.bench.http.v1 import V1
from segue.bench.peers.peer import Peer
from segue.bench.peers.rabbitmq import RabbitMQ
from segue.bench.peers.segue import Segue

__all__ = ["CASES", "LOADS", "STOMP", "WAKE_UP", "Case", "Load"]

STOMP: Final = "stomp"
WAKE_UP: Final = "wake-up"
"""Two further figures: publishing by STOMP to the same broker, and long polls."""


@dataclass(frozen=True, slots=True)
class Load:
    """Clients that all do the same.

    Attributes:
        name: in records.
        title: in the report.
        does: publish; take and settle in two requests; or get, which takes and settles in one.
        batch: messages a request.
        clients: how many, a connection each.
    """

    name: str
    title: str
    does: Literal["publish", "take", "get"]
    batch: int
    clients: int


# In this order: what consumes needs what was published before it.
LOADS: Final = (
    Load("publish-1x1", "publish one by one", "publish", 1, 1),
    Load("publish-1x8", "publish one by one, 8 connections", "publish", 1, 8),
    Load("publish-100x1", "publish in batches of 100", "publish", 100, 1),
    Load("publish-100x8", "publish in batches of 100, 8 connections", "publish", 100, 8),
    Load("get-1x1", "get one by one: settled at once", "get", 1, 1),
    Load("get-1x8", "get one by one, 8 connections", "get", 1, 8),
    Load("take-1x1", "take and settle one by one", "take", 1, 1),
    Load("take-1x8", "take and settle one by one, 8 connections", "take", 1, 8),
    Load("take-100x1", "take and settle in batches of 100", "take", 100, 1),
    Load("take-100x8", "take and settle in batches of 100, 8 connections", "take", 100, 8),
)

_ALL: Final = tuple(load.name for load in LOADS)
_WITH_LEASES: Final = tuple(load.name for load in LOADS if load.does != "get")
_COMPARED: Final = ("publish-1x1", "publish-1x8", "get-1x1", "get-1x8")


@dataclass(frozen=True, slots=True)
class Case:
    """One API of one broker.

    Attributes:
        name: in records.
        title: in the report.
        peer: the broker, given the directory below which it may keep its files.
        door: a queue of that API, by name.
        loads: names of what it can be asked for.
        is_ours: it has to reach goals; the others are what it is compared with.
        deep: it is also measured with many messages waiting.
        needs: a module without which it is left out.
    """

    name: str
    title: str
    peer: Callable[[Path], Peer]
    door: Callable[[str], Door]
    loads: tuple[str, ...]
    is_ours: bool = True
    deep: bool = True
    needs: str = ""

    @property
    def available(self) -> bool:
        """Whether what it needs is installed."""
        return not self.needs or find_spec(self.needs) is not None

    @property
    def settles_at_once(self) -> bool:
        """Whether one request can take messages and settle them."""
        return any(load.does == "get" for load in LOADS if load.name in self.loads)


def _segue(parser: str) -> Callable[[Path], Peer]:
    return lambda directory: Segue(directory, http_parser=parser)


def _rabbitmq(queue_type: Literal["quorum", "classic"]) -> Case:
    name, title = f"rabbitmq-{queue_type}", f"RabbitMQ, {queue_type} queue"

    def peer(directory: Path) -> Peer:
        return RabbitMQ(directory, queue_type, management=True)

    return Case(name, title, peer, Management, _COMPARED, is_ours=False, deep=False)


# What depth costs below `/v1` is not the parser's to say: the slower one is spared the minute.
CASES: Final = (
    Case("ironmq-h11", "IronMQ gateway, h11", _segue("h11"), IronMQ, _ALL),
    Case("ironmq-httptools", "IronMQ gateway, httptools", _segue("httptools"), IronMQ, _ALL, needs="httptools"),
    Case("v1-h11", "`/v1`, h11", _segue("h11"), V1, _WITH_LEASES, deep=False),
    Case("v1-httptools", "`/v1`, httptools", _segue("httptools"), V1, _WITH_LEASES, needs="httptools"),
    _rabbitmq("quorum"),
    _rabbitmq("classic"),
)
