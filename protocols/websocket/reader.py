"""What a client sends, taken apart: octets in, payloads and control frames out. No I/O.

wsproto is the judge of what is a WebSocket: it gets every frame but those that are whole messages and have nothing
unusual about them. These are most, and are opened by `open_messages`: wsproto takes 12 us for each, and all that STOMP
and the store do for one takes 3. It gets each frame by itself, so that both agree on where the next one begins. How
long a frame is going to be is seen before anything of it is taken: one that is too long is refused by its head.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.frame_protocol import CloseReason

from segue.protocols.websocket.frames import BINARY, CONTINUATION, FrameHead, open_messages, read_head

__all__ = ["Closing", "Control", "Event", "MessageReader", "Violation"]

_FRAMES_A_TURN: Final = 512
"""A few milliseconds: then others have their turn. A read of 256 KiB may have 40,000 frames in it."""


class Control(NamedTuple):
    """A ping, or a pong that nobody has to answer.

    Attributes:
        answer: the payload of the pong that a ping is owed; None for a pong.
    """

    answer: bytes | None


class Closing(NamedTuple):
    """The peer ends the conversation: nothing comes behind it.

    Attributes:
        code: as it came; 1005 if there was none.
    """

    code: int


class Violation(NamedTuple):
    """The peer does what is forbidden, or sends too much: nothing comes behind it.

    Attributes:
        code: for the Close frame: 1002, 1007 or 1009.
        reason: in words.
    """

    code: int
    reason: str


Event: TypeAlias = bytes | Control | Closing | Violation
"""`bytes`: a piece of a message's payload. Where messages end is not told."""


class MessageReader:
    """See the module.

    Attributes:
        more: frames have come that `read` has left for another turn.
    """

    __slots__ = (
        "_ended", "_frame_rest", "_in_message", "_message_bytes", "_message_bytes_max", "_unread", "_wsproto", "more",
    )  # fmt: skip

    def __init__(self, message_bytes_max: int) -> None:
        """`message_bytes_max`: the largest message, of one frame or of many."""
        self._message_bytes_max = message_bytes_max
        # Made when it is needed first. It refers to itself, so that only the garbage collector frees it, unless a Close
        # has come: clients that come and go a thousand times should leave nothing.
        self._wsproto: Connection | None = None
        self._unread = b""
        self._frame_rest = 0  # octets that wsproto has not got yet of a frame that it has the beginning of
        self._in_message = False  # wsproto has the beginning of a message
        self._message_bytes = 0  # of that message, with the frame that is being read
        self._ended = False
        self.more = False

    def receive(self, data: bytes) -> None:
        """What the peer has sent."""
        self._unread += data

    def read(self) -> list[Event]:
        """What has come, as far as one turn goes; see `more`."""
        events: list[Event] = []
        data, pos = self._unread, 0
        left = _FRAMES_A_TURN
        while left > 0 and not self._ended:
            if not self._frame_rest and not self._in_message:
                opened, pos = open_messages(data, pos, left, self._message_bytes_max)
                events += opened
                left -= len(opened)
            taken = self._read_some(data, pos, events)
            if not taken:
                break
            pos += taken
            left -= 1
        self.more = left <= 0 and not self._ended
        self._unread = b"" if self._ended else data[pos:]
        return events

    def _read_some(self, data: bytes, pos: int, events: list[Event]) -> int:
        """Have wsproto read one frame, or what is there of it. Returns how many octets; 0 if more has to come first."""
        if not self._frame_rest:
            head = read_head(data, pos)
            if head is None:
                return 0
            if self._is_too_large(head):
                self._ended = True
                text = f"A message may have {self._message_bytes_max} bytes"
                events.append(Violation(int(CloseReason.MESSAGE_TOO_BIG), text))
                return 0
            self._frame_rest = head.size + head.payload_bytes
        piece = data[pos : pos + self._frame_rest]
        if not piece:
            return 0
        self._frame_rest -= len(piece)
        self._ask_wsproto(piece, events)
        return len(piece)

    def _is_too_large(self, head: FrameHead) -> bool:
        """By its head."""
        if head.opcode > BINARY:
            return False  # a control frame: wsproto knows how long these may be
        before = self._message_bytes if head.opcode == CONTINUATION else 0
        self._message_bytes = before + head.payload_bytes
        return self._message_bytes > self._message_bytes_max

    def _ask_wsproto(self, piece: bytes, events: list[Event]) -> None:
        wsproto = self._wsproto = self._wsproto or Connection(ConnectionType.SERVER)
        wsproto.receive_data(piece)
        for event in wsproto.events():
            if isinstance(event, BytesMessage | TextMessage):
                self._in_message = not event.message_finished
                events.append(event.data.encode() if isinstance(event, TextMessage) else bytes(event.data))
            elif isinstance(event, Ping):
                events.append(Control(bytes(event.payload)))
            elif isinstance(event, Pong):
                events.append(Control(None))
            elif isinstance(event, CloseConnection):
                self._ended = True
                if wsproto.state is ConnectionState.REMOTE_CLOSING:
                    events.append(Closing(int(event.code)))
                else:
                    events.append(_violation(event))


def _violation(event: CloseConnection) -> Violation:
    """What wsproto has found; what it says of UTF-8 is Python's words, and not meant for peers."""
    if event.code == CloseReason.INVALID_FRAME_PAYLOAD_DATA:
        return Violation(int(event.code), "A text is not UTF-8")
    return Violation(int(event.code), event.reason or "This is not WebSocket")
