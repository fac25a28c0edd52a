"""`[policies.NAME]`: what queues do beyond holding messages, by patterns on their names."""

from __future__ import annotations

from dataclasses import dataclass

from segue.broker.queue_options import DROP_OLDEST, PRIORITY_MAX, REFUSE
from segue.broker.settings.keys import count, optional, required
from segue.broker.settings.kinds import Choice, Count, Flag, Size
from segue.broker.settings.queue_kinds import Milliseconds, QueueName, QueuePattern

__all__ = ["Policy"]

_CENTURY_MS = 100 * 365 * 86_400_000


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy for queues, named by the table: `[policies.orders]`.

    It gives options to every durable queue whose name it matches, to those that are there already too, and to durable
    subscriptions. For each option,
    what a client declared the queue with wins; else the policy that has the highest priority among those that say
    something about the option; else the default. A key that is left out says nothing. `segue queue why` shows the
    outcome. Temporary queues, and subscriptions that are not durable, have no policies.
    """

    queues: str = required(
        QueuePattern(),
        "Which queues it is for; empty: none. `*` stands for any run of characters, also for none; nothing else is "
        "special.",
    )
    priority: int = count(
        0,
        "",
        "Which policy is heard when several say something about the same option: the one with the highest priority; "
        "of equal ones, the one whose name comes first.",
        minimum=-1_000_000,
        maximum=1_000_000,
    )

    subscriptions: str | None = optional(
        QueuePattern(),
        "Which durable subscriptions to topics it is for, by their names as `segue topic list` has them. They follow "
        "dead_letter, delivery_limit, message_ttl_ms and messages_max; where these are too many, the oldest go.",
    )

    # From here on: the fields of QueueOptions, by their names. tests/tidy sees to it that each is here.
    dead_letter: str | None = optional(
        QueueName(),
        "The queue that takes what can't be consumed; empty: that is given up. The queue of this name is left out: no "
        "policy makes a queue its own dead-letter queue.",
    )
    # Counts of deliveries have 32 bits on disk; a million is "without a limit" for whoever reads the log.
    delivery_limit: int | None = optional(
        Count("deliveries"),
        "After so many deliveries a message that comes back is a dead letter; 0 for no limit.",
        minimum=0,
        maximum=1_000_000,
    )
    message_ttl_ms: int | None = optional(
        Milliseconds(),
        "How long a message may be in the queue. It counts from when the message was accepted, also for those that are "
        "there already.",
        minimum=0,
        maximum=_CENTURY_MS,
    )
    messages_max: int | None = optional(
        Count("messages"),
        "The most messages that wait in the queue; what is with consumers is not counted.",
        minimum=0,
        maximum=1_000_000_000_000,
    )
    bytes_max: int | None = optional(
        Size(),
        "The most bytes that the messages which wait in the queue have together, headers included; what is with "
        "consumers is not counted.",
        minimum=0,
        maximum=1 << 60,
    )
    overflow: str | None = optional(
        Choice(DROP_OLDEST, REFUSE),
        "What happens when messages_max or bytes_max is reached: the oldest go for newer ones, or publishers are "
        "refused.",
    )
    expires_ms: int | None = optional(
        Milliseconds(),
        "How long the queue may go without consumers, and without being browsed or declared, until it is deleted with "
        "its messages. It counts from the start of the broker at the earliest.",
        minimum=1,
        maximum=_CENTURY_MS,
    )
    priority_max: int | None = optional(
        Count("priorities"),
        "The highest priority that messages of the queue may have, at most 255; higher ones are delivered first. 0: "
        "messages are delivered in the order in which they came, whatever priority they say.",
        minimum=0,
        maximum=PRIORITY_MAX,
    )
    deduplication_window_ms: int | None = optional(
        Milliseconds(),
        "How long the ids of messages are remembered, so that a repeat adds nothing; 10 minutes where nobody says so.",
        minimum=1,
        maximum=_CENTURY_MS,
    )
    # A hundred million take 2.4 GB on disk and 0.8 GB of memory.
    deduplication_ids_max: int | None = optional(
        Count("ids"),
        "How many of them are remembered at most, the latest; 100,000 where nobody says so.",
        minimum=1,
        maximum=100_000_000,
    )
    single_active: bool | None = optional(
        Flag(),
        "One consumer at a time is served; the others stand by, and the next one takes over when it leaves.",
    )
    redelivery_delay_ms: int | None = optional(
        Milliseconds(),
        "How much later a message comes again that a consumer returns (NACK) without saying when; at the end of the "
        "queue then. 0: at once, and in its place.",
        minimum=0,
        maximum=_CENTURY_MS,
    )
    redelivery_multiplier: int | None = optional(
        Count("times"),
        "By this redelivery_delay_ms grows with every delivery of the message; 1: not at all.",
        minimum=1,
        maximum=100,
    )
    redelivery_delay_max_ms: int | None = optional(
        Milliseconds(),
        "The longest that it may grow to; 0 for no bound.",
        minimum=0,
        maximum=_CENTURY_MS,
    )
