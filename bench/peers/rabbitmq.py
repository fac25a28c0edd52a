"""RabbitMQ as Debian ships it, with its STOMP plug-in, and its HTTP API if wanted: quorum queues or classic ones."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Literal

from segue.bench import frames
from segue.bench.link import Link
from segue.bench.peers.peer import Peer, PeerError, debian_version

__all__ = ["RabbitMQ"]

_BIN = Path("/usr/lib/rabbitmq/bin")
_PORTS = {"stomp": 18613, "amqp": 18672, "distribution": 18673, "epmd": 18669, "management": 18680}

_CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
stomp.listeners.tcp.1 = 127.0.0.1:{stomp}
log.file.level = warning
log.console = false
"""

_MANAGEMENT = """\
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
"""


class RabbitMQ(Peer):
    """A node of its own, beside any that the machine runs already.

    Args:
        directory: below which its files go.
        queue_type: of the queues that are declared.
        management: its HTTP API is served as well. It collects statistics, which costs the other protocols something.
    """

    port = _PORTS["stomp"]
    main = "beam.smp"
    warm_up_seconds = 3.0

    def __init__(self, directory: Path, queue_type: Literal["quorum", "classic"], *, management: bool = False) -> None:
        self.name = f"rabbitmq-{queue_type}"
        self.title = f"RabbitMQ, {queue_type} queues"
        self.durability = "quorum queue of one member" if queue_type == "quorum" else "durable classic queue"
        self.http_port = _PORTS["management"] if management else 0
        self._queue_type = queue_type
        super().__init__(directory)

    def version(self) -> str:
        version = debian_version("rabbitmq-server")
        if not (_BIN / "rabbitmq-server").exists():
            raise PeerError(f"there is no rabbitmq-server in {_BIN}")
        return version

    def command(self) -> list[str]:
        # Not the one on the PATH: that wants to be root and becomes the user `rabbitmq`.
        return [str(_BIN / "rabbitmq-server")]

    def environment(self) -> dict[str, str]:
        directory = self.directory.resolve()
        return {
            "HOME": str(directory),  # the Erlang cookie
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": "segue-bench@localhost",
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_MNESIA_BASE": str(directory / "data"),
            "RABBITMQ_DIST_PORT": str(_PORTS["distribution"]),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            **_EPMD,
        }

    def configure(self) -> None:
        (self.directory / "log").mkdir(exist_ok=True)
        plugins, configuration = "rabbitmq_stomp", _CONFIGURATION
        if self.http_port:
            plugins, configuration = f"{plugins},rabbitmq_management", configuration + _MANAGEMENT
        (self.directory / "enabled_plugins").write_text(f"[{plugins}].\n", encoding="utf-8")
        (self.directory / "rabbitmq.conf").write_text(configuration.format(**_PORTS), encoding="utf-8")

    def stop(self) -> float:
        seconds = super().stop()
        # The port mapper leaves the process tree when it starts, and outlives the node.
        subprocess.run(["epmd", "-kill"], env=_EPMD | {"PATH": _PATH}, capture_output=True, check=False)  # noqa: S607
        return seconds

    def destination(self, queue: str) -> str:
        return f"/amq/queue/{queue}"

    def declare(self, queue: str, count: int, seconds: float) -> int:
        """Subscribe to each queue once: with these headers, that makes it."""
        names = self.target(f"{queue}", count)
        headers = (("durable", "true"), ("auto-delete", "false"), ("x-queue-type", self._queue_type))
        link = Link(names)
        deadline = time.monotonic() + seconds
        made = 0
        while made < count and time.monotonic() < deadline:
            name = names.queue(made).replace("/amq/queue/", "/queue/")
            link.request(frames.subscribe(made, name, "client-individual", 1, headers), b"RECEIPT")
            made += 1
        link.close()
        return made


_PATH = "/usr/bin:/bin"
_EPMD = {"ERL_EPMD_PORT": str(_PORTS["epmd"]), "ERL_EPMD_ADDRESS": "127.0.0.1"}
