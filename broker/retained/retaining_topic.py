"""A topic name whose messages are retained: each goes to the subscriptions that there are, and to later ones."""

from __future__ import annotations

from segue.broker.node import Node
from segue.broker.topic import Topic

__all__ = ["RetainingTopic"]


class RetainingTopic(Topic):
    """See the module.

    Durability: the message for durable subscriptions and the one that is retained are in one batch.
    """

    def __init__(self, node: Node, name: str) -> None:
        super().__init__(node.topics, name)
        self._retained = node.retained

    def check_room(self, messages: int, size: int) -> None:
        """Raises LimitReachedError when a message of so many bytes can't be retained."""
        self._retained.check_room(self.name, size)

    def publish_from(self, record: bytes, session_id: int) -> None:
        """See `Topic`. Whoever calls has asked `check_room`: nothing is refused here, where others may have theirs."""
        super().publish_from(record, session_id)
        self._retained.retain(self.name, record)
