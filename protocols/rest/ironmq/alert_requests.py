"""Alerts of queues: added, replaced, removed. Older clients do it here, and not by changing the queue."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from segue.protocols.http import Exchange, HttpError
from segue.protocols.rest.ironmq.alerts import alert_id
from segue.protocols.rest.ironmq.answers import answer_when_durable
from segue.protocols.rest.ironmq.naming import existing_queue
from segue.protocols.rest.ironmq.queue_settings import Alert, QueueChange, change_queue, settings_of
from segue.protocols.rest.json_body import read_json

__all__ = ["add_alerts", "remove_alert", "remove_alerts", "replace_alerts"]


class _Alerts(Struct):
    alerts: tuple[Alert, ...]


class _Named(Struct):
    """An alert that is to be removed: by its id, or by what tells it from others."""

    id: str = ""
    type: str = ""
    direction: str = "asc"
    trigger: int = 0


class _Names(Struct):
    alerts: tuple[_Named, ...] | None = None


class _Removal(Struct):
    alerts: tuple[_Named, ...] | None = None
    queue: _Names | None = None


_alerts: Final = msgspec.json.Decoder(_Alerts)
_removal: Final = msgspec.json.Decoder(_Removal)


def add_alerts(exchange: Exchange) -> None:
    """Alerts besides those that are there."""
    said = read_json(exchange.request.body, _alerts).alerts
    _change(exchange, (*settings_of(existing_queue(exchange)).alerts, *said), "Alerts were added.")


def replace_alerts(exchange: Exchange) -> None:
    """These, and no others."""
    said = read_json(exchange.request.body, _alerts).alerts
    _change(exchange, said, "Alerts were replaced.")


def remove_alerts(exchange: Exchange) -> None:
    """Those that are named; all, if none is."""
    said = read_json(exchange.request.body, _removal)
    named = said.alerts if said.alerts is not None else said.queue.alerts if said.queue is not None else None
    before = settings_of(existing_queue(exchange)).alerts
    kept = () if named is None else tuple(one for one in before if not any(_is_named(one, name) for name in named))
    _change(exchange, kept, "Alerts were deleted.")


def remove_alert(exchange: Exchange) -> None:
    """One by its id."""
    before = settings_of(existing_queue(exchange)).alerts
    kept = tuple(one for one in before if alert_id(one) != exchange.request.parameters["alert"])
    if len(kept) == len(before):
        raise HttpError(404, "alert-not-found", "Alert not found")
    _change(exchange, kept, "Alerts were deleted.")


def _change(exchange: Exchange, alerts: tuple[Alert, ...], done: str) -> None:
    change_queue(existing_queue(exchange), exchange.request.parameters["project"], QueueChange(alerts=alerts))
    answer_when_durable(exchange, {"msg": done})


def _is_named(alert: Alert, name: _Named) -> bool:
    if name.id:
        return alert_id(alert) == name.id
    return (alert.type, alert.direction, alert.trigger) == (name.type, name.direction, name.trigger)
