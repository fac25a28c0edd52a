"""Frames as clients send them, octet by octet."""

from __future__ import annotations

__all__ = ["client_frame"]

_MASK = b"\x11\xf2\x03\x84"


def client_frame(first: int, payload: bytes, mask: bytes = _MASK) -> bytes:
    """A masked frame; `first` is its first octet: FIN, reserved bits and opcode."""
    size = len(payload)
    if size < 126:
        head = bytes((first, 0x80 | size))
    elif size < 1 << 16:
        head = bytes((first, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + mask + bytes(octet ^ mask[at % 4] for at, octet in enumerate(payload))
