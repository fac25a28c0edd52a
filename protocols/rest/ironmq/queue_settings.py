"""What a queue is set to in the words of IronMQ, and where that is kept.

What Segue has options for (`QueueOptions`: expiration, dead letters) is set by them, and holds for everybody. The rest
concerns this gateway alone; it stands in the definition of the queue's log under `ironmq`, and so is durable with it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import unquote

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from segue.broker.names import InvalidNameError, check_queue_name
from segue.broker.queue_options import QueueOptions
from segue.protocols.http import HttpError
from segue.protocols.push.signing import InvalidSecretError, read_secret
from segue.protocols.push.target import InvalidTargetError, Target

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.broker.queue import Queue

__all__ = [
    "DEFAULT_EXPIRATION",
    "DEFAULT_TIMEOUT",
    "LOCAL_QUEUE",
    "Alert",
    "Push",
    "PushChange",
    "QueueChange",
    "QueueSettings",
    "Subscriber",
    "change_queue",
    "new_queue",
    "settings_of",
    "show_queue",
]

DEFAULT_TIMEOUT: Final = 60
DEFAULT_EXPIRATION: Final = 604_800
"""Seconds, as the next ones."""
_MAX_RESERVATIONS: Final = 10
_RETRIES: Final = 3
_RETRIES_DELAY: Final = 60

Type: TypeAlias = Literal["pull", "multicast", "unicast"]
_Retries: TypeAlias = Annotated[int, Meta(ge=0, le=100)]
_RetriesDelay: TypeAlias = Annotated[int, Meta(ge=3, le=86_400)]


class Subscriber(Struct, frozen=True, omit_defaults=True):
    """Whom a push queue pushes to."""

    name: str
    url: str = ""
    headers: dict[str, str] = {}
    secret: str = ""
    """That its messages are signed with (Standard Webhooks); IronMQ has none."""


class Push(Struct, frozen=True):
    """How a push queue pushes."""

    subscribers: tuple[Subscriber, ...] = ()
    retries: int = _RETRIES
    retries_delay: int = _RETRIES_DELAY
    error_queue: str = ""


class Alert(Struct, frozen=True, kw_only=True):
    """A message that is posted to another queue when this one has a certain size."""

    type: Literal["fixed", "progressive"]
    trigger: Annotated[int, Meta(ge=1)]
    queue: str
    direction: Literal["asc", "desc"] = "asc"
    snooze: Annotated[int, Meta(ge=0)] = 0


class QueueSettings(Struct, frozen=True, omit_defaults=True):
    """What this gateway alone knows of a queue."""

    type: Type = "pull"
    message_timeout: int = DEFAULT_TIMEOUT
    push: Push | None = None
    alerts: tuple[Alert, ...] = ()


class PushChange(Struct, frozen=True):
    """What a request says of `push`; what it leaves out stays."""

    subscribers: tuple[Subscriber, ...] | UnsetType | None = UNSET
    retries: _Retries | UnsetType | None = UNSET
    retries_delay: _RetriesDelay | UnsetType | None = UNSET
    error_queue: str | UnsetType | None = UNSET


class DeadLetterChange(Struct, frozen=True):
    """What a request says of `dead_letter`."""

    queue_name: str
    max_reservations: Annotated[int, Meta(ge=1, le=1000)] = _MAX_RESERVATIONS


class QueueChange(Struct, frozen=True):
    """What a request says of a queue; what it leaves out stays, or is the default of a new one."""

    type: Type | UnsetType | None = UNSET
    message_timeout: Annotated[int, Meta(ge=1, le=86_400)] | UnsetType | None = UNSET
    message_expiration: Annotated[int, Meta(ge=1, le=2_592_000)] | UnsetType | None = UNSET
    push: PushChange | UnsetType | None = UNSET
    dead_letter: DeadLetterChange | UnsetType | None = UNSET
    alerts: tuple[Alert, ...] | UnsetType | None = UNSET


LOCAL_QUEUE: Final = "ironmq:///"
"""What the URL of a subscriber begins with that is another queue of the project."""
_ALERTS_MAX: Final = 5
_KEY: Final = "ironmq"


def settings_of(queue: Queue) -> QueueSettings:
    """What a queue is set to; the defaults for one that was made by another protocol's door."""
    kept = queue.definition.get(_KEY)
    return msgspec.convert(kept, QueueSettings) if kept else _DEFAULTS


def new_queue(node: Node, name: str, project: str, change: QueueChange) -> Queue:
    """Make a queue. Durable with the open batch.

    Raises:
        HttpError: 400: the settings contradict each other.
        LimitReachedError: there may be no more queues.
    """
    settings = _changed(_DEFAULTS, change, is_new=True)
    _check_push(settings.push, name, project)
    options = _with_options(QueueOptions(message_ttl_ms=DEFAULT_EXPIRATION * 1000), change, settings, name, project)
    queue = node.declare_queue(name, options=options)
    _keep(queue, settings, options)
    return queue


def change_queue(queue: Queue, project: str, change: QueueChange) -> None:
    """Change what is said, and nothing else. Durable with the open batch.

    Raises:
        HttpError: 403: the type can't be changed; 400: the settings contradict each other.
    """
    before = settings_of(queue)
    settings = _changed(before, change, is_new=False)
    _check_push(settings.push, queue.name, project)
    options = _with_options(QueueOptions(**queue.declared), change, settings, queue.name, project)
    _keep(queue, settings, options)


