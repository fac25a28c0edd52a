"""Publishing a stream: a message a line, taken in chunks, and a line about each as soon as its chunk is on disk.

For more than a request holds: a stream may go on for ever. Each chunk is accepted as a batch is, all of it or nothing;
what comes behind it is not read before. A line that is wrong ends the stream: what was told of before it is published,
and nothing else. While publishers are held the stream waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from segue.broker.errors import BrokerError
from segue.broker.pending import PendingError
from segue.broker.publication import NewMessage
from segue.broker.room import on_disk, until_answerable, until_let_go
from segue.protocols.http import Exchange, HttpError
from segue.protocols.http.failures import as_http_error
from segue.protocols.rest.json_body import BodyError, read_json
from segue.protocols.rest.v1.destinations import QueueNamed, queue_name
from segue.protocols.rest.v1.new_messages import MESSAGES_MAX, JsonMessage, MessageReader
from segue.protocols.rest.v1.operation import NDJSON, Call
from segue.protocols.rest.v1.problems import Problem, problem_of
from segue.protocols.rest.v1.publishing import PublishedMessage, into_queue

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["StreamedMessage", "publish_stream"]

_LINE_BYTES_MAX: Final = 1 << 20
"""It is gathered here, beside what connections may hold together. Larger messages go in requests of their own."""
_message: Final = msgspec.json.Decoder(JsonMessage)
_encoder: Final = msgspec.json.Encoder()


class StreamedMessage(PublishedMessage):
    """What became of a line; the last one may be about a line that could not be published."""

    line: Annotated[int, Meta(description="Which one could not be; from 1, empty ones not counted.")] = 0
    problem: Annotated[Problem | None, Meta(description="Why; nothing behind it was published.")] = None


def publish_stream(call: Call[QueueNamed, None]) -> None:
    """Messages for a queue."""
    name = queue_name(call.node, call.parameters.queue)
    call.exchange.start(_Stream(call.exchange, name).carry_out)


class _Stream:
    """One request."""

    def __init__(self, exchange: Exchange, queue: str) -> None:
        self._exchange = exchange
        self._node: Node = exchange.node
        self._queue = queue
        self._reader = MessageReader(f"/queue/{queue}")
        self._rest = b""
        self._lines_done = 0  # those that say something

    async def carry_out(self) -> None:
        """Publish it to its end, or to the first line that can't be."""
        self._exchange.begin(200, content_type=NDJSON.encode())
        try:
            while piece := await self._exchange.read():
                *lines, self._rest = (self._rest + piece).split(b"\n")
                await self._publish(lines)
                if len(self._rest) > _LINE_BYTES_MAX:
                    raise BodyError("invalid-body", f"A line has more than {_LINE_BYTES_MAX} bytes")
            await self._publish([self._rest])
        except (HttpError, BrokerError) as error:
            refused = error if isinstance(error, HttpError) else as_http_error(error)
            self._write([StreamedMessage(line=self._lines_done + 1, problem=problem_of(refused))])
        self._exchange.end()

    async def _publish(self, lines: Sequence[bytes]) -> None:
        """Publish lines, and tell of them. Raises HttpError, BrokerError: the first that was not told of can't be."""
        for start in range(0, len(lines), MESSAGES_MAX):
            messages, wrong = self._read(lines[start : start + MESSAGES_MAX])
            if messages:
                accepted = await self._accept(messages)
                await on_disk(self._node)
                self._write(accepted)
                self._lines_done += len(accepted)
                await self._exchange.drained()
            if wrong is not None:
                raise wrong

    def _read(self, lines: Sequence[bytes]) -> tuple[list[NewMessage], BodyError | None]:
        """The messages of some lines, up to the first that is wrong; empty lines say nothing."""
        messages: list[NewMessage] = []
        for line in lines:
            if line.strip():
                try:
                    message = read_json(line, _message)
                    messages.append(self._reader.read(message, message.dedup_id))
                except BodyError as error:
                    return messages, error
        return messages, None

    async def _accept(self, messages: Sequence[NewMessage]) -> list[PublishedMessage]:
        while True:
            await until_let_go(self._node)
            try:
                return into_queue(self._node, self._queue, messages)
            except PendingError as pending:
                await until_answerable(self._node, pending)

    def _write(self, results: Sequence[PublishedMessage]) -> None:
        self._exchange.write(_encoder.encode_lines(results))
