"""The port of what is spoken over WebSocket: how another front-end brings its protocol, and what that has to be.

Any installed distribution may offer some, as entry points of the group `segue.websocket`, each a `Subprotocol`:

    segue.websocket =
        stomp = segue.protocols.stomp.over_websocket:StompOverWebSocket

Neither side imports the other: WebSocket knows a `Conversation` with octets in and messages out, and the protocol knows
a connection as any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

from segue.protocols.tcp import Conversation

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.protocols.tcp import TcpConnection

__all__ = ["GROUP", "CarriedConversation", "Subprotocol"]

GROUP: Final = "segue.websocket"


class CarriedConversation(Conversation, Protocol):
    """A conversation whose output goes out as messages.

    Its input is a stream: a message of the peer may have several of its frames in it, and a frame may be spread over
    several messages. `take_output` is not called. `output_sent` is called for what is its own only: pongs and pings are
    not said by it.
    """

    def take_frames(self) -> list[bytes]:
        """Everything that is to be written; each becomes a message."""


class Subprotocol(Protocol):
    """What can be spoken, and where. Made once, with the node as its argument.

    Attributes:
        paths: where it is served.
        names: what it is called in `Sec-WebSocket-Protocol`, the best first.
        message_bytes_max: the largest message that makes sense.
    """

    paths: Sequence[str]
    names: Sequence[str]
    message_bytes_max: int

    def __init__(self, node: Node) -> None: ...

    def converse(self, connection: TcpConnection) -> CarriedConversation:
        """Begin a conversation on a connection that is carried by WebSocket."""
