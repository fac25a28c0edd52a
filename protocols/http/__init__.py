"""HTTP/1.1: the server that REST, WebSocket and administration share, on one listener.

An interface brings routes and handlers (`Mount`), by an entry point of the group `segue.http`; it never sees a socket.
"""

from __future__ import annotations

from segue.protocols.http.errors import HttpError
from segue.protocols.http.exchange import JSON, TEXT, Exchange
from segue.protocols.http.request import Request
from segue.protocols.http.routes import Route, Routes

__all__ = ["JSON", "TEXT", "Exchange", "HttpError", "Request", "Route", "Routes"]
