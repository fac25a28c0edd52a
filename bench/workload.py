"""What a run does: how many producers and consumers, how large, how fast, how long."""

from __future__ import annotations

from dataclasses import dataclass

from segue.bench.consumer import AckMode
from segue.bench.frames import BODY_BYTES_MIN, STREAMS_MAX

__all__ = ["Workload", "WorkloadError", "pairs"]


class WorkloadError(ValueError):
    """The numbers do not go together."""


@dataclass(frozen=True, slots=True)
class Workload:
    """The shape of a run.

    Attributes:
        producers, consumers: connections of each kind; 0 for none.
        body_bytes: size of a message's body.
        window: unconfirmed messages a producer.
        prefetch: unacknowledged messages a subscription.
        ack: the mode of the subscriptions.
        messages: how many in all; None until `seconds` are over.
        seconds: how long messages are sent, or taken; None until `messages` are through.
        rate: messages a second over all producers, in an open loop; None for as fast as the window allows.
        backlog_max: how far producers may be ahead of consumers, so that an end-to-end run is one; None for no limit.
        over_depth: messages wait already: as many are taken as are sent, whichever they are, and consumers do not get
            further ahead of producers than `backlog_max` either.
        delay_ms: each message asks to be delivered so much later, and its latency counts from then.
        block: report rate and latency for every so many messages; 0 for not.
        idle_seconds: consumers alone: the queue is empty when nothing comes for so long.
        patience_seconds: a run in which nothing happens for so long has failed.
    """

    producers: int = 0
    consumers: int = 0
    body_bytes: int = 256
    window: int = 1000
    prefetch: int = 100
    ack: AckMode = "client-individual"
    messages: int | None = None
    seconds: float | None = None
    rate: float | None = None
    backlog_max: int | None = None
    over_depth: bool = False
    delay_ms: int = 0
    block: int = 0
    idle_seconds: float = 3.0
    patience_seconds: float = 60.0

    def check(self, queues: int) -> None:
        """See that the run can be made.

        Raises:
            WorkloadError: it can't; the text says why.
        """
        problems = [text for text, wrong in self._rules(queues) if wrong]
        if problems:
            raise WorkloadError("; ".join(problems))

    def _rules(self, queues: int) -> list[tuple[str, bool]]:
        endless = self.messages is None and self.seconds is None
        return [
            (f"a body has at least {BODY_BYTES_MIN} octets", self.body_bytes < BODY_BYTES_MIN),
            ("window, prefetch and queues are at least 1", min(self.window, self.prefetch, queues) < 1),
            ("producers or consumers are needed", self.producers + self.consumers < 1),
            ("either a number of messages or of seconds is needed", bool(self.producers) and endless),
            (f"at most {STREAMS_MAX} queues and producers", max(self.producers, queues) > STREAMS_MAX),
            ("a cumulative ack needs a queue of its own for each consumer", self._shares_cumulative_ack(queues)),
            ("a rate is more than 0", self.rate is not None and self.rate <= 0),
        ]

    def _shares_cumulative_ack(self, queues: int) -> bool:
        # An ack id says its subscription; "all up to here" of a read with two subscriptions in it would need two.
        return self.ack == "client" and 0 < self.consumers < queues

    def quota(self, producer: int) -> int | None:
        """How many of the messages this producer sends."""
        if self.messages is None:
            return None
        share, rest = divmod(self.messages, self.producers)
        return share + (producer < rest)


def pairs(ends: int, queues: int) -> list[tuple[int, int]]:
    """Which end serves which queue, as (end, queue): each end has a queue, and each queue an end."""
    return [(number % ends, number % queues) for number in range(max(ends, queues))] if ends else []
