"""What an operator sees of a node: plain values, for the control socket and whatever else shows them. Read-only.

Every function looks at a node in one step of the event loop. The lists are generators, so that whoever sends ten
thousand rows can let others have their turn between them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, Final

from segue import broker
from segue.broker.deduplication.queue import IDS_MAX, WINDOW_MS
from segue.broker.policies import SUBSCRIPTION_OPTIONS, Source
from segue.broker.queue import Queue, QueueStatistics
from segue.broker.queue_options import DROP_OLDEST

if TYPE_CHECKING:
    from segue.broker.consumer import Consumer
    from segue.broker.node import Node
    from segue.broker.policies import Claim
    from segue.broker.rates import RateMeter
    from segue.broker.topic import DurableSubscription

__all__ = [
    "connections",
    "describe_queue",
    "durable_subscriptions",
    "explain_queue",
    "queue_row",
    "state",
    "status",
    "topics",
]


_UNSAID: Final = {
    "overflow": DROP_OLDEST,
    "deduplication_window_ms": WINDOW_MS,
    "deduplication_ids_max": IDS_MAX,
}
_COLUMNS: Final = tuple(column.name for column in fields(QueueStatistics))


def status(node: Node, meter: RateMeter) -> dict[str, Any]:
    """The whole broker at this moment: `state`, and messages a second."""
    return {**state(node), "rates": meter.totals}


def state(node: Node) -> dict[str, Any]:
    """The whole broker at this moment."""
    now_ms = node.clock.now_ms()
    pressure = node.pressure
    return {
        "version": broker.__version__,
        "pid": os.getpid(),
        "started_ms": node.clock.on_wall(node.started_ms),
        "uptime_seconds": max(0.0, (now_ms - node.started_ms) / 1000),
        "stopping": node.stopping,
        "data_directory": str(node.settings.storage.data_directory.absolute()),
        "memory": {
            "resident_bytes": _resident_bytes(),
            "messages_bytes": node.store.hot_bytes,
            "output_bytes": pressure.output_bytes,
            "transactions_bytes": pressure.transaction_bytes,
            "retained_bytes": node.retained.bytes,
            "receiving_bytes": node.receiving.bytes,
            "aside_bytes": pressure.aside_bytes,
            "deduplication_bytes": node.deduplication.bytes,
            "high_water_bytes": node.settings.memory.high_water_bytes,
        },
        "disk": {
            "free_bytes": pressure.free_bytes,
            "free_bytes_min": node.settings.storage.disk_free_bytes_min,
        },
        "pressure": {
            "publishers_held": node.held,
            "reasons": list(pressure.reasons),
            "held_since_ms": pressure.held_since_ms,
        },
        "journal": _journal(node),
        "checkpoints": {"done": node.store.checkpoints, "fault": node.store.checkpoint_fault},
        "recovery": asdict(node.store.recovery),
        "counts": {
            "connections": len(node.sessions),
            "queues": len(node.queues),
            "temporary_queues": len(node.temporary),
            "durable_subscriptions": len(node.topics.durables()),
            "dropped_messages": node.topics.dropped,
            "retained_messages": len(node.retained),
        },
        "schedule": {"delayed": node.schedule.size, "counted": node.schedule.census.complete},
        "logins": asdict(node.users.statistics()),
        "log": asdict(node.log.statistics()),
        **{name: tell() for name, tell in node.states.items()},
    }


def queue_row(node: Node, queue: Queue, meter: RateMeter) -> dict[str, Any]:
    """A queue as `segue queue list` shows it: `QueueStatistics`, the age of its oldest message, and rates a second."""
    statistics = queue.statistics()
    row = {name: getattr(statistics, name) for name in _COLUMNS}  # `asdict` copies deeply, which takes most of the time
    oldest_ms = statistics.oldest_ms
    row["oldest_ms"] = node.clock.on_wall(oldest_ms) if oldest_ms else 0
    row["oldest_age_seconds"] = max(0.0, (node.clock.now_ms() - oldest_ms) / 1000) if oldest_ms else None
    row["rates"] = meter.of(queue)
    return row


def describe_queue(node: Node, queue: Queue, meter: RateMeter) -> dict[str, Any]:
    """A queue with its consumers, and what was set aside."""
    row = queue_row(node, queue, meter)
    row["log"] = queue.log.id
    row["created_ms"] = queue.definition.get("created_ms", 0)
    row["auto_delete"] = queue.auto_delete
    row["exclusive_to"] = queue.owner or None
    row["bindings"] = list(queue.definition.get("bindings", ()))
    row["remembered_ids"], row["remembered_producers"] = _remembered(queue)
    row["options"] = asdict(queue.options)
    row["waiting_bytes"] = None if queue.bound is None else queue.bound.bytes
    row["fault"] = queue.cursor.fault
    row["set_aside"] = [
        {"first": first, "last": last, "reason": reason} for first, last, reason in queue.cursor.quarantined
    ]
    row["levels"] = _levels(queue)
    active = queue.dispatcher.line.active
    row["consumed_by"] = [_consumer(node, consumer, active) for consumer in queue.dispatcher.consumers]
    return row


def _remembered(queue: Queue) -> tuple[int, int]:
    """How many deduplication ids, and producers."""
    remembered = queue.deduplication
    return (0, 0) if remembered is None else (len(remembered.ids or ()), len(remembered.producers or ()))


def _levels(queue: Queue) -> list[dict[str, Any]]:
    """What waits in each level of a queue with priorities, the highest first; none where it never had any."""
    return [
        {"level": level.rank if level.rank >= 0 else None, "log": level.cursor.log.id, "ready": level.cursor.ready}
        for level in queue.levels or ()
    ]


def explain_queue(node: Node, queue: Queue) -> dict[str, Any]:
    """Which value each option of a queue has, who says so, and which policies would have said something else."""
    verdicts = node.policies.verdicts(queue.name, queue.declared)
    return {
        "queue": queue.name,
        "options": [
            {
                "option": verdict.option,
                **_claim(verdict.claim),
                **_unsaid(verdict.option, verdict.claim.value),
                "overruled": [_claim(one) for one in verdict.overruled],
            }
            for verdict in verdicts
        ],
    }


def topics(node: Node) -> Iterator[dict[str, Any]]:
    """Every pattern that somebody subscribes to."""
    for pattern, subscribers, durable, dropped in node.topics.topics():
        yield {
            "pattern": pattern,
            "subscribers": subscribers,
            "durable_subscriptions": durable,
            "dropped": dropped,
        }


def durable_subscriptions(node: Node) -> Iterator[dict[str, Any]]:
    """Every durable subscription, by name."""
    for subscription in sorted(node.topics.durables(), key=lambda one: one.name):
        yield _durable(subscription)


def connections(node: Node) -> Iterator[dict[str, Any]]:
    """Every connection that has logged in, in the order of their arrival."""
    for session in list(node.sessions.values()):
        row = session.statistics()
        row["client_id"] = session.client_id
        row["subscribed_to"] = [subscription.source.name for subscription in session.subscriptions]
        yield row


def _durable(subscription: DurableSubscription) -> dict[str, Any]:
    cursor, dispatcher = subscription.cursor, subscription.dispatcher
    return {
        "name": subscription.name,
        "pattern": subscription.pattern,
        "log": cursor.log.id,
        "ready": cursor.ready,
        "returned": len(cursor.returned),
        "in_flight": dispatcher.in_flight,
        "consumers": len(dispatcher.consumers),
        "delivered": dispatcher.delivered,
        "acknowledged": dispatcher.acknowledged,
        "quarantined": len(cursor.quarantined),
        "dead_lettered": dispatcher.dead_lettered,
        "discarded": dispatcher.discarded,
        "expired": dispatcher.expired,
        "dropped": dispatcher.dropped,
        "options": {name: getattr(subscription.options, name) for name in SUBSCRIPTION_OPTIONS},
    }


def _unsaid(option: str, value: object) -> dict[str, Any]:
    """What is in force where nobody says anything, and that is not nothing."""
    return {"value": _UNSAID[option]} if value is None and option in _UNSAID else {}


def _claim(claim: Claim) -> dict[str, Any]:
    is_policy = claim.source is Source.POLICY
    return {
        "value": claim.value,
        "from": claim.source.value,
        "policy": claim.policy if is_policy else None,
        "priority": claim.priority if is_policy else None,
        "was_set": claim.was_set if is_policy else None,
    }


def _consumer(node: Node, consumer: Consumer, active: Consumer | None) -> dict[str, Any]:
    session = node.sessions.get(consumer.session_id)
    return {
        "connection": consumer.session_id,
        "user": session.user if session else "",
        "peer": session.peer if session else "",
        "prefetch": consumer.prefetch if consumer.settles else None,
        "in_flight": len(consumer.unacknowledged),
        "output_full": consumer.sink.blocked,
        "stands_by": active is not None and consumer is not active,
        "exclusive": consumer.exclusive,
        "rank": consumer.rank,
        "selector": "" if consumer.selector is None else consumer.selector.text,
    }


def _journal(node: Node) -> dict[str, Any]:
    journal = node.store.journal
    return {
        "position": journal.position,
        "oldest": journal.oldest,
        "syncs": journal.syncs,
        "commit_seconds": node.alarms.commit_seconds,
        "bytes_written": journal.bytes_written,
        "short_of_space": journal.short_of_space,
    }


def _resident_bytes() -> int:
    """What the kernel counts for this process; 0 where it does not say."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
