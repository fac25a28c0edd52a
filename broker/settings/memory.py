"""`[memory]`: when publishers are held because memory is short."""

from __future__ import annotations

from dataclasses import dataclass

from segue.broker.settings.keys import size
from segue.broker.settings.quantity import GIB, MIB

__all__ = ["Memory"]


@dataclass(frozen=True, slots=True)
class Memory:
    """When publishers are held because memory is short.

    What is counted is messages in memory, deliveries that are out, and what waits to be sent. The Python process takes
    about 50 MiB beside it.
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
