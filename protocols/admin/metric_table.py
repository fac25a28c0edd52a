"""Every metric: its name, what it means, and where its value is found. docs/reference/metrics.md says the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from segue.broker.queue import QueueStatistics
from segue.protocols.admin.openmetrics import Family, Kind, Value

__all__ = ["BROKER", "QUEUES", "BrokerMetric", "QueueMetric", "State"]

State: TypeAlias = Mapping[str, Any]
"""What `segue.broker.inspect.state` gives, with `messages` (sums over all queues) and `process` besides."""


class BrokerMetric(NamedTuple):
    """One of the broker as a whole."""

    family: Family
    value: Callable[[State], Value]


class QueueMetric(NamedTuple):
    """One that each queue has."""

    family: Family
    value: Callable[[QueueStatistics], Value]


def _of_broker(name: str, kind: Kind, path: str, text: str) -> BrokerMetric:
    """`path`: of the member in the state, with dots; a text there counts as 1, an empty one as 0."""
    members = path.split(".")

    def value(state: State) -> Value:
        found: Any = state
        for member in members:
            found = found[member]
        return bool(found) if isinstance(found, str) else found

    return BrokerMetric(Family(name, kind, text), value)


def _of_queue(name: str, kind: Kind, text: str, field: str) -> QueueMetric:
    return QueueMetric(Family(f"segue_queue_{name}", kind, text), lambda statistics: getattr(statistics, field))


BROKER: Final = (
    _of_broker("process_cpu_seconds", "counter", "process.cpu_seconds", "Time of processors that the daemon has used."),
    _of_broker("process_resident_memory_bytes", "gauge", "memory.resident_bytes", "Memory of the daemon."),
    _of_broker("process_start_time_seconds", "gauge", "process.start_seconds", "When it started, since 1970."),
    _of_broker("segue_connections", "gauge", "counts.connections", "Connections that have logged in."),
    _of_broker("segue_queues", "gauge", "counts.queues", "Queues, without temporary ones."),
    _of_broker("segue_temporary_queues", "gauge", "counts.temporary_queues", "Temporary queues."),
    _of_broker("segue_durable_subscriptions", "gauge", "counts.durable_subscriptions", "Durable subscriptions."),
    _of_broker("segue_retained_messages", "gauge", "counts.retained_messages", "Retained messages."),
    _of_broker("segue_delayed_messages", "gauge", "schedule.delayed", "Messages that wait for their time."),
    _of_broker("segue_messages_ready", "gauge", "messages.ready", "Messages that could go out now, of all queues."),
    _of_broker("segue_messages_in_flight", "gauge", "messages.in_flight", "Messages that are out, of all queues."),
    _of_broker("segue_messages_published", "counter", "messages.published", "Messages that queues have accepted."),
    _of_broker("segue_messages_delivered", "counter", "messages.delivered", "Deliveries from queues."),
    _of_broker("segue_messages_acknowledged", "counter", "messages.acknowledged", "Acknowledgements to queues."),
    _of_broker(
        "segue_messages_dead_lettered", "counter", "messages.dead_lettered", "Messages moved to a dead-letter queue."
    ),
    _of_broker("segue_messages_discarded", "counter", "messages.discarded", "Messages refused and given up."),
    _of_broker("segue_messages_expired", "counter", "messages.expired", "Messages past their deadline."),
    _of_broker(
        "segue_messages_dropped", "counter", "messages.dropped", "Messages gone to make room in bounded queues."
    ),
    _of_broker(
        "segue_topic_messages_dropped", "counter", "counts.dropped_messages",
        "Messages that subscribers to topics have lost, because they were too slow.",
    ),
    _of_broker("segue_memory_messages_bytes", "gauge", "memory.messages_bytes", "Messages in memory."),
    _of_broker("segue_memory_output_bytes", "gauge", "memory.output_bytes", "What clients have not taken."),
    _of_broker("segue_memory_transactions_bytes", "gauge", "memory.transactions_bytes", "Open transactions."),
    _of_broker("segue_memory_retained_bytes", "gauge", "memory.retained_bytes", "Retained messages."),
    _of_broker("segue_memory_receiving_bytes", "gauge", "memory.receiving_bytes", "Frames that are not whole."),
    _of_broker("segue_memory_aside_bytes", "gauge", "memory.aside_bytes", "Messages of publishers that are held."),
    _of_broker("segue_memory_deduplication_bytes", "gauge", "memory.deduplication_bytes", "Deduplication ids."),
    _of_broker(
        "segue_memory_high_water_bytes", "gauge", "memory.high_water_bytes", "The mark above which publishers wait."
    ),
    _of_broker("segue_disk_free_bytes", "gauge", "disk.free_bytes", "Free where the data is; -1 when not known."),
    _of_broker(
        "segue_disk_free_min_bytes", "gauge", "disk.free_bytes_min", "The mark below which publishers wait."
    ),
    _of_broker("segue_publishers_held", "gauge", "pressure.publishers_held", "1 while publishers have to wait."),
    _of_broker("segue_journal_syncs", "counter", "journal.syncs", "Group commits."),
    _of_broker("segue_journal_written_bytes", "counter", "journal.bytes_written", "What they wrote, with padding."),
    _of_broker(
        "segue_journal_commit_seconds", "gauge", "journal.commit_seconds",
        "For how long a commit has been waited for that two looks, a second apart, have found under way.",
    ),
    BrokerMetric(
        Family("segue_journal_replay_bytes", "gauge", "What a crash would have to replay."),
        lambda state: state["journal"]["position"] - state["journal"]["oldest"],
    ),
    _of_broker("segue_journal_short_of_space", "gauge", "journal.short_of_space", "1 without room for another file."),
    _of_broker("segue_checkpoints", "counter", "checkpoints.done", "Checkpoints."),
    _of_broker("segue_checkpoint_failed", "gauge", "checkpoints.fault", "1 if the last one has failed."),
    _of_broker("segue_recovery_seconds", "gauge", "recovery.seconds", "How long the replay at the start took."),
    _of_broker("segue_logins_refused", "counter", "logins.refused", "Wrong users or passwords."),
    _of_broker("segue_login_hashes", "counter", "logins.hashes", "Logins for which a hash was computed."),
    _of_broker("segue_logins_remembered", "counter", "logins.remembered", "Logins for which none was needed."),
    _of_broker("segue_log_lines_written", "counter", "log.written", "Lines of the log."),
    _of_broker("segue_log_lines_dropped", "counter", "log.dropped", "Lines lost, because their reader is slow."),
    _of_broker("segue_log_lines_suppressed", "counter", "log.suppressed", "Lines left out: too many of a kind."),
)  # fmt: skip

QUEUES: Final = (
    _of_queue("messages_ready", "gauge", "Messages that could go out now.", "ready"),
    _of_queue("messages_returned", "gauge", "Of these, delivered before.", "returned"),
    _of_queue("messages_passed_over", "gauge", "Of the ready ones, those that no consumer may have.", "passed_over"),
    _of_queue("messages_in_flight", "gauge", "Messages that are out.", "in_flight"),
    _of_queue("messages_delayed", "gauge", "Messages that wait for their time.", "delayed"),
    _of_queue("messages_quarantined", "gauge", "Messages set aside, because they are damaged.", "quarantined"),
    _of_queue("consumers", "gauge", "Subscriptions.", "consumers"),
    _of_queue("messages_published", "counter", "Messages accepted since the queue exists.", "published"),
    _of_queue("messages_delivered", "counter", "Deliveries.", "delivered"),
    _of_queue("messages_acknowledged", "counter", "Acknowledgements.", "acknowledged"),
    _of_queue("messages_dead_lettered", "counter", "Messages moved to a dead-letter queue.", "dead_lettered"),
    _of_queue("messages_discarded", "counter", "Messages refused and given up.", "discarded"),
    _of_queue("messages_expired", "counter", "Messages past their deadline.", "expired"),
    _of_queue("messages_dropped", "counter", "Messages gone to make room.", "dropped"),
    _of_queue("bytes", "gauge", "Of the messages, on disk and in memory.", "bytes"),
    _of_queue("paused", "gauge", "1 while nothing is delivered.", "paused"),
)
