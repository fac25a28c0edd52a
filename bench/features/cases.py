"""What is measured: queue features switched on, how messages and consumers use them, and what each has to reach.

What is compared has the same number of consumers: the plain queue is measured with each number that some feature has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from segue.bench.target import HeaderList

__all__ = ["CASES", "DELAY", "PLAIN", "URGENT", "Case", "Crowd"]

PLAIN: Final = "plain"
DELAY: Final = "delay"
URGENT: Final = "urgent"
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Crowd:
    """The consumers of a queue.

    Attributes:
        name: in the names of figures; that of a plain crowd is its number.
        consumers: how many.
        headers: of SUBSCRIBE; what stands in braces differs by consumer.
        title: for people, where the case alone does not say it.
    """

    name: str
    consumers: int
    headers: HeaderList = ()
    title: str = ""


def _plain(consumers: int) -> Crowd:
    return Crowd(str(consumers), consumers)


@dataclass(frozen=True, slots=True)
class Case:
    """One queue, filled and consumed in one way.

    Attributes:
        name: in records.
        title: in the report.
        send_headers: of each message.
        queue_headers: what the queue is declared with; `{depth}` stands for how deep it gets.
        crowds: it is consumed by each of these in turn.
        share: of the plain queue's rate that it has to reach; 0 where that is no goal.
    """

    name: str
    title: str
    send_headers: HeaderList = ()
    queue_headers: HeaderList = ()
    crowds: tuple[Crowd, ...] = (_plain(1),)
    share: float = 0.7


_PRIORITIES: Final = (("x-max-priority", "9"),)
_HALVES: Final = Crowd("halves", 2, (("selector", "half={2}"),), "two consumers take half each")
_BESIDE: Final = Crowd("beside", 2, (("selector", "{half=0|}"),), "one takes half, beside a plain consumer")

CASES: Final = (
    Case(PLAIN, "plain", crowds=(_plain(1), _plain(2), _plain(10)), share=0.0),
    # What a header costs that no two messages have alike: the parser's part in deduplication.
    Case("correlation", "no feature, but a correlation id on each message", (("correlation-id", "{}"),), share=0.0),
    Case("dedup", "deduplication id on each message", (("dedup-id", "{}"),)),
    Case("numbers", "producer numbers", (("producer-name", "bench-{run}"), ("sequence-id", "{number}"))),
    Case("ttl", "TTL", (("expiration", str(_DAY_MS)),)),
    Case("priority", "priority, 0 to 9 mixed", (("priority", "{10}"),), _PRIORITIES),
    Case("limit", "delivery limit with dead letters", (), (("x-delivery-limit", "3"), ("x-dead-letter-queue", "dead"))),
    Case("bound", "bound, reached: the oldest go", (), (("x-max-length", "{depth}"),)),
    Case("groups", "message groups, 1,000", (("JMSXGroupID", "g{1000}"),), crowds=(_plain(10),), share=0.5),
    Case("selectors", "selectors", (("half", "{2}"),), crowds=(_HALVES, _BESIDE), share=0.4),
    Case(DELAY, "delay"),
    Case(URGENT, "priority 9 over priority 0", (("priority", "0"),), _PRIORITIES, share=0.0),
)
