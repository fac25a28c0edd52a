"""`[push]`: messages that the broker POSTs to subscribers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segue.broker.settings.keys import count, networks, path_names, seconds
from segue.broker.settings.networks import Network

__all__ = ["Push"]


@dataclass(frozen=True, slots=True)
class Push:
    """Push queues: messages that the broker POSTs to subscribers over HTTP."""

    allow_addresses: tuple[Network, ...] = networks(
        "Networks in which subscribers may be, besides the internet. Private, loopback, link-local and other addresses "
        "that are not everybody's are refused unless they are in one of these: whoever may configure a push queue "
        "could otherwise have the broker ask its own neighbours. A name is refused when one of its addresses is."
    )
    ca_files: tuple[Path, ...] = path_names(
        "Files with certificates (PEM) of authorities that are trusted besides those of the system, for subscribers "
        "with https."
    )
    # IronMQ v3: 10 s.
    timeout_seconds: float = seconds(
        10,
        "How long a push may take, from the look-up of the name to the status of the answer. Then it has failed.",
        minimum=1,
        maximum=60,
    )
    in_flight_max: int = count(
        256,
        "pushes",
        "The most pushes at a time. Each has a connection.",
        minimum=1,
        maximum=10_000,
    )
    # As many as browsers and proxies keep open to one server, several times over; one queue in eight may hang.
    queue_in_flight_max: int = count(
        32,
        "pushes",
        "The most pushes of one queue at a time.",
        minimum=1,
        maximum=1_000,
    )
