"""What hypothesis draws for a mixture: operations, and the options of queues; and what messages are made of."""

from __future__ import annotations

import random
from typing import TypeAlias

from hypothesis import strategies as st

from segue.broker.message import encode, prefix
from segue.broker.queue_options import REFUSE, QueueOptions
from segue.broker.selector import compile_selector
from tests.property.operation import Operation, operation_lists

__all__ = [
    "PLACES",
    "QUEUES",
    "SELECTORS",
    "SUBSCRIPTIONS",
    "TOPIC",
    "TwoOptions",
    "draw_record",
    "mixture_operations",
    "mixture_options",
]

QUEUES = ("a", "b", "c")
TOPIC = "news.today"
"""The last queue gets what is published there, too."""
SUBSCRIPTIONS = {"s": (TOPIC, None), "t": (TOPIC, compile_selector("colour = 'red'")), "u": ("news.*", None)}
"""Durable ones: name → pattern and selector. The first two share a log."""
PLACES = (*QUEUES, *SUBSCRIPTIONS)
"""Where messages can be."""
SELECTORS = (None, None, None, compile_selector("colour = 'red'"), compile_selector("colour = 'blue'"))
"""Of consumers."""
TwoOptions: TypeAlias = dict[str, tuple[QueueOptions, QueueOptions]]
"""Those of each place, and those that a policy gives it later."""
_HEADERS = (
    b"",
    b"colour:red\n",
    b"colour:blue\n",
    b"JMSXGroupID:g\n",
    b"JMSXGroupID:h\n",
    b"JMSXGroupID:h\ncolour:red\n",
)
_PRIORITIES = (b"", b"", b"priority:0\n", b"priority:9\n")


def mixture_operations(max_size: int) -> st.SearchStrategy[list[Operation]]:
    """Lists of operations: what clients and operators do, what time and the disk do, and ends."""
    publishers = ["publish", "publish", "publish_once", "announce"]
    consumers = ["subscribe", "subscribe", "acknowledge", "acknowledge", "give_back", "refuse", "leave"]
    transactions = ["hold", "hold", "commit", "abort"]
    operators = ["purge", "move", "move", "policy", "pause"]
    time = ["pass_time", "due", "sweep", "deep_sweep"]
    disk = ["checkpoint", "wait", "wait", "breathe"]
    end = ["crash", "crash_soon", "checkpoint_and_crash", "stop"]
    clients = [publishers, publishers, consumers, consumers, transactions, transactions]
    begin = [Operation("publish", which, 8, seed=which) for which in range(3)] + [Operation("wait")]
    return operation_lists(
        *clients, operators, time, disk, end, begin=begin, max_size=max_size, which_max=11, amount_max=12
    )


def mixture_options() -> st.SearchStrategy[TwoOptions]:
    """Options of each place. A queue is not its own dead-letter queue; a subscription refuses nobody."""

    def of(name: str) -> st.SearchStrategy[QueueOptions]:
        others = [other for other in QUEUES if other != name]
        return st.builds(
            QueueOptions,
            dead_letter=st.sampled_from([*others, *others, ""]),
            delivery_limit=st.sampled_from([0, 0, 1, 3]),
            message_ttl_ms=st.sampled_from([None, None, None, 1500]),
            messages_max=st.sampled_from([None, None, None, 9]),
            bytes_max=st.sampled_from([None, None, None, 5000]),
            overflow=st.sampled_from([None, REFUSE]) if name in QUEUES else st.none(),
            priority_max=st.sampled_from([0, 0, 3, 9]),
            deduplication_window_ms=st.sampled_from([None, 700]),
            deduplication_ids_max=st.sampled_from([None, 3]),
            single_active=st.sampled_from([False, False, True]),
            redelivery_delay_ms=st.sampled_from([0, 0, 200]),
            redelivery_multiplier=st.sampled_from([1, 3]),
            redelivery_delay_max_ms=st.sampled_from([0, 500]),
        )

    return st.fixed_dictionaries({name: st.tuples(of(name), of(name)) for name in PLACES})


def draw_record(draw: random.Random, body: str, now_ms: int, expires_ms: int, more: bytes = b"") -> bytes:
    """A message of any size, colour, group and priority, with `more` headers."""
    said, size = draw.choice(_HEADERS) + draw.choice(_PRIORITIES) + more, draw.choice((10, 300, 2000))
    headers = b"destination:/queue/a\n%bcontent-length:%d\n\n" % (said, size)
    return encode(*prefix(now_ms, headers, expires_ms=expires_ms), body.encode().ljust(size, b"."))
