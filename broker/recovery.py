"""What a node makes of the logs that the store has recovered: queues, topics, the schedule, and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segue.broker.clock_watch import KIND as CLOCK
from segue.broker.deduplication import COMPANION_KIND
from segue.broker.levels import levels_of
from segue.broker.marks import unmark
from segue.broker.policy_book import KIND as POLICY
from segue.broker.queue import Queue
from segue.broker.retained.retained import KIND as RETAINED
from segue.broker.schedule.schedule import SCHEDULE_KINDS
from segue.storage.api import Log

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["take_up"]


def take_up(node: Node) -> None:
    """Fill a node that has nothing yet. The clock and policies come first: they say what queues do."""
    for log in [log for log in node.store.logs.values() if log.definition.get("durable") is False]:
        node.store.drop_log(log)
    logs = list(node.store.logs.values())
    node.policy_book.recover([log for log in logs if log.definition.get("kind") == POLICY])
    for log in logs:
        if log.definition.get("kind") == COMPANION_KIND:
            node.deduplication.found(log)
        elif log.definition.get("kind") == CLOCK:
            node.clock_watch.take_up(log)
    levels = levels_of(logs)
    for log in logs:
        definition = log.definition
        if definition.get("kind") == "queue":
            _take_up_queue(node, log, levels.pop(str(definition["name"]), []))
        elif definition.get("kind") == "topic":
            node.topics.recovered(log, definition, node.settings.limits.queue_in_flight_max)
        elif definition.get("kind") == RETAINED:
            node.retained.take_up(log)
        elif definition.get("kind") in SCHEDULE_KINDS:
            node.schedule.take_up(log)
    for name, of_queue in levels.items():  # a salvage has lost the rest of these queues
        queue = node.queues[name] = node.make_queue(name, {})
        queue.take_up(of_queue)
        node.apply_policies(queue)
    node.deduplication.drop_orphans()


def _take_up_queue(node: Node, log: Log, levels: list[Log]) -> None:
    definition = log.definition
    # A topic marks the queues that are bound to it once in its life, whatever becomes of them.
    if not definition.get("bindings") and all(one.cursors[0].low() == one.head for one in (log, *levels)):
        unmark(node.store, log)
    queue = Queue(node, str(definition["name"]), log, log.cursors[0], node.settings.limits.queue_in_flight_max)
    queue.auto_delete = bool(definition.get("auto_delete"))
    queue.take_up(levels)
    queue.deduplication = node.deduplication.of_queue(log, queue.options)
    node.apply_policies(queue)
    node.queues[queue.name] = queue
    node.jobs.recovered(queue)
    for pattern in definition.get("bindings", ()):
        node.topics.bind(str(pattern), queue)
