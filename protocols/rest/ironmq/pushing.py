"""Push queues: what is set of them is handed to what pushes (segue.protocols.push), and what becomes of messages shown.

A subscriber is a URL, or another queue of the same project, `ironmq:///QUEUE`.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

import msgspec
import trio
from msgspec import Struct

from segue.broker.errors import BrokerError, NotHeldError
from segue.broker.headers import Headers
from segue.broker.message import decode
from segue.protocols.http import Exchange, HttpError
from segue.protocols.push.message import PushMessage
from segue.protocols.push.options import PushOptions, PushType, Subscriber
from segue.protocols.push.outcome import Outcome
from segue.protocols.push.pusher import Pusher, client_of
from segue.protocols.push.signing import read_secret
from segue.protocols.push.tries import Tries
from segue.protocols.rest.ironmq.answers import answer_json, answer_when_durable, time_text
from segue.protocols.rest.ironmq.lookup import message_not_found, record_of
from segue.protocols.rest.ironmq.message import PUSH_HEADERS
from segue.protocols.rest.ironmq.message_id import id_of
from segue.protocols.rest.ironmq.messages import clear_queue
from segue.protocols.rest.ironmq.naming import existing_queue, named_queue
from segue.protocols.rest.ironmq.posting import NewMessage, post
from segue.protocols.rest.ironmq.queue_settings import LOCAL_QUEUE, settings_of
from segue.protocols.rest.json_body import read_json

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.queue import Queue
    from segue.broker.settings import Http
    from segue.protocols.http.routes import Handler
    from segue.protocols.push.push_queue import PushQueue

__all__ = ["Pushing"]

_TRIED_PREFIX: Final = "tried:"
"""Of the names of the queues of the tried: no project can have them in its list."""


class _Acknowledgement(Struct):
    reservation_id: str | None = None
    subscriber_name: str | None = None


class _Deletions(Struct):
    ids: list[Any] | None = None


_acknowledgement: Final = msgspec.json.Decoder(_Acknowledgement)
_deletions: Final = msgspec.json.Decoder(_Deletions)


class Pushing:
    """The push queues of a broker. A `PushPort`."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._client = client_of(node.settings.push)
        self._pusher = Pusher(node, node.settings.push, self, self._post)
        self._url = _url_of(node.settings.http)
        node.states["push"] = self._pusher.state

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Push, until cancelled. Raises OSError: a file of `push.ca_files` can't be read."""
        if self._node.settings.push.ca_files:
            await self._client.load_authorities()
        async with trio.open_nursery() as nursery:
            await nursery.start(self._pusher.serve)
            for name in list(self._node.queues):
                self._look_at(name.removeprefix(_TRIED_PREFIX))
            self._node.end_step()
            task_status.started()

    # -- requests

    def watching(self, handler: Handler) -> Handler:
        """A handler of requests that make, change or delete queues."""

        def handle(exchange: Exchange) -> None:
            handler(exchange)
            self._look_at(named_queue(exchange))

        return handle

    def showing(self, handler: Handler) -> Handler:
        """A handler that shows a message: here it is also found after it was pushed."""

        def handle(exchange: Exchange) -> None:
            message_id = exchange.request.parameters["message"]
            push_queue = self._pusher.get(existing_queue(exchange).name)
            result = None if push_queue is None else push_queue.result(message_id)
            if result is None:
                handler(exchange)
                return
            reserved_count = max((one.tries for one in result.tries.subscribers.values()), default=0)
            body = result.message.body.decode(errors="replace")
            shown = {"id": message_id, "body": body, "reserved_count": reserved_count}
            answer_json(exchange, {"message": shown})

        return handle

    def acknowledging(self, handler: Handler) -> Handler:
        """A handler that deletes a message: here a subscriber may do so, who has answered with 202."""

        def handle(exchange: Exchange) -> None:
            said = read_json(exchange.request.body, _acknowledgement)
            if not said.subscriber_name:
                handler(exchange)
                return
            push_queue = self._push_queue(exchange)
            answer = partial(answer_when_durable, exchange, {"msg": "Deleted"})
            message_id = exchange.request.parameters["message"]
            try:
                push_queue.acknowledge(message_id, said.reservation_id or "", said.subscriber_name, answer)
            except NotHeldError:
                raise HttpError(403, "not-reserved", "Reservation timed out") from None

        return handle

    def clearing(self, handler: Handler) -> Handler:
        """A handler that deletes messages: here all of a push queue, if the request names none."""

        def handle(exchange: Exchange) -> None:
            push_queue = self._pusher.get(existing_queue(exchange).name)
            if push_queue is None or read_json(exchange.request.body, _deletions).ids is not None:
                handler(exchange)
            else:
                exchange.start(partial(self._clear, exchange, push_queue))

        return handle

    async def _clear(self, exchange: Exchange, push_queue: PushQueue) -> None:
        push_queue.clear()
        for name in (push_queue.tried_name, push_queue.name):
            queue = self._node.queues.get(name)
            if queue is not None:
                await clear_queue(self._node, queue)
        answer_when_durable(exchange, {"msg": "Cleared"})

    def get_statuses(self, exchange: Exchange) -> None:
        """How a message stands with its subscribers."""
        message_id = exchange.request.parameters["message"]
        result = self._push_queue(exchange).result(message_id)
        if result is None:
            exchange.start(partial(self._get_statuses, exchange))
        else:
            self._answer_statuses(exchange, result.tries)

    async def _get_statuses(self, exchange: Exchange) -> None:
        """Of a message that was not pushed yet; raises HttpError: 404 where there is none."""
        queue, message_id = existing_queue(exchange), exchange.request.parameters["message"]
        await record_of(self._node, queue, message_id)
        options = self._push_queue(exchange).options
        names = [subscriber.name for subscriber in options.subscribers]
        self._answer_statuses(exchange, Tries.begin(message_id, names))

    def _answer_statuses(self, exchange: Exchange, tries: Tries) -> None:
        push = settings_of(existing_queue(exchange)).push
        assert push is not None
        urls = {subscriber.name: subscriber.url for subscriber in push.subscribers}
        is_unicast = self._push_queue(exchange).options.type is PushType.UNICAST
        shown = []
        for name, one in tries.subscribers.items():
            if is_unicast and not one.reservation_id:
                continue  # it was not pushed to, and need not be if another one takes the message
            status = {
                "name": name,
                "url": urls.get(name, ""),
                "status": one.status,
                "status_code": one.status_code,
                "msg": one.text,
                "tries": one.tries,
                "retries_remaining": one.retries_remaining(push.retries),
            }
            shown.append(status | ({"last_try_at": time_text(one.last_try_ms)} if one.last_try_ms else {}))
        answer_json(exchange, {"subscribers": shown})

    def _push_queue(self, exchange: Exchange) -> PushQueue:
        push_queue = self._pusher.get(existing_queue(exchange).name)
        if push_queue is None:
            raise message_not_found()
        return push_queue

    # -- PushPort

    def message(self, queue: Queue, seq: int, record: bytes) -> PushMessage:
        """See `PushPort`."""
        try:
            headers = msgspec.json.decode(Headers(record).get(PUSH_HEADERS) or "{}", type=dict[str, str])
        except msgspec.DecodeError:  # it came by another protocol, whose clients may write what they like
            headers = {}
        return PushMessage(id_of(queue, seq, record), decode(record).body, headers)

    def acknowledge_url(self, queue: str, message_id: str) -> str:
        """See `PushPort`."""
        project, _, name = queue.partition("/")
        return f"{self._url}/3/projects/{quote(project, safe='')}/queues/{quote(name, safe='')}/messages/{message_id}"

    # --

    def _look_at(self, name: str) -> None:
        """A queue may have become a push queue, be another one, or be gone."""
        queue, push_queue = self._node.queues.get(name), self._pusher.get(name)
        options = None if queue is None else _options_of(queue)
        if queue is None or options is None:
            self._pusher.close(name)
            if _TRIED_PREFIX + name in self._node.queues:
                self._node.delete_queue(_TRIED_PREFIX + name)
            return
        if push_queue is None or not push_queue.is_open:
            push_queue = self._pusher.open(name, _TRIED_PREFIX + name)
        if push_queue.options != options:
            push_queue.configure(options)

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Outcome:
        if url.startswith(LOCAL_QUEUE):
            return await self._post_to_queue(url.removeprefix(LOCAL_QUEUE), body)
        return await self._client.post(url, headers, body, seconds)

    async def _post_to_queue(self, name: str, body: bytes) -> Outcome:
        durable = trio.Event()
        try:
            post(self._node, name, name.partition("/")[0], [NewMessage("")], [body])
        except (BrokerError, HttpError) as error:
            return Outcome(0, str(error))
        self._node.store.want()
        self._node.on_durable(durable.set)
        self._node.end_step()
        await durable.wait()
        return Outcome.answered(200)


