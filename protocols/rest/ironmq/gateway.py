"""What is served under `/3/projects/{project}/`: the table of paths and methods.

Some clients can't send PATCH and DELETE: they POST, and say in `X-HTTP-Method-Override` what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from segue.protocols.http import Exchange, HttpError, Route, Routes
from segue.protocols.rest.ironmq import alert_requests, messages, queues, reservations, subscribers
from segue.protocols.rest.ironmq.alerts import Alerts
from segue.protocols.rest.ironmq.answers import render_error
from segue.protocols.rest.ironmq.pushing import Pushing
from segue.protocols.rest.ironmq.token import with_token

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.protocols.http.routes import Handler

__all__ = ["mount"]

_QUEUES: Final = "/3/projects/{project}/queues"
_QUEUE: Final = f"{_QUEUES}/{{queue}}"
_MESSAGE: Final = f"{_QUEUE}/messages/{{message}}"

_TABLE: Final[Mapping[str, Mapping[str, Handler]]] = {
    _QUEUES: {"GET": queues.list_queues},
    _QUEUE: {
        "PUT": queues.put_queue,
        "GET": queues.get_queue,
        "PATCH": queues.patch_queue,
        "DELETE": queues.delete_queue,
    },
    f"{_QUEUE}/messages": {
        "POST": messages.post_messages,
        "GET": messages.peek_messages,
        "DELETE": messages.delete_messages,
    },
    f"{_QUEUE}/webhook": {"POST": messages.post_webhook},
    f"{_QUEUE}/reservations": {"POST": reservations.reserve_messages},
    f"{_QUEUE}/subscribers": {
        "POST": subscribers.add_subscribers,
        "PUT": subscribers.replace_subscribers,
        "DELETE": subscribers.remove_subscribers,
    },
    f"{_QUEUE}/alerts": {
        "POST": alert_requests.add_alerts,
        "PUT": alert_requests.replace_alerts,
        "DELETE": alert_requests.remove_alerts,
    },
    f"{_QUEUE}/alerts/{{alert}}": {"DELETE": alert_requests.remove_alert},
    _MESSAGE: {"GET": messages.get_message, "DELETE": messages.delete_message},
    f"{_MESSAGE}/touch": {"POST": reservations.touch_message},
    f"{_MESSAGE}/release": {"POST": reservations.release_message},
}
_CHANGING: Final = frozenset(
    {
        *(queues.put_queue, queues.patch_queue, messages.post_messages, messages.post_webhook),
        *(messages.delete_message, messages.delete_messages),
        *(alert_requests.add_alerts, alert_requests.replace_alerts),
    }
)
"""What changes the size of a queue, or its alerts. That a reservation is made, or is over, does not."""
_OVERRIDES: Final = frozenset({"PATCH", "DELETE"})


def mount(node: Node, routes: Routes) -> None:
    """See `segue.protocols.http.server.Mount`."""
    alerts, pushing = Alerts(node), Pushing(node)
    routes.services += [alerts.serve, pushing.serve]
    of_push = _of_push(pushing)

    def wrapped(handler: Handler) -> Handler:
        watched = alerts.watching(handler) if handler in _CHANGING else handler
        return of_push[handler](watched) if handler in of_push else watched

    table = {**_TABLE, f"{_MESSAGE}/subscribers": {"GET": pushing.get_statuses}}
    for path, handlers in table.items():
        served = {method: wrapped(handler) for method, handler in handlers.items()}
        if not _OVERRIDES.isdisjoint(served):
            served = {**served, "POST": _by_override(served)}
        for method, handler in served.items():
            routes.add(Route(method, path, with_token(handler), render_error))


def _of_push(pushing: Pushing) -> dict[Handler, Callable[[Handler], Handler]]:
    """What is done otherwise, or besides, where it is for a push queue."""
    configuring = (
        *(queues.put_queue, queues.patch_queue, queues.delete_queue),
        *(subscribers.add_subscribers, subscribers.replace_subscribers, subscribers.remove_subscribers),
    )
    return {
        **dict.fromkeys(configuring, pushing.watching),
        messages.get_message: pushing.showing,
        messages.delete_message: pushing.acknowledging,
        messages.delete_messages: pushing.clearing,
    }


def _by_override(handlers: Mapping[str, Handler]) -> Handler:
    """What a POST means: what the method in its header means, or itself."""

    def handle(exchange: Exchange) -> None:
        override = exchange.request.headers.get("x-http-method-override", "POST").upper()
        handler = handlers.get(override) if override in _OVERRIDES or override == "POST" else None
        if handler is None:
            raise HttpError(405, "method-not-allowed", f"{override} is not possible here")
        handler(exchange)

    return handle
