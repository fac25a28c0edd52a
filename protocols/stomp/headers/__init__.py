"""What the headers of a client's frames ask for, read by the table in header_rules.py.

Each reader takes the decoded headers of one frame and returns what they ask for, with every default filled in, or
raises the STOMP ERROR that the client is to get.
"""

from segue.protocols.stomp.headers.acknowledge import AckOptions, read_ack
from segue.protocols.stomp.headers.connect import ConnectOptions, read_connect
from segue.protocols.stomp.headers.queue_flags import QueueFlags
from segue.protocols.stomp.headers.schedule import SCHEDULE_HEADERS, SendSchedule
from segue.protocols.stomp.headers.send import SendOptions, read_send
from segue.protocols.stomp.headers.subscribe import (
    PREFETCH_DEFAULT,
    PREFETCH_MAX,
    AckMode,
    DurableName,
    SubscribeOptions,
    UnsubscribeOptions,
    name_durable_subscription,
    read_subscribe,
    read_unsubscribe,
)
from segue.protocols.stomp.headers.values import required

__all__ = [
    "PREFETCH_DEFAULT",
    "PREFETCH_MAX",
    "SCHEDULE_HEADERS",
    "AckMode",
    "AckOptions",
    "ConnectOptions",
    "DurableName",
    "QueueFlags",
    "SendOptions",
    "SendSchedule",
    "SubscribeOptions",
    "UnsubscribeOptions",
    "name_durable_subscription",
    "read_ack",
    "read_connect",
    "read_send",
    "read_subscribe",
    "read_unsubscribe",
    "required",
]
