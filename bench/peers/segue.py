"""Segue itself, as `segue serve` runs it with nothing but a data directory and a port."""

from __future__ import annotations

import sys

from segue.bench.peers.peer import Peer
from segue.broker import __version__

__all__ = ["Segue"]


class Segue(Peer):
    """The broker of this source tree, with its default settings."""

    name = "segue"
    title = "Segue"
    durability = "journal, one synchronous write a group commit"
    port = 18913

    def version(self) -> str:
        return __version__

    def command(self) -> list[str]:
        data = self.data_directory.resolve()
        address = f"127.0.0.1:{self.port}"
        return [sys.executable, "-m", "segue.broker", "serve", "--data", str(data), "--stomp", address, "--http", ""]
