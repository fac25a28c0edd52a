"""`[stomp]`: the STOMP front-end."""

from __future__ import annotations

from dataclasses import dataclass

from segue.broker.settings.address import ListenAddress
from segue.broker.settings.keys import addresses, choice, count, seconds, size
from segue.broker.settings.quantity import KIB, MIB

__all__ = ["Stomp"]


@dataclass(frozen=True, slots=True)
class Stomp:
    """STOMP 1.0, 1.1 and 1.2 over TCP."""

    # 61613 is what every STOMP broker and client takes by default.
    listen: tuple[ListenAddress, ...] = addresses(
        (ListenAddress("127.0.0.1", 61613),),
        "The addresses to listen on, HOST:PORT each; an empty list turns STOMP off. An address that other machines can "
        "reach needs at least one user.",
        flag="--stomp",
    )

    dialect: str = choice(
        "segue",
        ("segue", "rabbitmq"),
        "How destinations are read and errors worded: `segue` takes what clients of RabbitMQ, ActiveMQ and Artemis "
        "send; `rabbitmq` refuses what RabbitMQ refuses, with its texts.",
    )

    # A beat each millisecond from ten thousand connections is a denial of service; Spring and stompjs ask for 10 s.
    heartbeat_min_seconds: float = seconds(
        1,
        "The shortest interval of heart-beats, in either direction. A client that asks for less gets this.",
        minimum=0.1,
        maximum=60,
    )
    heartbeat_max_seconds: float = seconds(
        3600,
        "The longest interval of heart-beats. A client that asks for a longer one gets this; from one that offers "
        "fewer, none are expected, because they could not tell a dead peer from a quiet one.",
        minimum=60,
        maximum=86_400,
    )

    # RabbitMQ: 32 octets. The longest command, UNSUBSCRIBE, has 11.
    command_bytes_max: int = size(
        32,
        "The longest command.",
        minimum=16,
        maximum=1 * KIB,
    )
    # RabbitMQ: 100; ActiveMQ: 1000 (maxHeaders). JMS applications use many.
    header_count_max: int = count(
        1_000,
        "headers",
        "The most headers of a frame.",
        minimum=16,
        maximum=100_000,
    )
    # ActiveMQ: 10 KiB (maxHeaderLength); RabbitMQ: 100 KiB. Tokens in headers have 8 KiB and more.
    header_line_bytes_max: int = size(
        16 * KIB,
        "The longest header line, name and value.",
        minimum=1 * KIB,
        maximum=1 * MIB,
    )
    # A block is stored with its message, and kept in memory with it. Netty's HTTP codec stops at 8 KiB, Apache at
    # 100 times 8 KiB.
    header_block_bytes_max: int = size(
        64 * KIB,
        "The largest header block: all header lines of a frame, with its command.",
        minimum=1 * KIB,
        maximum=4 * MIB,
    )
    # RabbitMQ: 64 KiB before login. CONNECT has no body and a handful of headers.
    login_frame_bytes_max: int = size(
        16 * KIB,
        "The largest frame before a connection has logged in.",
        minimum=1 * KIB,
        maximum=1 * MIB,
    )
