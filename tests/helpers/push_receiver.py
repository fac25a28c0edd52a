"""A subscriber to push queues: an HTTP server on 127.0.0.1 that keeps what is pushed to it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self

__all__ = ["PushReceiver", "Pushed"]

_PATIENCE_SECONDS = 60.0


class Pushed(NamedTuple):
    """One request.

    Attributes:
        path: without its leading slash.
        headers: names in lower case.
        body: of it.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        return self.headers["iron-message-id"]

    @property
    def reservation_id(self) -> str:
        return self.headers["iron-reservation-id"]


class PushReceiver:
    """Answers a request for `/N` with the status N, or with what `statuses` says for the path.

    Attributes:
        statuses: by path.
    """

    def __init__(self) -> None:
        self.statuses: dict[str, int] = {}
        self._pushed: queue.Queue[Pushed] = queue.Queue()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _request_class(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url(self, path: str) -> str:
        """Of a path without its leading slash."""
        return f"http://127.0.0.1:{self._server.server_port}/{path}"

    def next(self) -> Pushed:
        """The next request, for which this waits."""
        return self._pushed.get(timeout=_PATIENCE_SECONDS)

    @property
    def is_quiet(self) -> bool:
        """True when nothing has come since the last call of `next`."""
        return self._pushed.empty()

    def receive(self, pushed: Pushed) -> int:
        """Keep a request; returns the status of its answer."""
        status = self.statuses.get(pushed.path) or int(pushed.path)
        self._pushed.put(pushed)
        return status


def _request_class(receiver: PushReceiver) -> type[BaseHTTPRequestHandler]:
    class PushRequest(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.receive(Pushed(self.path[1:], headers, body)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    return PushRequest
