"""Results as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segue.bench.histogram import Percentiles
from segue.bench.ledger import Block
from segue.bench.requests import HttpResult
from segue.bench.result import Result

__all__ = ["align", "describe", "describe_blocks", "describe_http", "milliseconds"]

# Above this share of a core the figures may be the generator's and not the broker's.
_BUSY_SHARE = 0.8


def describe(result: Result) -> str:
    """The figures of a run, a few lines."""
    rows = [["", "messages", "per second", "p50 ms", "p99 ms", "p99.9 ms", "max ms"]]
    if result.confirmed:
        rows.append(["confirmed", *_row(result.confirmed, result.publish_rate, result.confirm)])
    if result.received:
        rows.append(["delivered", *_row(result.received, result.delivery_rate, result.latency)])
    return "\n".join([*align(rows if len(rows) > 1 else ()), *_remarks(result)])


def describe_blocks(blocks: Sequence[Block]) -> str:
    """A row for each block of a long run."""
    rows = [["up to", "per second", "p50 ms", "p99 ms", "p99.9 ms", "max ms"]]
    total = 0
    for block in blocks:
        total += block.count
        rows.append([f"{total:,}", f"{block.rate:,.0f}", *milliseconds(block.latency)])
    return "\n".join(align(rows))


def describe_http(result: HttpResult) -> str:
    """The figures of requests over HTTP."""
    rows = [["", "requests", "per second", "p50 ms", "p99 ms", "p99.9 ms", "max ms"]]
    rows.append(["answered", *_row(result.requests, result.rate, result.latency)])
    remarks = _generator(result.generator_cpu_seconds, result.seconds)
    refused = [f"{result.refused:,} were refused"] if result.refused else []
    return "\n".join([*align(rows), *refused, *remarks, *([f"FAILED: {result.error}"] if result.error else [])])


def align(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns of the same width: the first to the left, the others to the right."""
    if not rows:
        return
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for first, *rest in rows:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        yield "   ".join([first.ljust(widths[0]), *cells]).rstrip()


def milliseconds(latency: Percentiles | None) -> list[str]:
    """Four cells: p50, p99, p99.9, max."""
    if latency is None:
        return ["-"] * 4
    return [f"{value:,.2f}" for value in (latency.p50, latency.p99, latency.p99_9, latency.max)]


def _row(count: int, rate: float, latency: Percentiles | None) -> list[str]:
    return [f"{count:,}", f"{rate:,.0f}", *milliseconds(latency)]


def _remarks(result: Result) -> Iterator[str]:
    if result.received:
        yield (
            f"checked: {result.missing:,} missing, {result.duplicates:,} twice, {result.out_of_order:,} out of order, "
            f"{result.redelivered:,} redelivered" + (f", {result.early:,} early" if result.early else "")
        )
    yield from _generator(result.generator_cpu_seconds, result.seconds)
    if result.error:
        yield f"FAILED: {result.error}"


def _generator(cpu_seconds: float, seconds: float) -> Iterator[str]:
    share = cpu_seconds / seconds if seconds else 0.0
    yield f"generator: {cpu_seconds:.2f} s of CPU, {share:.0%} of a core"
    if share > _BUSY_SHARE:
        yield "the generator itself was busy: the broker may be faster than this"
