"""`/healthz`, `/readyz`, `/version`: for whoever restarts the broker, sends it traffic, or wants to know what runs.

`/healthz` is answered when the event loop turns and the disk takes a commit: it waits for one. It fails when that takes
so long that a restart is better than to wait. `/readyz` fails as soon as publishers have to wait, or the broker stops.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import trio

from segue import broker
from segue.protocols.http import Exchange, HttpError, Route, Routes
from segue.protocols.http.exchange import plain_error

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["mount"]

_COMMIT_SECONDS: Final = 10.0
"""A disk that takes longer has failed for everybody who waits for a confirmation."""


def mount(node: Node, routes: Routes) -> None:
    """See `segue.protocols.http.server.Mount`."""
    for path, handler in (("/healthz", _health), ("/readyz", _readiness), ("/version", _version)):
        routes.add(Route("GET", path, handler, plain_error))


def _health(exchange: Exchange) -> None:
    exchange.start(lambda: _commit(exchange))


async def _commit(exchange: Exchange) -> None:
    with trio.move_on_after(_COMMIT_SECONDS) as scope:
        await exchange.node.store.probe()
    if scope.cancelled_caught:
        raise HttpError(503, "disk-stuck", f"The disk has not taken a commit for {_COMMIT_SECONDS:g} s")
    _answer(exchange, {"status": "ok"})


def _readiness(exchange: Exchange) -> None:
    node = exchange.node
    if node.stopping:
        raise HttpError(503, "shutting-down", "The broker is shutting down")
    if node.held:
        raise HttpError(503, "publishers-held", "Publishers have to wait: `segue status` says for what")
    _answer(exchange, {"status": "ready"})


def _version(exchange: Exchange) -> None:
    _answer(exchange, {"version": broker.__version__})


def _answer(exchange: Exchange, members: dict[str, Any]) -> None:
    exchange.answer(200, json.dumps(members).encode() + b"\n")
