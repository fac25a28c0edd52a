"""Asking a running daemon: the client's side of the control socket, one blocking connection."""

from __future__ import annotations

import argparse
import errno
import os
import socket
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from segue.broker.cli.arguments import add_json, add_place, amount, read_settings
from segue.broker.cli.failure import CommandFailure
from segue.broker.exit_codes import ExitCode
from segue.protocols.control.frames import ControlError, Reply, ReplyReader, request_line
from segue.protocols.control.socket_path import socket_address

__all__ = ["ControlClient", "add_control_arguments", "connect"]

_REPLY_LINE_BYTES_MAX: Final = 1 << 30
_READ_BYTES: Final = 256 << 10
_NEXT_STEPS: Final = {
    "unknown-command": "the daemon may be older than this command: compare `segue --version` with `segue status`",
    "not-allowed": "run the command as the daemon's account, or as root",
    "line-too-long": "a body may have limits.body_bytes_max: `segue config show` has it",
    "too-many-connections": "end some of the commands that are running",
    "held": "`segue status` shows what is short; try again when it is not",
    "unreadable": "see `segue storage check`",
    "internal": "please report it, with that line of the log",
}


def add_control_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of every command that asks a daemon."""
    add_place(parser)
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=amount("seconds"),
        default=30.0,
        help="give up when the daemon says nothing for so long (default: %(default)g)",
    )
    add_json(parser)


def connect(arguments: argparse.Namespace) -> ControlClient:
    """Connect to the daemon that the flags mean.

    Raises:
        CommandFailure: there is none, or it does not let us.
    """
    settings = read_settings(arguments)
    return ControlClient(settings.control_socket, settings.storage.data_directory, arguments.timeout)


class ControlClient:
    """One connection, for requests one after the other. A context manager.

    Args:
        path: of the socket.
        data_directory: the daemon's, for what is said when nobody answers.
        timeout_seconds: longest silence.

    Raises:
        CommandFailure: (from every method) nobody answers, or the daemon refuses.
    """

    def __init__(self, path: Path, data_directory: Path, timeout_seconds: float) -> None:
        self._path = path
        self._data_directory = data_directory
        self._timeout_seconds = timeout_seconds
        self._reader = ReplyReader(_REPLY_LINE_BYTES_MAX)
        self._pending: deque[Reply] = deque()
        self._last_id = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_seconds)
        try:
            with socket_address(path) as address:
                self._socket.connect(address)
        except OSError as error:
            self._socket.close()
            raise self._unreachable(error) from error

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self._socket.close()

    def ask(
        self,
        do: str,
        arguments: dict[str, Any] | None = None,
        *,
        on_items: Callable[[list[dict[str, Any]]], None] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> dict[str, Any]:
        """Have a command carried out, and return its result."""
        self._last_id += 1
        try:
            self._socket.sendall(request_line(self._last_id, do, arguments or {}))
        except (BrokenPipeError, ConnectionResetError):
            pass  # the daemon has closed; what it said before that is still to be read
        except OSError as error:
            raise self._silent(error) from error
        while True:
            reply = self._next_reply()
            if reply.kind == "result":
                return dict(reply.value)
            if reply.kind == "error":
                raise _refusal(reply.value)
            if reply.kind == "items" and on_items is not None:
                on_items(reply.value)
            if reply.kind == "progress" and on_progress is not None:
                on_progress(reply.value["done"], reply.value["total"])

    def list(self, do: str, arguments: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Have a list made, and return all of it."""
        rows: list[dict[str, Any]] = []
        self.ask(do, arguments, on_items=rows.extend)
        return rows

    def _next_reply(self) -> Reply:
        while not self._pending:
            try:
                data = self._socket.recv(_READ_BYTES)
            except OSError as error:
                raise self._silent(error) from error
            if not data:
                raise self._silent(None)
            try:
                self._pending += self._reader.receive_data(data)
            except ControlError as error:
                raise self._silent(error) from error
        return self._pending.popleft()

    def _unreachable(self, error: OSError) -> CommandFailure:
        if error.errno in (errno.EACCES, errno.EPERM):
            problem = f"the control socket {self._path} is not yours to use"
            step = "run the command as the daemon's account, or as root"
            return CommandFailure(ExitCode.REFUSED, "not-allowed", problem, step)
        pid = self._holder()
        problem = f"no daemon answers at {self._path} ({error.strerror or error})"
        if pid is not None:
            step = f"process {pid} holds {self._data_directory}: it may still be starting; its log says more"
        elif error.errno == errno.ENOENT and not os.path.exists(self._data_directory):
            step = f"there is no {self._data_directory}: say where the broker's data is, with --data or --config"
        else:
            step = "start one with `segue serve`, or say where its data is with --data or --config"
        return CommandFailure(ExitCode.UNREACHABLE, "unreachable", problem, step)

    def _silent(self, error: BaseException | None) -> CommandFailure:
        if isinstance(error, TimeoutError):
            problem = f"the daemon at {self._path} has said nothing for {self._timeout_seconds:g} s"
            step = "whether it was done is not known; try again, or with a longer --timeout"
        elif isinstance(error, ControlError):
            problem, step = f"what answers at {self._path} is no Segue ({error})", "look at control.socket"
        else:
            problem = f"the daemon at {self._path} has closed the connection"
            step = "it may have been stopped; its log says more. Whether the command was carried out is not known"
        return CommandFailure(ExitCode.UNREACHABLE, "unreachable", problem, step)

    def _holder(self) -> int | None:
        from segue.storage.lock import holder_of

        return holder_of(self._data_directory)


def _refusal(error: dict[str, Any]) -> CommandFailure:
    code = str(error.get("code", "refused"))
    exit_code = ExitCode.USAGE if code == "bad-request" else ExitCode.REFUSED
    return CommandFailure(exit_code, code, str(error.get("message", "")), _NEXT_STEPS.get(code, ""))
