"""The queues and topics that frames name, for one connection: declared where a client may, found where it may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segue.broker.errors import NotFoundError
from segue.broker.queue import Queue
from segue.broker.queue_options import DROP_OLDEST, REFUSE, QueueOptions
from segue.broker.topic import Topic
from segue.protocols.stomp.destination import Destination, DestinationKind
from segue.protocols.stomp.errors import quote
from segue.protocols.stomp.headers import QueueFlags

if TYPE_CHECKING:
    from segue.broker.session import Session
    from segue.protocols.stomp.session import StompSession

__all__ = ["Targets"]


class Targets:
    """See the module."""

    __slots__ = ("_node", "_stomp")

    def __init__(self, stomp: StompSession) -> None:
        self._stomp = stomp
        self._node = stomp.node

    @property
    def _session(self) -> Session:
        session = self._stomp.session
        assert session is not None
        return session

    def declare(self, name: str, flags: QueueFlags) -> Queue:
        """The queue of a name, made as `flags` ask if there is none."""
        auto_delete = bool(flags.auto_delete)
        options = QueueOptions(
            dead_letter=flags.dead_letter or "",
            delivery_limit=flags.delivery_limit or 0,
            message_ttl_ms=flags.message_ttl_ms,
            messages_max=flags.messages_max,
            bytes_max=flags.bytes_max,
            expires_ms=flags.expires_ms,
            single_active=bool(flags.single_active),
            overflow=None if flags.refuses is None else REFUSE if flags.refuses else DROP_OLDEST,
            priority_max=flags.priority_max or 0,
            deduplication_window_ms=flags.deduplication_window_ms,
            deduplication_ids_max=flags.deduplication_ids_max,
        )
        if flags.exclusive:
            return self._session.exclusive_queue(name, auto_delete=auto_delete, options=options)
        return self._node.declare_queue(
            name, auto_delete=auto_delete, durable=flags.durable is not False, options=options
        )

    def find(self, destination: Destination, text: str) -> Queue | Topic:
        """What a destination names; `text` is how the client wrote it.

        Raises:
            NotFoundError: there is none, and this does not make it.
        """
        kind, name = destination.kind, destination.name
        if kind is DestinationKind.QUEUE:
            return self._node.queue(name)
        if kind is DestinationKind.TOPIC:
            return self._node.topic(name)
        if kind is DestinationKind.EXISTING_QUEUE:
            return self._node.existing_queue(name)
        if kind is DestinationKind.TEMP_QUEUE:
            return self._session.temporary_queue(name)
        if kind is DestinationKind.REPLY_QUEUE and (queue := self._node.temporary.get(name)) is not None:
            return queue
        raise NotFoundError(f"'{quote(text)}': there is no such {kind.value}")