def show_queue(queue: Queue, name: str, project: str) -> dict[str, Any]:
    """The settings as answers have them; what does not apply is left out."""
    settings, options = settings_of(queue), queue.options
    # Two clients read an `id`, which IronMQ's documentation does not have.
    shown: dict[str, Any] = {"project_id": project, "id": str(queue.log.id), "name": name, "type": settings.type}
    shown["message_timeout"] = settings.message_timeout
    if options.message_ttl_ms is not None:
        shown["message_expiration"] = options.message_ttl_ms // 1000
    if settings.push is not None:
        shown["push"] = msgspec.to_builtins(settings.push)
        for subscriber in shown["push"]["subscribers"]:
            subscriber.pop("secret", None)
    if options.dead_letter and options.delivery_limit:
        target = options.dead_letter.removeprefix(f"{project}/")
        shown["dead_letter"] = {"queue_name": target, "max_reservations": options.delivery_limit}
    if settings.alerts:
        shown["alerts"] = msgspec.to_builtins(settings.alerts)
    return shown


def _keep(queue: Queue, settings: QueueSettings, options: QueueOptions) -> None:
    definition = {key: value for key, value in queue.definition.items() if key not in (_KEY, "options")}
    if said := options.as_definition():
        definition["options"] = said
    if settings != _DEFAULTS:
        definition[_KEY] = msgspec.to_builtins(settings)
    if definition != queue.definition:
        queue.node.store.redefine(queue.log, definition)
        queue.node.apply_policies(queue)


def _changed(before: QueueSettings, change: QueueChange, *, is_new: bool) -> QueueSettings:
    kind = change.type or (before.type if not is_new or not change.push else "multicast")
    if not is_new and kind != before.type:
        raise HttpError(403, "queue-type", "The type of a queue can't be changed")
    push = _changed_push(before.push, change.push, kind) if change.push or kind != "pull" else None
    alerts = before.alerts if not isinstance(change.alerts, tuple) else _checked_alerts(change.alerts)
    if alerts and kind != "pull":
        raise HttpError(400, "push-queue", "Push queues do not support alerts.")
    return QueueSettings(kind, change.message_timeout or before.message_timeout, push, alerts)


def _changed_push(before: Push | None, change: PushChange | UnsetType | None, kind: Type) -> Push:
    if kind == "pull":
        raise HttpError(400, "pull-queue", "A pull queue has no push settings")
    push = before or Push()
    if change:
        said = {name: getattr(change, name) for name in change.__struct_fields__}
        push = msgspec.structs.replace(push, **{k: v for k, v in said.items() if v is not UNSET and v is not None})
    check_subscribers(push.subscribers)
    return push


def check_subscribers(subscribers: tuple[Subscriber, ...]) -> None:
    """Raises HttpError: 400: they can't be those of a push queue."""
    if not subscribers:
        raise HttpError(400, "no-subscribers", "A push queue must have a subscriber")
    names = [subscriber.name for subscriber in subscribers]
    if len(set(names)) < len(names):
        raise HttpError(400, "duplicate-subscriber", "Two subscribers have the same name")
    for subscriber in subscribers:
        if not subscriber.url.startswith(LOCAL_QUEUE):
            _check_endpoint(subscriber)


def _check_endpoint(subscriber: Subscriber) -> None:
    try:
        Target.parse(subscriber.url)
    except InvalidTargetError as error:
        raise HttpError(400, "bad-url", f"The URL of the subscriber '{subscriber.name}' {error}") from None
    try:
        if subscriber.secret:
            read_secret(subscriber.secret)
    except InvalidSecretError as error:
        raise HttpError(400, "bad-secret", f"Subscriber '{subscriber.name}': {error}") from None


def _check_push(push: Push | None, name: str, project: str) -> None:
    """The queues that a push queue names have to be possible, and others: what it pushed to itself would never end."""
    if push is None:
        return
    local = [one.url for one in push.subscribers if one.url.startswith(LOCAL_QUEUE)]
    targets = [unquote(url.removeprefix(LOCAL_QUEUE)) for url in local] + [push.error_queue] * bool(push.error_queue)
    for target in targets:
        try:
            found = check_queue_name(f"{project}/{target}")
        except InvalidNameError as error:
            raise HttpError(400, "bad-name", f"A queue can't have this name: {error.reason}") from None
        if found == name or not target:
            raise HttpError(400, "push-loop", "The subscriber or error queue of a push queue is another queue")


def _checked_alerts(alerts: tuple[Alert, ...]) -> tuple[Alert, ...]:
    if len(alerts) > _ALERTS_MAX:
        raise HttpError(400, "too-many-alerts", f"A queue has at most {_ALERTS_MAX} alerts")
    if len({(alert.type, alert.direction, alert.trigger) for alert in alerts}) < len(alerts):
        raise HttpError(400, "duplicate-alert", "At least one new alert duplicates current queue alerts.")
    return alerts


def _with_options(
    options: QueueOptions, change: QueueChange, settings: QueueSettings, name: str, project: str
) -> QueueOptions:
    if change.message_expiration:
        options = replace(options, message_ttl_ms=change.message_expiration * 1000)
    dead_letter = change.dead_letter
    if not dead_letter:
        return options
    if settings.type != "pull":
        raise HttpError(400, "push-queue", "Push queues have no dead letter queue")
    if not dead_letter.queue_name:
        if not options.dead_letter:
            raise HttpError(400, "no-dead-letter", "This queue has no dead letter queue to be removed")
        return replace(options, dead_letter="", delivery_limit=0)
    target = f"{project}/{dead_letter.queue_name}"
    if target == name:
        raise HttpError(400, "dead-letter-loop", "A queue can't be its own dead letter queue")
    return replace(options, dead_letter=target, delivery_limit=dead_letter.max_reservations)


_DEFAULTS: Final = QueueSettings()
