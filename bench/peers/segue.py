"""Segue itself, as `segue serve` runs it with nothing but a data directory and ports."""

from __future__ import annotations

import sys
from pathlib import Path

from segue.bench.peers.peer import Peer
from segue.broker import __version__

__all__ = ["Segue"]

_HTTP_PORT = 18980


class Segue(Peer):
    """The broker of this source tree, with its default settings.

    Args:
        directory: below which its files go.
        http_parser: HTTP is served as well, its heads read by this one (`http.parser`).
    """

    name = "segue"
    title = "Segue"
    durability = "journal, one synchronous write a group commit"
    port = 18913

    def __init__(self, directory: Path, http_parser: str = "") -> None:
        super().__init__(directory)
        self.http_port = _HTTP_PORT if http_parser else 0
        self._http_parser = http_parser

    def version(self) -> str:
        return __version__

    def command(self) -> list[str]:
        data = self.data_directory.resolve()
        stomp = f"127.0.0.1:{self.port}"
        http = f"127.0.0.1:{self.http_port}" if self.http_port else ""
        return [sys.executable, "-m", "segue.broker", "serve", "--data", str(data), "--stomp", stomp, "--http", http]

    def environment(self) -> dict[str, str]:
        return {"SEGUE_HTTP__PARSER": self._http_parser} if self._http_parser else {}
