"""What each request of the control protocol does: arguments to calls on the node, and its answer to lines.

Calls on the node are made in one step of the event loop, and `end_step` closes it. What takes longer (lists of many
queues, browsing) goes in parts, with a checkpoint between them, so that it delays nobody.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio

from segue.broker import inspect
from segue.broker.errors import (
    BrokerError,
    InUseError,
    LimitReachedError,
    NotFoundError,
    ShuttingDownError,
)
from segue.broker.queue import Queue
from segue.protocols.control.arguments import Arguments
from segue.protocols.control.frames import ControlError, ErrorCode, Request

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.rates import RateMeter

__all__ = ["Answer", "ControlSession"]

_ROWS_A_LINE: Final = 200
"""Rows of a list that are made in one step: a few milliseconds."""
_CODES: Final[dict[type[BrokerError], ErrorCode]] = {
    NotFoundError: ErrorCode.NOT_FOUND,
    InUseError: ErrorCode.IN_USE,
    LimitReachedError: ErrorCode.LIMIT_REACHED,
    ShuttingDownError: ErrorCode.SHUTTING_DOWN,
}

Result = Mapping[str, Any]


class Answer(Protocol):
    """Where the parts of an answer go before its result. Both wait until the client takes them."""

    async def items(self, items: list[Mapping[str, Any]]) -> None:
        """A part of a list."""

    async def progress(self, done: int, total: int) -> None:
        """How far it has come."""


class ControlSession:
    """The commands, for one connection. They are carried out one after the other."""

    def __init__(self, node: Node, meter: RateMeter) -> None:
        self._node = node
        self._meter = meter
        self._commands: Final[dict[str, Callable[[Arguments, Answer], Awaitable[Result]]]] = {
            "status": self._status,
            "queue.list": self._list_queues,
            "queue.show": self._show_queue,
            "topic.list": self._list_topics,
            "connection.list": self._list_connections,
        }

    @property
    def commands(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._commands)

    async def carry_out(self, request: Request, answer: Answer) -> Result:
        """Do what a request asks, and return its result.

        Raises:
            ControlError: it can't be done.
        """
        command = self._commands.get(request.do)
        if command is None:
            raise ControlError(ErrorCode.UNKNOWN_COMMAND, f"this daemon knows no command {request.do!r}")
        arguments = Arguments(request.arguments)
        try:
            result = await command(arguments, answer)
        except BrokerError as error:
            raise ControlError(_CODES.get(type(error), ErrorCode.REFUSED), str(error)) from error
        except (OSError, sqlite3.Error) as error:
            raise ControlError(ErrorCode.UNREADABLE, f"what lies on disk can't be read: {error}") from error
        finally:
            self._node.end_step()
        return result

    # -- what is there

    async def _status(self, arguments: Arguments, answer: Answer) -> Result:
        arguments.finish()
        return inspect.status(self._node, self._meter)

    async def _list_queues(self, arguments: Arguments, answer: Answer) -> Result:
        arguments.finish()
        queues = sorted(self._node.queues.values(), key=lambda queue: queue.name)
        rows = (inspect.queue_row(self._node, queue, self._meter) for queue in queues if queue.open)
        return await _send_all(rows, answer)

    async def _show_queue(self, arguments: Arguments, answer: Answer) -> Result:
        queue = self._queue(arguments)
        arguments.finish()
        return inspect.describe_queue(self._node, queue, self._meter)

    async def _list_topics(self, arguments: Arguments, answer: Answer) -> Result:
        arguments.finish()
        result = dict(await _send_all(inspect.topics(self._node), answer))
        result["durable_subscriptions"] = list(inspect.durable_subscriptions(self._node))
        return result

    async def _list_connections(self, arguments: Arguments, answer: Answer) -> Result:
        arguments.finish()
        return await _send_all(inspect.connections(self._node), answer)

    def _queue(self, arguments: Arguments) -> Queue:
        return self._node.existing_queue(unicodedata.normalize("NFC", arguments.text("queue")))


async def _send_all(rows: Iterable[Mapping[str, Any]], answer: Answer) -> Result:
    """Send rows in parts, and say how many there were."""
    part: list[Mapping[str, Any]] = []
    count = 0
    for row in rows:
        part.append(row)
        count += 1
        if len(part) == _ROWS_A_LINE:
            await answer.items(part)
            await trio.lowlevel.checkpoint()
            part = []
    if part:
        await answer.items(part)
    return {"count": count}
