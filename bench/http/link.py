"""One HTTP connection that is kept alive, with one request out at a time."""

from __future__ import annotations

from segue.bench.answers import AnswerCutter, body_of
from segue.bench.replies import BrokerError
from segue.bench.stream import Stream

__all__ = ["HttpLink"]

# A long poll is answered after 30 s at the latest.
_TIMEOUT_SECONDS = 60.0


class HttpLink(Stream):
    """An HTTP connection. `receive` gives whole answers.

    Raises:
        BrokerError: there is no broker at the address.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        super().__init__(host, port, _TIMEOUT_SECONDS)
        self._cutter = AnswerCutter()

    def answer(self) -> bytes:
        """Wait for the answer to what was sent; only before `start`. Returns its body.

        Raises:
            BrokerError: it says no, or none comes.
        """
        try:
            while not (answer := self._receive_blocking()):
                pass
        except OSError as error:
            raise BrokerError(f"waiting for an answer: {error.strerror or error}") from error
        return body_of(answer)

    def _whole(self, chunk: bytes) -> bytes:
        return self._cutter.feed(chunk)
