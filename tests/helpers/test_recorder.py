"""The client that writes its own history: what it leaves behind when it can't begin."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.helpers.history.events import Event, Lost
from tests.helpers.history.recorder import Gone, RecordingClient
from tests.helpers.stomp_frames import encode_frame

__all__: list[str] = []


def answer_one(listener: socket.socket, command: str, code: str) -> bytes:
    """Take one connection and one frame, answer it, and return what the client still says before it closes."""
    connection, _ = listener.accept()
    with connection:
        connection.settimeout(20.0)
        while not connection.recv(4096).endswith(b"\0"):
            continue
        connection.sendall(encode_frame(command, {"error-code": code}.items()))
        return connection.recv(4096)


@pytest.mark.parametrize(
    ("command", "code", "raised"),
    [
        ("ERROR", "limit-reached", AssertionError),
        ("ERROR", "shutting-down", Gone),
        ("RECEIPT", "", AssertionError),
    ],
)
def test_a_client_that_is_not_let_in_closes_its_socket(command: str, code: str, raised: type[Exception]) -> None:
    """Left open, it was a ResourceWarning, and the failure of whatever test ran when it was collected."""
    events: list[Event] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as server:
        rest = server.submit(answer_one, listener, command, code)
        with pytest.raises(raised) as failure:
            RecordingClient(listener.getsockname(), "client", events)
        assert rest.result(20.0) == b""
    assert failure.type is raised
    assert [type(event) for event in events[1:]] == [Lost] * (raised is Gone)
