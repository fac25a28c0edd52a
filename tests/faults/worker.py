"""A worker as docs/how-to/consume-once.md has it, in a process of its own: `python -m tests.faults.worker HOST PORT`.

It takes a job, and sends the result and the acknowledgement in one transaction. Whatever happens to its connection, it
connects again and takes what comes. The job `end` is its last one.

Behind each step it says on its output which one and of which job, and waits for a word on its input: `go`; `deaf`, when
it is not to hear the receipt that it waits for; `run`, when it is to say and to ask nothing any more.
"""

from __future__ import annotations

import queue
import sys
import time
from contextlib import suppress
from typing import Any

import stomp
import stomp.exception

__all__ = ["JOBS", "LAST_JOB", "RESULTS", "STEPS"]

JOBS = "/queue/jobs"
RESULTS = "/queue/results"
LAST_JOB = "end"
STEPS = ("MESSAGE", "BEGIN", "SEND", "ACK", "COMMIT", "RECEIPT")

_PREFETCH = "3"
_RETRY_SECONDS = 0.05
# So long a broker that was killed may take to be there again.
_PATIENCE_SECONDS = 60.0
# stomp.py itself waits for CONNECTED without end: `wait=True` has twice hung when the broker died meanwhile.
_LOGIN_SECONDS = 10.0


class _Lost(Exception):
    """The connection is gone."""


class _Gate:
    """Where the test holds the worker."""

    def __init__(self) -> None:
        self._open = False

    def passed(self, step: str, job: str) -> str:
        """Say that a step is done; returns the word that lets the worker go on."""
        if self._open:
            return "go"
        print(step, job, flush=True)
        word = sys.stdin.readline().strip()
        self._open = word == "run"
        return word


class _Link(stomp.ConnectionListener):  # type: ignore[misc]
    """A connection, and what has come on it; None stands for its end."""

    def __init__(self, host: str, port: int) -> None:
        self.messages: queue.Queue[Any] = queue.Queue()
        self.receipts: queue.Queue[str | None] = queue.Queue()
        self._logged_in: queue.Queue[bool] = queue.Queue()
        self.connection = stomp.Connection12([(host, port)], reconnect_attempts_max=1)
        self.connection.set_listener("", self)
        self.connection.connect("guest", "guest")
        self._await_login()
        self.connection.subscribe(JOBS, id="1", ack="client-individual", headers={"prefetch-count": _PREFETCH})

    def _await_login(self) -> None:
        with suppress(queue.Empty):
            if self._logged_in.get(timeout=_LOGIN_SECONDS):
                return
        self.connection.transport.disconnect_socket()
        raise _Lost

    def on_connected(self, frame: Any) -> None:
        self._logged_in.put(True)

    def on_message(self, frame: Any) -> None:
        self.messages.put(frame)

    def on_receipt(self, frame: Any) -> None:
        self.receipts.put(frame.headers["receipt-id"])

    def on_error(self, frame: Any) -> None:
        print(frame, file=sys.stderr, flush=True)

    def on_disconnected(self) -> None:
        self._logged_in.put(False)
        self.messages.put(None)
        self.receipts.put(None)

    def next_job(self) -> Any:
        job = self.messages.get(timeout=_PATIENCE_SECONDS)
        if job is None:
            raise _Lost
        return job

    def expect_receipt(self, receipt: str) -> None:
        if self.receipts.get(timeout=_PATIENCE_SECONDS) != receipt:
            raise _Lost

    def expect_end(self) -> None:
        while self.receipts.get(timeout=_PATIENCE_SECONDS) is not None:
            continue


def _do_one_job(link: _Link, gate: _Gate) -> bool:
    """Returns False when it was the last one."""
    job = link.next_job()
    connection, body, transaction = link.connection, str(job.body), str(job.headers["message-id"])
    gate.passed("MESSAGE", body)
    connection.begin(transaction)
    gate.passed("BEGIN", body)
    connection.send(RESULTS, body, transaction=transaction)
    gate.passed("SEND", body)
    connection.ack(job.headers["ack"], transaction)
    gate.passed("ACK", body)
    connection.commit(transaction, receipt=transaction)
    if gate.passed("COMMIT", body) == "deaf":
        link.expect_end()
        raise _Lost
    link.expect_receipt(transaction)
    gate.passed("RECEIPT", body)
    return body != LAST_JOB


def _work(host: str, port: int, gate: _Gate) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            link = _Link(host, port)
            while _do_one_job(link, gate):
                deadline = time.monotonic() + _PATIENCE_SECONDS
            link.connection.disconnect(receipt="end")
            link.expect_end()
            return
        except (_Lost, stomp.exception.StompException, OSError):
            time.sleep(_RETRY_SECONDS)
    sys.exit("the broker did not come back")


if __name__ == "__main__":
    _work(sys.argv[1], int(sys.argv[2]), _Gate())
