"""The queues and topics that requests name in their paths and bodies.

In a path a slash in a name is `~1` and a tilde `~0`, as in JSON pointers: what `%2F` means in a path, proxies and
servers don't agree about, and the server takes none. In a body a name stands as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from segue.broker.errors import InUseError
from segue.broker.names import InvalidNameError, check_queue_name, check_topic_name, normal
from segue.broker.queue import Queue
from segue.protocols.rest.v1.problems import ProblemError

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = [
    "QueueName",
    "QueueNamed",
    "TopicName",
    "TopicNamed",
    "existing_queue",
    "queue_called",
    "queue_name",
    "topic_name",
]

QueueName = Annotated[
    str, Meta(min_length=1, description="The name of a queue; `~1` stands for a slash in it, `~0` for a tilde.")
]
TopicName = Annotated[
    str, Meta(min_length=1, description="The name of a topic: words, separated by dots; `~1` and `~0` as with queues.")
]


class QueueNamed(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of what is done with a queue."""

    queue: QueueName


class TopicNamed(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of what is done with a topic."""

    topic: TopicName


def existing_queue(node: Node, given: str) -> Queue:
    """The queue of a name.

    Raises:
        NotFoundError: there is none.
        InUseError: it belongs to a connection.
    """
    return queue_called(node, _unescape(given))


def queue_called(node: Node, name: str) -> Queue:
    """The queue of a name that a body says, as it is. Raises as `existing_queue`."""
    queue = node.existing_queue(normal(name))
    if queue.exclusive:
        raise InUseError(f"queue '{queue.name}' belongs to a connection")
    return queue


def queue_name(node: Node, given: str) -> str:
    """The name of a queue that is there, whatever it is called, or of one that can be made.

    Raises:
        ProblemError: nothing can be called so.
    """
    name = _unescape(given)
    found = normal(name)
    return found if found in node.queues else _checked(check_queue_name, name, "queue")


def topic_name(given: str) -> str:
    """The name of a topic that can be published to. Raises ProblemError: it is none."""
    return _checked(check_topic_name, _unescape(given), "topic")


def _unescape(name: str) -> str:
    return name.replace("~1", "/").replace("~0", "~")


def _checked(check: Callable[[str], str], given: str, parameter: str) -> str:
    try:
        return check(given)
    except InvalidNameError as failure:
        text = f"'{given[:100]}' is no name of a {parameter}: {failure.reason}"
        raise ProblemError("invalid-parameter", text, parameter=parameter) from None
