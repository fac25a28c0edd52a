"""What each request of the control protocol does: arguments to calls on the node, and its answer to lines.

Calls on the node are made in one step of the event loop, and `end_step` closes it. What takes longer (lists of many
queues, browsing) goes in parts, with a checkpoint between them, so that it delays nobody.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import trio

from segue.broker import inspect
from segue.broker.browse import Browser
from segue.broker.errors import (
    BrokerError,
    InUseError,
    LimitReachedError,
    NotFoundError,
    ShuttingDownError,
)
from segue.broker.headers import read_headers
from segue.broker.message import PERSISTENT, decode
from segue.broker.names import normal
from segue.broker.queue import Queue
from segue.broker.room import on_disk
from segue.protocols.control.answer import Answer, Result
from segue.protocols.control.arguments import Arguments
from segue.protocols.control.frames import ControlError, ErrorCode, Request
from segue.protocols.control.job_commands import JobCommands
from segue.protocols.control.message import show_body
from segue.protocols.control.policies import PolicyRequests
from segue.protocols.control.publishing import Publishing
from segue.protocols.control.schedule_commands import ScheduleCommands

if TYPE_CHECKING:
    from segue.broker.clock import SteadyClock
    from segue.broker.node import Node
    from segue.broker.rates import RateMeter

__all__ = ["ControlSession"]

_ROWS_A_LINE: Final = 200
"""Rows of a list that are made in one step: a few milliseconds."""
_BROWSE_BYTES: Final = 256 << 10
_MESSAGES_A_LINE: Final = 64
"""Of a browse, in one step: about a millisecond."""
_NO_LIMIT: Final = 1 << 62
_CODES: Final[dict[type[BrokerError], ErrorCode]] = {
    NotFoundError: ErrorCode.NOT_FOUND,
    InUseError: ErrorCode.IN_USE,
    LimitReachedError: ErrorCode.LIMIT_REACHED,
    ShuttingDownError: ErrorCode.SHUTTING_DOWN,
}


class ControlSession:
    """The commands, for one connection. They are carried out one after the other."""

    def __init__(self, node: Node, meter: RateMeter) -> None:
        self._node = node
        self._meter = meter
        jobs = JobCommands(node)
        self._policies = PolicyRequests(node)
        self._commands: Final[dict[str, Callable[[Arguments, Answer], Awaitable[Result]]]] = {
            "status": self._status,
            "queue.list": self._list_queues,
            "queue.show": self._show_queue,
            "queue.why": self._explain_queue,
            "queue.declare": self._declare,
            "queue.browse": self._browse,
            "queue.publish": Publishing(node).publish,
            "queue.purge": self._purge,
            "queue.pause": self._pause,
            "queue.resume": self._resume,
            "queue.delete": self._delete,
            **jobs.on_queues,
            **jobs.on_jobs,
            "topic.list": self._list_topics,
            "connection.list": self._list_connections,
            "connection.close": self._close_connection,
            **ScheduleCommands(node).by_name,
            "policy.list": self._list_policies,
            "policy.set": self._set_policy,
            "policy.delete": self._delete_policy,
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
        except OSError as error:
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
        return await self._send_all(rows, answer)

    async def _show_queue(self, arguments: Arguments, answer: Answer) -> Result:
        queue = self._queue(arguments)
        arguments.finish()
        return inspect.describe_queue(self._node, queue, self._meter)

    async def _explain_queue(self, arguments: Arguments, answer: Answer) -> Result:
        queue = self._queue(arguments)
        arguments.finish()
        return inspect.explain_queue(self._node, queue)

    async def _list_topics(self, arguments: Arguments, answer: Answer) -> Result:
        arguments.finish()
        result = dict(await self._send_all(inspect.topics(self._node), answer))
        result["durable_subscriptions"] = list(inspect.durable_subscriptions(self._node))
        return result

    async def _list_connections(self, arguments: Arguments, answer: Answer) -> Result:
        arguments.finish()
        return await self._send_all(inspect.connections(self._node), answer)

    async def _close_connection(self, arguments: Arguments, answer: Answer) -> Result:
        number = arguments.number("connection", minimum=1)
        reason = arguments.text("reason", "closed by an operator")
        arguments.finish()
        session = self._node.sessions.get(number)
        if session is None:
            raise NotFoundError(f"no connection {number}")
        if not reason.isprintable():
            raise ControlError(ErrorCode.BAD_REQUEST, "'reason' is a line of text without control characters")
        session.output.close(reason)
        return {"closed": number}

    # -- policies

    async def _list_policies(self, arguments: Arguments, answer: Answer) -> Result:
        arguments.finish()
        return await self._send_all(self._policies.list(), answer)

    async def _set_policy(self, arguments: Arguments, answer: Answer) -> Result:
        return await self._policies.set(arguments)

    async def _delete_policy(self, arguments: Arguments, answer: Answer) -> Result:
        return await self._policies.delete(arguments)

    # -- what changes queues

    async def _declare(self, arguments: Arguments, answer: Answer) -> Result:
        name = arguments.name("queue", self._node.queues)
        auto_delete = arguments.flag("auto_delete")
        arguments.finish()
        is_new = name not in self._node.queues
        queue = self._node.declare_queue(name, auto_delete=auto_delete)
        self._node.idle_queues.used(queue)
        await on_disk(self._node)
        return {"queue": queue.name, "created": is_new, "auto_delete": queue.auto_delete}

    async def _purge(self, arguments: Arguments, answer: Answer) -> Result:
        queue = self._queue(arguments)
        set_aside = arguments.flag("set_aside")
        arguments.finish()
        total = len(queue.cursor.quarantined) if set_aside else queue.cursor.ready
        await answer.progress(0, total)
        purged = queue.purge_damaged() if set_aside else queue.purge()
        await on_disk(self._node)
        await answer.progress(total, total)
        return {"queue": queue.name, "purged": purged}

    async def _delete(self, arguments: Arguments, answer: Answer) -> Result:
        queue = self._queue(arguments)
        if_empty, if_unused = arguments.flag("if_empty"), arguments.flag("if_unused")
        arguments.finish()
        messages = self._node.delete_queue(queue.name, if_empty=if_empty, if_unused=if_unused)
        await on_disk(self._node)
        return {"queue": queue.name, "messages": messages}

    async def _pause(self, arguments: Arguments, answer: Answer) -> Result:
        queue = self._queue(arguments)
        arguments.finish()
        queue.pause()
        await on_disk(self._node)
        return {"queue": queue.name, "paused": True}

    async def _resume(self, arguments: Arguments, answer: Answer) -> Result:
        queue = self._queue(arguments)
        arguments.finish()
        queue.resume()
        await on_disk(self._node)
        return {"queue": queue.name, "paused": False}

    async def _browse(self, arguments: Arguments, answer: Answer) -> Result:
        queue = self._queue(arguments)
        limit = arguments.number("limit", _NO_LIMIT, minimum=1)
        body_bytes_max = arguments.number("body_bytes", _NO_LIMIT)
        arguments.finish()
        browser, clock = Browser(queue), self._node.clock
        returned = dict(queue.cursor.returned)
        count = 0
        while count < limit and (found := await browser.chunk(_BROWSE_BYTES)):
            found = found[: limit - count]
            count += len(found)
            for at in range(0, len(found), _MESSAGES_A_LINE):
                part = found[at : at + _MESSAGES_A_LINE]
                async with self._half_the_time():
                    await answer.items(
                        [_message(s, record, returned.get(s, 0), body_bytes_max, clock) for s, record in part]
                    )
        return {"queue": queue.name, "count": count}

    async def _send_all(self, rows: Iterable[Mapping[str, Any]], answer: Answer) -> Result:
        """Send rows in parts, and say how many there were."""
        rest = iter(rows)
        count = 0
        while True:
            async with self._half_the_time():
                part = list(islice(rest, _ROWS_A_LINE))
                if part:
                    await answer.items(part)
            count += len(part)
            if len(part) < _ROWS_A_LINE:
                return {"count": count}

    @asynccontextmanager
    async def _half_the_time(self) -> AsyncIterator[None]:
        """After a step of a long answer the loop is left to others for as long, however fast the client takes it."""
        began = self._node.clock.monotonic()
        yield
        await trio.sleep(self._node.clock.monotonic() - began)

    def _queue(self, arguments: Arguments) -> Queue:
        return self._node.existing_queue(normal(arguments.text("queue")))


def _message(seq: int, record: bytes, deliveries: int, body_bytes_max: int, clock: SteadyClock) -> Result:
    message = decode(record)
    return {
        "seq": seq,
        "accepted_ms": clock.on_wall(message.accepted_ms),
        "expires_ms": message.expires_ms and clock.on_wall(message.expires_ms),
        "persistent": bool(message.flags & PERSISTENT),
        "deliveries": deliveries,
        "headers": read_headers(message.headers),
        **show_body(message.body, body_bytes_max),
    }
