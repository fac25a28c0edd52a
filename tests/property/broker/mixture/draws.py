"""What hypothesis draws for a mixture: operations, and the options of queues."""

from __future__ import annotations

from hypothesis import strategies as st

from segue.broker.queue_options import REFUSE, QueueOptions
from tests.property.operation import Operation, operation_lists

__all__ = ["NAMES", "mixture_operations", "mixture_options"]

NAMES = ("a", "b", "c")
"""Of the queues."""


def mixture_operations(max_size: int) -> st.SearchStrategy[list[Operation]]:
    """Lists of operations: what clients and operators do, what time and the disk do, and ends."""
    clients = ["publish", "publish", "subscribe", "subscribe", "acknowledge", "give_back", "refuse"]
    rarer = ["publish_once", "leave", "hold", "hold", "commit", "abort"]
    operators = ["purge", "move", "move", "policy"]
    time = ["pass_time", "due", "sweep"]
    disk = ["checkpoint", "wait", "wait", "breathe"]
    end = ["crash", "crash_soon", "checkpoint_and_crash", "stop"]
    begin = [Operation("publish", which, 8, seed=which) for which in range(3)] + [Operation("wait")]
    return operation_lists(
        clients,
        clients,
        clients,
        rarer,
        rarer,
        operators,
        time,
        disk,
        end,
        begin=begin,
        max_size=max_size,
        which_max=11,
        amount_max=12,
    )


def mixture_options() -> st.SearchStrategy[dict[str, tuple[QueueOptions, QueueOptions]]]:
    """Options of each queue, and those that a policy gives it. A queue is not its own dead-letter queue."""

    def of(name: str) -> st.SearchStrategy[QueueOptions]:
        others = [other for other in NAMES if other != name]
        return st.builds(
            QueueOptions,
            dead_letter=st.sampled_from([*others, *others, ""]),
            delivery_limit=st.sampled_from([0, 0, 1, 3]),
            message_ttl_ms=st.sampled_from([None, None, None, 1500]),
            messages_max=st.sampled_from([None, None, None, 9]),
            overflow=st.sampled_from([None, REFUSE]),
            priority_max=st.sampled_from([0, 0, 3, 9]),
            single_active=st.sampled_from([False, False, True]),
        )

    return st.fixed_dictionaries({name: st.tuples(of(name), of(name)) for name in NAMES})
