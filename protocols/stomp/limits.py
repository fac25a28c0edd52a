"""How large a peer's frames may be. Every limit is met before more than it has been kept in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["FAST_HEAD_BYTES", "Limits"]

# Heads up to this size are looked up in the parser's cache. Those of real producers have 80 to 400 bytes; a limit keeps
# the cache small, and the search for the head's end short where there is none.
FAST_HEAD_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one connection's parser. Bytes are octets on the wire.

    Attributes:
        command_bytes_max: the first line of a frame. The longest command has 11; RabbitMQ allows 32.
        header_count_max: header lines in a frame. RabbitMQ allows 100, ActiveMQ 1000.
        header_line_bytes_max: one header line. ActiveMQ allows 10 KiB, RabbitMQ 100 KiB.
        header_block_bytes_max: the command and all header lines. RabbitMQ allows 4 MiB for the frame.
        body_bytes_max: the body of a SEND. Clients' test suites send 16 MiB; ActiveMQ allows 100 MiB.
        other_body_bytes_max: the body of any other frame; it is read and has no meaning.
        login_frame_bytes_max: a whole frame until the login is through. RabbitMQ allows 64 KiB.
        held_bytes_max: what a client may send behind its CONNECT before the login is through. One read of 256 KiB
            always fits, since a client need not wait for CONNECTED.
        cached_heads_max: heads of SEND frames that the parser remembers; 0 turns all shortcuts off (the tests compare
            both ways).
        cached_bytes_max: what those heads may take in memory, roughly: about 300 of an ordinary producer's.
    """

    command_bytes_max: int = 32
    header_count_max: int = 1000
    header_line_bytes_max: int = 16 * 1024
    header_block_bytes_max: int = 64 * 1024
    body_bytes_max: int = 16 * 1024 * 1024
    other_body_bytes_max: int = 64 * 1024
    login_frame_bytes_max: int = 16 * 1024
    held_bytes_max: int = 256 * 1024
    cached_heads_max: int = 512
    cached_bytes_max: int = 512 * 1024

    def __post_init__(self) -> None:
        """Refuse limits below which the shortcut for small heads would let pass what the full parser refuses."""
        if min(self.header_line_bytes_max, self.header_block_bytes_max) < FAST_HEAD_BYTES:
            raise ValueError(f"header lines and blocks must be allowed {FAST_HEAD_BYTES} bytes")
        if self.command_bytes_max < len("UNSUBSCRIBE"):
            raise ValueError("command_bytes_max is below the longest command")
