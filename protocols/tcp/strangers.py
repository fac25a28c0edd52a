"""Strangers: connections that have not logged in, counted in total and by address, so that they crowd nobody out.

When there are too many, the one that has waited longest goes, and the new one is let in: whoever has credentials logs
in within milliseconds, and a flood of idle connections only pushes itself out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segue.protocols.tcp.connection import TcpConnection

__all__ = ["Strangers"]


class Strangers:
    """Connections in the order in which they came, until they log in or leave."""

    def __init__(self, total_max: int, per_address_max: int) -> None:
        self._total_max = total_max
        self._per_address_max = per_address_max
        self._all: dict[TcpConnection, None] = {}
        self._by_address: dict[str, dict[TcpConnection, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, connection: TcpConnection) -> None:
        """A connection was accepted; the oldest makes room where there is none."""
        same = self._by_address.setdefault(connection.address, {})
        if len(same) >= self._per_address_max:
            self._push_out(next(iter(same)))
        elif len(self._all) >= self._total_max:
            self._push_out(next(iter(self._all)))
        self._all[connection] = None
        self._by_address.setdefault(connection.address, {})[connection] = None

    def remove(self, connection: TcpConnection) -> None:
        """It has logged in, or is gone. One that is not there is no error."""
        if self._all.pop(connection, connection) is connection:
            return
        same = self._by_address[connection.address]
        del same[connection]
        if not same:
            del self._by_address[connection.address]

    def _push_out(self, connection: TcpConnection) -> None:
        self.remove(connection)
        connection.abandon("too many connections that have not logged in")
