"""`[limits]`: how much one connection, one queue, one transaction may take, and how many there may be."""

from __future__ import annotations

from dataclasses import dataclass

from segue.broker.settings.keys import count, seconds, size
from segue.broker.settings.quantity import GIB, KIB, MIB

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one connection, one queue, one transaction may take, and how many there may be."""

    # ActiveMQ's maximumConnections is 1000 a connector, NATS's max_connections 65536; RabbitMQ takes what its
    # descriptors allow. 10,000 idle ones are 400 MiB.
    connections_max: int = count(
        10_000,
        "connections",
        "The most connections at once, logged in or not; 64 below the process's limit of open files at most. The next "
        "one is told so and closed.",
        minimum=1,
        maximum=1_000_000,
    )

    # OpenSSH: MaxStartups, 100 not yet authenticated in all, PerSourceMaxStartups. More here, because after a restart
    # thousands of clients come back in the same second.
    connections_unauthenticated_max: int = count(
        1_000,
        "connections",
        "The most connections that have not logged in yet. The next one pushes out the one that has waited longest.",
        minimum=1,
        maximum=100_000,
    )
    connections_unauthenticated_per_address_max: int = count(
        500,
        "connections",
        "The most connections from one address that have not logged in yet; likewise.",
        minimum=1,
        maximum=100_000,
    )

    # RabbitMQ: 10 s, handshake_timeout for AMQP and login_timeout for STOMP.
    login_seconds: float = seconds(
        10,
        "A connection that has not logged in after so long is closed.",
        minimum=1,
        maximum=600,
    )

    # Linux gives up on a dead peer after 15 minutes of retransmission, or two hours of silence, when it is not told.
    tcp_timeout_seconds: float = seconds(
        60,
        "A peer whose machine does not answer on TCP for so long is taken for gone: keep-alive and TCP_USER_TIMEOUT.",
        minimum=5,
        maximum=7200,
    )

    # NATS closes slow consumers after a write_deadline of 10 s, which a laptop that was closed for a moment misses.
    write_stall_seconds: float = seconds(
        60,
        "A connection that takes nothing of what it is sent for so long is closed, and its messages return to their "
        "place.",
        minimum=1,
        maximum=3600,
    )

    # Redis cuts pub/sub clients off at 32 MiB, RabbitMQ buffers what the prefetch allows. 10,000 times 1 MiB is more
    # than a machine has, so the memory mark counts these buffers too.
    output_buffer_bytes_max: int = size(
        1 * MIB,
        "The most that waits to be sent to one connection. A single message always fits.",
        minimum=64 * KIB,
        maximum=1 * GIB,
    )

    held_bytes_max: int = size(
        1 * MIB,
        "While publishers are held, a connection is still read so that its acknowledgements are taken; the messages "
        "that it sends are put aside, up to this many bytes. Then it is not read any more.",
        minimum=0,
        maximum=1 * GIB,
    )

    # RabbitMQ: max_message_size, 128 MiB in 3.x, 16 MiB since 4.0. ActiveMQ: 100 MiB. NATS: 1 MiB.
    body_bytes_max: int = size(
        16 * MIB,
        "The largest body of a message. A larger one is refused before it is read.",
        minimum=1 * KIB,
        maximum=256 * MIB,
    )

    frame_seconds: float = seconds(
        30,
        "Past memory.receiving_bytes_max, large frames are read one after the other. One that is not whole so long "
        "after its turn has come is refused.",
        minimum=1,
        maximum=3600,
    )

    # RabbitMQ has none but the operator's own (max-queues of a virtual host). What a queue costs here is a row of the
    # catalog and some KiB of memory.
    queues_max: int = count(
        100_000,
        "queues",
        "The most queues. A durable subscription to a topic counts as one.",
        minimum=1,
        maximum=10_000_000,
    )

    # Amazon SQS: 120,000 messages in flight a queue.
    queue_in_flight_max: int = count(
        100_000,
        "messages",
        "The most messages of one queue that are with consumers and not acknowledged, or returned and waiting. The "
        "queue delivers no further ones until some are settled.",
        minimum=1,
        maximum=10_000_000,
    )

    # ActiveMQ: maxPageSize, 200. What lies behind is not reached there either until something has gone.
    queue_look_ahead_max: int = count(
        16_384,
        "messages",
        "The most messages of one queue that are set aside because none of the consumers there may have them now: "
        "selectors don't match, or something of their group is out. Then the queue is read no further until one of "
        "them goes. In a queue with priorities it holds for each level.",
        minimum=1,
        maximum=1_000_000,
    )
    queue_look_ahead_bytes_max: int = size(
        16 * MIB,
        "The same in bytes. A single message always fits, and as much again when messages come back that stand before "
        "what is set aside: from consumers, or after a crash.",
        minimum=64 * KIB,
        maximum=1 * GIB,
    )

    # RabbitMQ: consumer_max_per_channel, unlimited by default, and channel_max 2047.
    subscriptions_per_connection_max: int = count(
        1_000,
        "subscriptions",
        "The most subscriptions of one connection.",
        minimum=1,
        maximum=100_000,
    )

    # RabbitMQ leaves it unlimited, which is the first complaint of its users; ActiveMQ gives JMS consumers 1000.
    prefetch_default: int = count(
        100,
        "messages",
        "How many messages a subscription has out and not acknowledged when it asks for no other number.",
        minimum=1,
        maximum=65_535,
    )
    # AMQP 0-9-1 carries it in 16 bits.
    prefetch_max: int = count(
        65_535,
        "messages",
        "The largest prefetch. A subscription that asks for more, or for no limit, gets this.",
        minimum=1,
        maximum=65_535,
    )

    # A transaction is held in memory and written as one batch, so its size is what a crash test has to tear.
    transactions_per_connection_max: int = count(
        100,
        "transactions",
        "The most transactions that one connection has open at once.",
        minimum=1,
        maximum=10_000,
    )
    transaction_messages_max: int = count(
        10_000,
        "messages",
        "The most messages and acknowledgements in one transaction. RabbitMQ and ActiveMQ set no limit.",
        minimum=1,
        maximum=1_000_000,
    )
    transaction_bytes_max: int = size(
        32 * MIB,
        "The most bytes in one transaction. It is refused, and nothing of it stored, when it gets larger.",
        minimum=64 * KIB,
        maximum=512 * MIB,
    )

    # ActiveMQ: maximumPendingMessageLimit, 1000 in its sample configuration.
    topic_buffer_messages_max: int = count(
        10_000,
        "messages",
        "The most messages that wait for one subscriber of a topic without a durable subscription. Then the oldest are "
        "dropped and counted.",
        minimum=1,
        maximum=1_000_000,
    )
    topic_buffer_bytes_max: int = size(
        4 * MIB,
        "The same in bytes. A single message always fits.",
        minimum=64 * KIB,
        maximum=1 * GIB,
    )

    # EMQX: retainer.max_retained_messages, unlimited by default, as in Mosquitto.
    retained_messages_max: int = count(
        100_000,
        "messages",
        "The most topic names of which the last message is retained. A message for another name is refused.",
        minimum=0,
        maximum=10_000_000,
    )

    # Spring's relay and the JMS clients open one for each session that waits for replies.
    temporary_queues_per_connection_max: int = count(
        100,
        "queues",
        "The most temporary queues of one connection.",
        minimum=1,
        maximum=10_000,
    )
    temporary_queue_messages_max: int = count(
        10_000,
        "messages",
        "The most messages in a temporary queue. What is sent to it when it is full is refused.",
        minimum=1,
        maximum=1_000_000,
    )
    temporary_queue_bytes_max: int = size(
        16 * MIB,
        "The same in bytes. A single message always fits.",
        minimum=64 * KIB,
        maximum=1 * GIB,
    )

    # systemd's TimeoutStopSec is 90 s; a SIGTERM under load has to be done in 10, checkpoint and all.
    drain_seconds: float = seconds(
        5,
        "How long a stop waits for connections to finish before it closes them. A second SIGTERM does not wait.",
        minimum=0,
        maximum=3600,
    )
