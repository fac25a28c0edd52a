"""The STOMP front-end: its listeners, and what all its connections share."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import trio

from segue import broker
from segue.broker.errors import BrokerError
from segue.protocols.stomp.commands import as_protocol_error
from segue.protocols.stomp.destination import Dialect
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.frames import error
from segue.protocols.stomp.limits import Limits
from segue.protocols.stomp.session import StompSession
from segue.protocols.tcp import Listener

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.settings import Stomp

__all__ = ["StompFrontend"]

_LOGINS_AT_A_TIME: Final = 2
"""Threads that check passwords; one hash is computed at a time anyway, the second may find it remembered."""
_EPOCH_BYTES: Final = 5
"""A subscription's number has 13 digits with it; one of an earlier process fits with a chance of 1 in 10^12."""


class StompFrontend:
    """A `segue.broker.frontends.FrontEnd`.

    Attributes:
        epoch: a random number that tells the ids of this process from those of the ones before it.
    """

    name = "stomp"
    settings_section = "stomp"

    def __init__(self, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        """`random_bytes`: where the epoch comes from."""
        self.epoch = int.from_bytes(random_bytes(_EPOCH_BYTES), "big")
        self._subscriptions = 0

    async def serve(self, node: Node, settings: Stomp, *, task_status: trio.TaskStatus[Sequence[str]]) -> None:
        """See `FrontEnd`."""
        self.configure(node, settings)
        listener = Listener(
            node, self.name, settings.listen, lambda connection: StompSession(self, connection), _refusal
        )
        await listener.serve(task_status, node.settings.limits.drain_seconds)

    def configure(self, node: Node, settings: Stomp) -> None:
        """Take what all connections share from the settings."""
        self.node = node
        self.log = node.log
        self.users = node.users
        self.dialect = Dialect(settings.dialect)
        self.server_name = f"Segue/{broker.__version__}"
        self.login_limiter = trio.CapacityLimiter(_LOGINS_AT_A_TIME)
        self.heart_beat_bounds = int(settings.heartbeat_min_seconds * 1000), int(settings.heartbeat_max_seconds * 1000)
        self.limits = Limits(
            command_bytes_max=settings.command_bytes_max,
            header_count_max=settings.header_count_max,
            header_line_bytes_max=settings.header_line_bytes_max,
            header_block_bytes_max=settings.header_block_bytes_max,
            body_bytes_max=node.settings.limits.body_bytes_max,
            login_frame_bytes_max=settings.login_frame_bytes_max,
        )
        self._output_bytes_max = node.settings.limits.output_buffer_bytes_max

    def number_subscription(self) -> int:
        """A number that no other subscription has, of this process or of one before it.

        A client that keeps ack ids over a reconnect may send an old one: it must not fit a new subscription, which may
        be to another queue.
        """
        self._subscriptions += 1
        return self.epoch + self._subscriptions

    @property
    def output_bytes_max(self) -> int:
        """How much may wait for one connection before it gets no more; less when very much waits for all of them.

        Half of what the settings say: a consumer's next turn, which may bring a MiB, comes on top of it.
        """
        pressure = self.node.pressure
        return pressure.ration(self._output_bytes_max // 2, pressure.output_bytes)

    def logged_in(self, stomp: StompSession) -> None:
        """A connection is somebody's."""
        stomp.connection.authenticated()
        self.log.debug("connection.opened", protocol="stomp", peer=stomp.connection.peer, session=stomp.session_id)

    def failed(self, stomp: StompSession, failure: StompProtocolError) -> None:
        """A connection gets an ERROR: the one line about it."""
        stomp.connection.reason = stomp.connection.reason or failure.code.code
        if failure.code in (ErrorCode.SHUTTING_DOWN, ErrorCode.CLOSED_BY_OPERATOR):
            return
        self.log.warning(
            "connection.refused",
            protocol="stomp",
            peer=stomp.connection.peer,
            session=stomp.session_id,
            code=failure.code.code,
            reason=str(failure),
        )

    def connection_closed(self, stomp: StompSession, reason: str) -> None:
        """A connection is gone."""
        self.log.debug(
            "connection.closed", protocol="stomp", peer=stomp.connection.peer, session=stomp.session_id, reason=reason
        )


def _refusal(failure: BrokerError) -> bytes:
    return error(StompProtocolError(as_protocol_error(failure).code, f"Connection refused: {failure}"), None)
