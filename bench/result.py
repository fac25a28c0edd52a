"""What came out of a run, as JSON has it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from segue.bench.histogram import Percentiles
from segue.bench.ledger import Block, Ledger
from segue.bench.workload import Workload

__all__ = ["Result"]


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one run. Rates are in messages a second, latencies in milliseconds.

    Attributes:
        confirm: from sending a message to its receipt.
        latency: from sending (at a fixed rate: from when it was due) to arrival at the consumer.
        blocks: the run in pieces, where asked for.
        missing: messages of this run that did not arrive; without a producer, gaps in what arrived.
        early: delayed messages that arrived before they were due.
        generator_cpu_seconds: what the load generator itself took, of one core.
        error: empty when the run went through.
    """

    sent: int
    confirmed: int
    received: int
    unique: int
    duplicates: int
    out_of_order: int
    missing: int
    redelivered: int
    early: int
    publish_rate: float
    delivery_rate: float
    seconds: float
    confirm: Percentiles | None
    latency: Percentiles | None
    blocks: tuple[Block, ...]
    generator_cpu_seconds: float
    error: str

    @classmethod
    def of(
        cls, workload: Workload, ledger: Ledger, out_of_order: int, generator_cpu_seconds: float, error: str
    ) -> Result:
        """Sum up a ledger."""
        sighting = ledger.sighting
        missing = (
            max(ledger.sent - ledger.returned, 0) if workload.producers and workload.consumers else sighting.missing()
        )
        since = ledger.started if workload.producers else ledger.first_delivery
        end = max(ledger.last_confirm, ledger.last_delivery, since)
        return cls(
            sent=ledger.sent,
            confirmed=ledger.confirmed,
            received=ledger.received,
            unique=sighting.unique,
            duplicates=sighting.duplicates,
            out_of_order=out_of_order,
            missing=missing,
            redelivered=ledger.redelivered,
            early=ledger.early,
            publish_rate=round(ledger.publish_rate(), 1),
            delivery_rate=round(ledger.delivery_rate(since), 1),
            seconds=round((end - since) / 1e9, 4),
            confirm=ledger.confirm.percentiles(),
            latency=ledger.latency.percentiles(),
            blocks=tuple(ledger.confirm_blocks.done or ledger.delivery_blocks.done),
            generator_cpu_seconds=round(generator_cpu_seconds, 3),
            error=error,
        )

    @property
    def faultless(self) -> bool:
        """Whether all went through, once and in order."""
        return not (self.error or self.duplicates or self.out_of_order or self.missing or self.early)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the names of the attributes, percentiles as objects, None where nothing was measured."""
        blocks = [{**asdict(block), "rate": round(block.rate, 1)} for block in self.blocks]
        return {**asdict(self), "blocks": blocks}
