"""Answers over HTTP, as far as a load generator reads them: where they end, and whether they say yes. Sans-IO."""

from __future__ import annotations

from segue.bench.replies import BrokerError

__all__ = ["AnswerCutter", "body_of", "end_of_answer"]

_HEAD_END = b"\r\n\r\n"
# A hundred messages of 256 octets take some 50 KiB; an answer that is longer than this is none of ours.
_ANSWER_BYTES_MAX = 16 * 1024 * 1024


class AnswerCutter:
    """Keeps what comes until the answer is whole, where one request is out at a time."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, chunk: bytes) -> bytes:
        """The answer if it is whole with this, else nothing.

        Raises:
            BrokerError: it is in chunks or too long, or followed by what nobody asked for.
        """
        data = self._pending + chunk
        end = end_of_answer(data, 0)
        if not end and len(data) > _ANSWER_BYTES_MAX:
            raise BrokerError(f"an answer of more than {_ANSWER_BYTES_MAX} octets")
        if end and end < len(data):
            raise BrokerError("more was answered than was asked for")
        self._pending = b"" if end else data
        return data if end else b""


def end_of_answer(data: bytes, pos: int) -> int:
    """Where the answer that begins at `pos` ends; 0 if it is not whole. Raises BrokerError: it comes in chunks."""
    head_end = data.find(_HEAD_END, pos) + len(_HEAD_END)
    if head_end < len(_HEAD_END):
        return 0
    head = data[pos:head_end].lower()
    _, named, rest = head.partition(b"\r\ncontent-length:")
    if b"\r\ntransfer-encoding:" in head:
        raise BrokerError("an answer comes in chunks, which are not measured here")
    end = head_end + (int(rest.partition(b"\r\n")[0]) if named else 0)
    return end if end <= len(data) else 0


def body_of(answer: bytes) -> bytes:
    """The body of a whole answer.

    Raises:
        BrokerError: its status is no 2xx.
    """
    head, _, body = answer.partition(_HEAD_END)
    # HTTP/1.1 200 ...
    if head[9:10] != b"2":
        line = head.partition(b"\r\n")[0].decode(errors="replace")
        raise BrokerError(f"{line}: {body[:200].decode(errors='replace')}")
    return body
