"""Sockets: accepting connections, reading and writing them. This folder alone touches sockets of the network.

A front-end brings a `Conversation` for each connection: octets in, octets out, no I/O.

Theory of operation. One task polls all connections; each read (up to 256 KiB) is handed to the connection's
conversation. Output gathers there and is sent by `flush_output` at the end of a step, in one non-blocking send; what
the kernel does not take goes when the poller says so. Deadlines (login, heart-beats, stalls) stand in one heap for all
connections. So an idle connection costs a few objects, no task and no timer.
"""

from __future__ import annotations

from segue.protocols.tcp.connection import TcpConnection
from segue.protocols.tcp.conversation import Conversation
from segue.protocols.tcp.listener import Listener

__all__ = ["Conversation", "Listener", "TcpConnection"]
