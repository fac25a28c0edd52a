"""`[memory]`: when publishers are held because memory is short."""

from __future__ import annotations

from dataclasses import dataclass

from segue.broker.settings.keys import size
from segue.broker.settings.quantity import GIB, MIB

__all__ = ["Memory"]


@dataclass(frozen=True, slots=True)
class Memory:
    """When publishers are held because memory is short.

    What is counted is messages in memory, in open transactions and in deliveries that are out, and what waits to be
    sent. The Python process takes about 50 MiB beside it.
    """

    # RabbitMQ holds publishers at 0.6 of the machine's memory (0.4 before 4.0), ActiveMQ at 70 % of the heap. A fixed
    # figure instead: what the broker needs depends neither on the machine nor on how deep queues are.
    high_water_bytes: int = size(
        192 * MIB,
        "With more in memory than this, publishers are held; acknowledgements are still taken.",
        minimum=64 * MIB,
        maximum=256 * GIB,
    )
    low_water_bytes: int = size(
        144 * MIB,
        "Publishers that were held for want of memory go on below this.",
        minimum=16 * MIB,
        maximum=256 * GIB,
    )

    # Kafka: queued.max.request.bytes, unlimited by default. RabbitMQ and ActiveMQ count it as their process's memory.
    receiving_bytes_max: int = size(
        64 * MIB,
        "The most of frames that are not whole yet, over all connections; 16 KiB for each connection may come on top. "
        "Past it, large frames are read one after the other; nothing is refused.",
        minimum=1 * MIB,
        maximum=256 * GIB,
    )

    # Artemis keeps 20,000 ids an address, without a limit over all of them; Pulsar one number for each producer.
    deduplication_bytes_max: int = size(
        128 * MIB,
        "Above this, deduplication ids are not kept in memory one by one any more, but as a filter of 8 to 24 bytes an "
        "id; what it may hold is looked up on disk. With twice as much, publishers with new ids are refused.",
        minimum=1 * MIB,
        maximum=256 * GIB,
    )

    # ActiveMQ counts open transactions as memory of the destination and stops whoever sends, who can then not commit.
    transactions_bytes_max: int = size(
        64 * MIB,
        "The most memory of messages in open transactions, over all connections. A transaction that would take more is "
        "refused, and nothing of it stored. The last quarter is kept for transactions of up to a sixteenth of "
        "limits.transaction_bytes_max.",
        minimum=1 * MIB,
        maximum=256 * GIB,
    )

    # They stay in memory, so that a subscription is given them before anything else.
    retained_bytes_max: int = size(
        64 * MIB,
        "The most memory of retained messages. One that would take more is refused.",
        minimum=0,
        maximum=256 * GIB,
    )
