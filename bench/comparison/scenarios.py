"""The figures that are compared. Most are one command of `segue bench`, which a user can type as it stands here."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEEP", "IDLE", "MANY_QUEUES", "ROUND_SCENARIOS", "SHALLOW_DRAIN", "Scenario"]

DEEP = "deep"
IDLE = "idle-connections"
MANY_QUEUES = "many-queues"
SHALLOW_DRAIN = "drain-shallow"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One command of the load generator, on queues that no other run has used.

    Attributes:
        name: in records.
        title: in the report.
        words: the command, without broker and destination.
        queues: how many it uses.
    """

    name: str
    title: str
    words: str
    queues: int = 1

    def shortened(self, seconds: float) -> Scenario:
        """The same for a quick look."""
        before, found, after = self.words.partition("--seconds ")
        if not found:
            return self
        rest = after.partition(" ")[2]
        return Scenario(self.name, self.title, f"{before}--seconds {seconds:g} {rest}".rstrip(), self.queues)


# The windows of the wide runs are such that 1,000 messages are unconfirmed in all, as with one producer.
ROUND_SCENARIOS = (
    Scenario("publish-w1-p1", "publish, window 1", "publish --window 1 --seconds 5"),
    Scenario("publish-w1000-p1", "publish, window 1000, 1 producer", "publish --window 1000 --seconds 5"),
    Scenario(
        "publish-w1000-p10", "publish, window 1000, 10 producers", "publish --window 1000 --producers 10 --seconds 5"
    ),
    Scenario("e2e-1x1", "end to end, 1 producer, 1 consumer", "e2e --window 1000 --seconds 6"),
    Scenario(
        "e2e-10x10",
        "end to end, 10 by 10 over 10 queues",
        "e2e --producers 10 --consumers 10 --window 100 --seconds 6",
        queues=10,
    ),
    Scenario(
        "e2e-100x100",
        "end to end, 100 by 100 over 100 queues",
        "e2e --producers 100 --consumers 100 --window 10 --seconds 6",
        queues=100,
    ),
    Scenario("latency-1000", "1,000 messages a second", "latency --rate 1000 --seconds 8"),
    Scenario("latency-5000", "5,000 messages a second", "latency --rate 5000 --seconds 8"),
)
