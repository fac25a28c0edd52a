"""What the load generator reads: frames counted and searched, a whole read at a time, none of them parsed.

The counts are right for what this generator asks for: bodies without NUL (its own are), receipts without the word
RECEIPT in them. A foreign message with NULs in its body is acknowledged all the same.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["BrokerError", "Deliveries", "FrameCutter", "count_receipts", "deliveries", "raise_error_frame"]

# A reply that is longer than this without an end is no reply: four times the largest body that brokers take by default.
_PENDING_BYTES_MAX = 64 * 1024 * 1024

_FRAME_ENDS = (b"\0", b"\0\n")
_ACK_ID = re.compile(rb"\nack:([^\r\n]+)")
_KEY = re.compile(rb"\n#(\d{18}) ")
_ERROR = re.compile(rb"(?:\A|\0)[\r\n]*ERROR\r?\n(.*)", re.DOTALL)
_ERROR_TEXT = re.compile(rb"^message:([^\r\n]*)", re.MULTILINE)


class BrokerError(Exception):
    """The broker answered with ERROR, or closed the connection, or stayed silent."""


class Deliveries(NamedTuple):
    """What a read held in messages: their ack ids, as they came, and the keys of those that are ours."""

    ack_ids: list[bytes]
    keys: list[int]
    redelivered: int


class FrameCutter:
    """Cuts a stream of reads after its last whole frame; what follows waits for the next read."""

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    def feed(self, chunk: bytes) -> bytes:
        """The whole frames that are there now, as one run of octets; empty if none has ended.

        Raises:
            BrokerError: a frame does not end.
        """
        # Most reads end with a frame, and with the line end that some brokers send behind it.
        if not self._pending and chunk.endswith(_FRAME_ENDS):
            return chunk
        cut = chunk.rfind(b"\0") + 1
        if not cut:
            self._keep(chunk)
            return b""
        whole = b"".join((*self._pending, chunk[:cut])) if self._pending else chunk[:cut]
        self._pending.clear()
        self._pending_bytes = 0
        if cut < len(chunk):
            self._keep(chunk[cut:])
        return whole

    def _keep(self, chunk: bytes) -> None:
        self._pending.append(chunk)
        self._pending_bytes += len(chunk)
        if self._pending_bytes > _PENDING_BYTES_MAX:
            raise BrokerError(f"a frame of more than {_PENDING_BYTES_MAX} octets")


def count_receipts(frames: bytes) -> int:
    """The number of RECEIPT frames in whole frames of a connection without subscriptions."""
    return frames.count(b"RECEIPT")


def deliveries(frames: bytes) -> Deliveries:
    """The messages in whole frames."""
    ack_ids = _ACK_ID.findall(frames)
    keys = list(map(int, _KEY.findall(frames)))
    return Deliveries(ack_ids, keys, frames.count(b"\nredelivered:true"))


def raise_error_frame(frames: bytes) -> None:
    """Look for an ERROR frame.

    Raises:
        BrokerError: there is one; the text is the broker's.
    """
    # The plain search is made at memory speed on every read; the exact one only where it found something.
    if b"ERROR" not in frames:
        return
    found = _ERROR.search(frames)
    if found is not None:
        raise BrokerError(_error_text(found[1]))


def _error_text(frame: bytes) -> str:
    head, _, body = frame.partition(b"\0")[0].replace(b"\r\n", b"\n").partition(b"\n\n")
    named = _ERROR_TEXT.search(head)
    text = b": ".join(part.strip() for part in (named[1] if named else b"", body) if part.strip())
    return "ERROR: " + text.decode(errors="replace").replace("\n", " ")[:300]
