"""`[http]`: the HTTP front-end."""

from __future__ import annotations

from dataclasses import dataclass

from segue.broker.settings.address import ListenAddress
from segue.broker.settings.keys import addresses, boolean, choice, count, names, origins, seconds, size
from segue.broker.settings.quantity import KIB, MIB

__all__ = ["Http"]


@dataclass(frozen=True, slots=True)
class Http:
    """HTTP/1.1: what is served there is in the reference."""

    # 8080 is where clients of IronMQ look for a server of one's own.
    listen: tuple[ListenAddress, ...] = addresses(
        (ListenAddress("127.0.0.1", 8080),),
        "The addresses to listen on, HOST:PORT each; an empty list turns HTTP off. An address that other machines can "
        "reach needs at least one user.",
        flag="--http",
    )
    host_names: tuple[str, ...] = names(
        "The names by which clients may ask for this broker, besides addresses and `localhost`; `*` for any. A request "
        "for another name is refused: a page in a browser could have led a name of its own here."
    )

    allowed_origins: tuple[str, ...] = origins(
        "The pages whose scripts may connect by WebSocket or ask for a change, such as `https://shop.example`, besides "
        "the broker's own and those of this machine; `*` for any. Clients that are no browsers need not be listed."
    )

    parser: str = choice(
        "auto",
        ("auto", "h11", "httptools"),
        "What reads the heads of requests. httptools is written in C, and takes a tenth of the time; it is there if "
        "Segue was installed as `segue[fast-http]`. `auto`: httptools if it is there, else h11.",
    )

    # RFC 9112 §3: at least 8000 octets.
    target_bytes_max: int = size(
        8 * KIB,
        "The longest request target: path and query.",
        minimum=1 * KIB,
        maximum=64 * KIB,
    )
    # Node has 16 KiB for all headers, Apache 100 of 8 KiB each.
    header_count_max: int = count(
        64,
        "headers",
        "The most headers of a request.",
        minimum=16,
        maximum=1_000,
    )
    head_bytes_max: int = size(
        16 * KIB,
        "The largest head of a request: its first line and all headers.",
        minimum=4 * KIB,
        maximum=1 * MIB,
    )

    # nginx: client_header_timeout, client_body_timeout 60 s, keepalive_timeout 75 s.
    head_seconds: float = seconds(
        10,
        "How long the head of a request may take to come.",
        minimum=1,
        maximum=600,
    )
    body_seconds: float = seconds(
        30,
        "How long a body may stand still while it comes.",
        minimum=1,
        maximum=3600,
    )
    idle_seconds: float = seconds(
        75,
        "How long a connection may stay without a request.",
        minimum=1,
        maximum=3600,
    )

    # Proxies cut off what is silent for 60 s (nginx, HAProxy), as RabbitMQ does.
    websocket_ping_seconds: float = seconds(
        30,
        "A WebSocket client that has been silent for so long is sent a ping, and closed when nothing comes for as long "
        "again.",
        minimum=1,
        maximum=3600,
    )

    metrics_per_queue: bool = boolean(
        False,
        "Whether `/metrics` has figures of each queue too: 16 series, and 1 KiB of text, for each.",
    )
