"""From a name to addresses: once for each push, by the system's resolver."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

import trio

__all__ = ["Endpoint", "Resolve", "SystemResolver"]

_LOOKUPS_MAX: Final = 32
"""Threads. A look-up can't be interrupted, and may go on for half a minute after its push was given up: with the
threads of everybody else, a name server that does not answer would bring reads from disk to a stop."""


class Endpoint(NamedTuple):
    """Where to connect to.

    Attributes:
        family: of addresses: `AF_INET` or `AF_INET6`.
        sockaddr: as `connect` takes it; its first part is the numeric address.
    """

    family: int
    sockaddr: tuple[Any, ...]


Resolve: TypeAlias = Callable[[str, int], Awaitable[list[Endpoint]]]
"""Finds the endpoints of a host and a port; raises OSError where there is none."""


class SystemResolver:
    """A `Resolve`: `getaddrinfo`, in a thread."""

    def __init__(self) -> None:
        self._limiter = trio.CapacityLimiter(_LOOKUPS_MAX)

    async def __call__(self, host: str, port: int) -> list[Endpoint]:
        """See `Resolve`. Cancellation: at once; the thread ends by itself."""
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await trio.to_thread.run_sync(look_up, abandon_on_cancel=True, limiter=self._limiter)
        return [Endpoint(family, sockaddr) for family, _kind, _protocol, _name, sockaddr in found]
