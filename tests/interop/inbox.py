"""A listener for stomp.py that keeps what comes, so that a test reads it in order."""

from __future__ import annotations

import queue
from typing import Any

import stomp

__all__ = ["Inbox"]

_PATIENCE_SECONDS = 60.0


class Inbox(stomp.ConnectionListener):  # type: ignore[misc]
    """Everything that stomp.py reports, by its kind."""

    def __init__(self) -> None:
        self.messages: queue.Queue[Any] = queue.Queue()
        self.receipts: queue.Queue[str] = queue.Queue()
        self.errors: queue.Queue[Any] = queue.Queue()
        self.ends: queue.Queue[None] = queue.Queue()
        self.connected: Any = None
        self.heart_beats: queue.Queue[None] = queue.Queue()
        self.heart_beat_timeouts = 0

    def on_connected(self, frame: Any) -> None:
        self.connected = frame

    def on_message(self, frame: Any) -> None:
        self.messages.put(frame)

    def on_receipt(self, frame: Any) -> None:
        self.receipts.put(frame.headers["receipt-id"])

    def on_error(self, frame: Any) -> None:
        self.errors.put(frame)

    def on_disconnected(self) -> None:
        self.ends.put(None)

    def on_heartbeat(self) -> None:
        self.heart_beats.put(None)

    def on_heartbeat_timeout(self) -> None:
        self.heart_beat_timeouts += 1

    def expect_message(self, body: bytes | None = None, **headers: str) -> Any:
        frame = self.messages.get(timeout=_PATIENCE_SECONDS)
        assert body is None or frame.body == body
        for name, value in headers.items():
            assert frame.headers[name.replace("_", "-")] == value
        return frame

    def expect_receipt(self, receipt: str) -> None:
        assert self.receipts.get(timeout=_PATIENCE_SECONDS) == receipt

    def expect_error(self, message: str) -> Any:
        frame = self.errors.get(timeout=_PATIENCE_SECONDS)
        assert message.lower() in frame.headers["message"].lower()
        return frame

    def expect_heart_beat(self) -> None:
        self.heart_beats.get(timeout=_PATIENCE_SECONDS)

    def expect_end(self) -> None:
        self.ends.get(timeout=_PATIENCE_SECONDS)
