"""`[control]`: the socket that `segue status`, `segue queue` and the other control commands talk to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segue.broker.settings.keys import path_name

__all__ = ["Control"]


@dataclass(frozen=True, slots=True)
class Control:
    """The Unix socket that control commands talk to. Only root and the daemon's own account may use it."""

    socket: Path = path_name(  # noqa: RUF009 - declares a field
        Path("control.sock"),
        "The socket's path. A relative one stands in the data directory.",
    )
