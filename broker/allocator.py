"""The C library's allocator: how many arenas its threads may have.

glibc gives each new thread an arena of its own, up to eight for each core, and sets 64 MiB of address space aside for
each. The threads that read and write files need none of that: with seven of them, a process whose messages take 140 MiB
had 520 MiB of addresses, and under `ulimit -v` or RLIMIT_AS no memory was left for a message. With two arenas the event
loop has one for itself, and all others share the second, so that nobody waits for a lock who did not before.
"""

from __future__ import annotations

import ctypes
from contextlib import suppress

__all__ = ["bound_arenas"]

_ARENAS_MAX = 2
_M_ARENA_MAX = -8
"""From glibc's malloc.h."""


def bound_arenas() -> None:
    """To be called before there is a second thread. Without glibc there is nothing to bound."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS_MAX)