def _options_of(queue: Queue) -> PushOptions | None:
    """What is set of a push queue; None for any other."""
    settings = settings_of(queue)
    push = settings.push
    if push is None:
        return None
    prefix = f"{queue.name.partition('/')[0]}/"
    subscribers = tuple(
        Subscriber(
            one.name,
            _full_url(one.url, prefix),
            one.headers,
            (read_secret(one.secret),) if one.secret else (),
        )
        for one in push.subscribers
    )
    error_queue = prefix + push.error_queue if push.error_queue else ""
    return PushOptions(PushType(settings.type), subscribers, push.retries, push.retries_delay, error_queue)


def _full_url(url: str, prefix: str) -> str:
    """As it is, but for a queue of the project: that is called by its full name from here on."""
    return LOCAL_QUEUE + prefix + unquote(url.removeprefix(LOCAL_QUEUE)) if url.startswith(LOCAL_QUEUE) else url


def _url_of(settings: Http) -> str:
    """Where subscribers find this broker: by the first of its names, or else by the first address it listens on."""
    if not settings.listen:
        return ""
    address = settings.listen[0]
    named = next((name for name in settings.host_names if name != "*"), "")
    host = socket.gethostname() if address.host in ("0.0.0.0", "::") else str(address).rpartition(":")[0]  # noqa: S104
    return f"http://{named or host}:{address.port}"
