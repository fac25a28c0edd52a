"""The STOMP 1.2 frames that the load generator sends, encoded ahead of time.

Every body starts with a key of 18 digits, so that a consumer - also one that is started days later - can check order,
gaps and repetitions without anything but what it receives:

    #RRRRSSSSSNNNNNNNNN xxxx...     run, stream, number within the stream

A *stream* is what one producer sends to one queue: the messages for which order is promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from segue.bench.header_pattern import Column, escape, header_template, numbers_from

__all__ = [
    "BODY_BYTES_MIN",
    "NUMBER_DIGITS",
    "RUN_DIGITS",
    "STREAMS_MAX",
    "STREAM_DIGITS",
    "SendFrames",
    "acknowledge",
    "acknowledge_through",
    "connect",
    "disconnect",
    "subscribe",
]

RUN_DIGITS = 4
STREAM_DIGITS = 5
NUMBER_DIGITS = 9
STREAMS_MAX: int = 10**STREAM_DIGITS
BODY_BYTES_MIN = len("#") + RUN_DIGITS + STREAM_DIGITS + NUMBER_DIGITS + len(" ")

# Filler without NUL, EOL or colon: the receiving side finds headers and the ends of frames by searching for these.
_FILLER = b"abcdefghijklmnopqrstuvwxyz0123456789"


class SendFrames:
    """The SEND frames of one producer, which goes round its streams in turn.

    All frames are made by one `%` over the frame repeated: about 0.3 us a message of 256 octets, where building each
    one from its parts takes 0.45 us. A header that differs from message to message adds about 0.1 us.

    Args:
        destinations: one a stream, in the order of the streams.
        streams: the number of each stream, below `STREAMS_MAX`.
        run: of at most `RUN_DIGITS` digits, so that what an earlier run left on a queue is not taken for this run's.
        body_bytes: `BODY_BYTES_MIN` and more.
        headers: further headers, as (name, value); what stands in braces is filled in, see `header_pattern`.
    """

    def __init__(
        self,
        destinations: Sequence[str],
        streams: Sequence[int],
        run: int,
        body_bytes: int,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        assert body_bytes >= BODY_BYTES_MIN, body_bytes
        assert len(destinations) == len(streams) > 0
        filler = (_FILLER * (body_bytes // len(_FILLER) + 1))[: body_bytes - BODY_BYTES_MIN]
        self._templates: list[bytes] = []
        self._columns: list[list[Column]] = []
        for name, stream in zip(destinations, streams, strict=True):
            prefix = b"%04d%05d" % (run, stream)
            lines = [header_template(*header, prefix) for header in headers]
            more = b"".join(line for line, _ in lines)
            self._columns.append([column for _, columns in lines for column in columns])
            self._templates.append(
                b"SEND\n%bcontent-type:application/octet-stream\ncontent-length:%d\n%breceipt:%%d\n\n#%b%%09d %b\0"
                % (_template(_header("destination", name)), body_bytes, more, prefix, filler)
            )

    @property
    def streams(self) -> int:
        """How many streams this producer goes round."""
        return len(self._templates)

    def encode(self, first: int, count: int) -> bytes:
        """The frames of messages `first` to `first + count - 1` of this producer; their receipts are these numbers."""
        if len(self._templates) == 1:
            numbers = numbers_from(first, count)
            columns = (*(column(first, count) for column in self._columns[0]), numbers, numbers)
            return (self._templates[0] * count) % tuple(chain.from_iterable(zip(*columns, strict=True)))
        return b"".join([self._encode_one(number) for number in range(first, first + count)])

    def _encode_one(self, number: int) -> bytes:
        round_, position = divmod(number, len(self._templates))
        filled = [column(round_, 1)[0] for column in self._columns[position]]
        return self._templates[position] % (*filled, number, round_)


def connect(login: str, passcode: str, host: str) -> bytes:
    """CONNECT without heart-beats: a load generator is never silent for long, and an idle one measures idleness.

    CONNECT's headers are not escaped (STOMP 1.2, "Value Encoding").
    """
    text = f"CONNECT\naccept-version:1.2\nhost:{host}\nlogin:{login}\npasscode:{passcode}\nheart-beat:0,0\n\n\0"
    return text.encode()


def subscribe(number: int, destination: str, ack: str, prefetch: int, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """SUBSCRIBE number `number` of a connection, with a receipt of the same number.

    Credit is asked for in the words of RabbitMQ and of ActiveMQ: a broker passes over the other's.
    """
    fields = [
        ("id", str(number)),
        ("destination", destination),
        ("ack", ack),
        ("prefetch-count", str(prefetch)),
        ("activemq.prefetchSize", str(prefetch)),
        ("receipt", str(number)),
        *headers,
    ]
    return b"SUBSCRIBE\n" + b"".join(_header(name, value) for name, value in fields) + b"\n\0"


def acknowledge(ack_ids: Sequence[bytes]) -> bytes:
    """One ACK for each of `ack_ids`, which are as they came: still escaped."""
    return b"ACK\nid:" + b"\n\n\0ACK\nid:".join(ack_ids) + b"\n\n\0"


def acknowledge_through(ack_ids: Sequence[bytes]) -> bytes:
    """One cumulative ACK for all of `ack_ids`: for `client` mode with one subscription."""
    return b"ACK\nid:" + ack_ids[-1] + b"\n\n\0"


def disconnect() -> bytes:
    """DISCONNECT with a receipt: when that has come, the broker has processed every ACK before it."""
    return b"DISCONNECT\nreceipt:disconnect\n\n\0"


def _header(name: str, value: str) -> bytes:
    return b"%b:%b\n" % (escape(name), escape(value))


def _template(text: bytes) -> bytes:
    """`text` as it has to stand in a `%` template."""
    return text.replace(b"%", b"%%")
