"""A port for a broker that has to be found under a number known beforehand, or that comes back on the one it had."""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from typing import Final

__all__ = ["free_port"]

_PORTS: Final = range(20_000, 32_000)
"""Below those that the kernel gives to whoever asks for any: one of these would have a new owner while the broker is
down, now and then."""
_TRIES: Final = 100
# pytest-randomly gives every process of a run the same seed, and they would all take the same port.
_chance = random.SystemRandom()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    for _ in range(_TRIES):
        port = _chance.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("all ports are taken")
