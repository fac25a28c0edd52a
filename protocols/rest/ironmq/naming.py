"""Projects and queues: what a queue of a project is called in the broker.

Projects are kept apart by their names: the queue `tasks` of a project is `PROJECT/tasks` for everybody else, so that
clients of other protocols can reach it (docs/adr/0044).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from segue.broker.names import InvalidNameError, check_queue_name, normal
from segue.protocols.http import Exchange, HttpError

if TYPE_CHECKING:
    from segue.broker.queue import Queue

__all__ = ["existing_queue", "full_name", "named_queue", "prefix_of", "queue_not_found"]

_QUEUE_NOT_FOUND: Final = "Queue not found"
"""Go's client compares with exactly this."""


def prefix_of(exchange: Exchange) -> str:
    """What the names of all queues of the project begin with that a request is about."""
    return normal(exchange.request.parameters["project"]) + "/"


def full_name(exchange: Exchange, name: str) -> str:
    """The name of a queue of the request's project, as the broker has it.

    Raises:
        HttpError: 400: nothing may be called so.
    """
    try:
        return check_queue_name(prefix_of(exchange) + name, lists=False)
    except InvalidNameError as error:
        raise HttpError(400, "bad-name", f"A queue can't have this name: {error.reason}") from error


def named_queue(exchange: Exchange) -> str:
    """The full name of the queue that a request is about. Raises HttpError: 400."""
    parameters = exchange.request.parameters
    name = f"{parameters['project']}/{parameters['queue']}"
    # To look at each character takes 20 us, and what a queue has been called is a name.
    return name if name in exchange.node.queues else full_name(exchange, parameters["queue"])


def existing_queue(exchange: Exchange) -> Queue:
    """The queue that a request is about. Raises HttpError: 404."""
    try:
        queue = exchange.node.queues.get(named_queue(exchange))
    except HttpError:
        queue = None
    if queue is None:
        raise queue_not_found()
    return queue


def queue_not_found() -> HttpError:
    """The answer for a queue that is not there."""
    return HttpError(404, "queue-not-found", _QUEUE_NOT_FOUND)
