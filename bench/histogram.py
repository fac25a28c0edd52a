"""Durations in buckets of less than one per cent, so that percentiles of millions of them take a few kilobytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

__all__ = ["Histogram", "Percentiles"]

# 2**7 buckets a power of two: a value is off by at most 1/256 when the middle of its bucket is reported.
_BUCKET_BITS = 7
_NANOSECONDS_PER_MILLISECOND = 1e6


@dataclass(frozen=True, slots=True)
class Percentiles:
    """A summary; everything but `count` in milliseconds."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    p99_9: float
    max: float

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


class Histogram:
    """Counts of durations."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self._sum = 0
        self._max = 0

    def record(self, nanoseconds: int, count: int = 1) -> None:
        """Add `count` durations of this length; a negative one counts as 0."""
        value = nanoseconds if nanoseconds > 0 else 0
        # Values up to 2**8 have a bucket each; above, each power of two has 2**7.
        shift = value.bit_length() - _BUCKET_BITS - 1
        bucket = (shift << _BUCKET_BITS) + (value >> shift) if shift > 0 else value
        self._counts[bucket] = self._counts.get(bucket, 0) + count
        self.count += count
        self._sum += value * count
        if value > self._max:
            self._max = value

    def record_all(self, ages: Iterable[tuple[int, int]]) -> None:
        """Add (nanoseconds, count) pairs."""
        for nanoseconds, count in ages:
            self.record(nanoseconds, count)

    def percentile(self, fraction: float) -> float:
        """The duration in milliseconds that `fraction` of them do not exceed; 0 when there are none."""
        rank = fraction * self.count
        passed = 0
        for bucket in sorted(self._counts):
            passed += self._counts[bucket]
            if passed >= rank:
                return min(_middle(bucket), self._max) / _NANOSECONDS_PER_MILLISECOND
        return 0.0

    def percentiles(self) -> Percentiles | None:
        """The usual ones, None when nothing was recorded. `mean` and `max` are exact."""
        if not self.count:
            return None
        p50, p90, p99, p99_9 = (round(self.percentile(fraction), 4) for fraction in (0.5, 0.9, 0.99, 0.999))
        mean = round(self._sum / self.count / _NANOSECONDS_PER_MILLISECOND, 4)
        longest = round(self._max / _NANOSECONDS_PER_MILLISECOND, 4)
        return Percentiles(self.count, mean, p50, p90, p99, p99_9, longest)


def _middle(bucket: int) -> float:
    if bucket < 2 << _BUCKET_BITS:
        return bucket
    shift = (bucket >> _BUCKET_BITS) - 1
    lowest = (bucket - (shift << _BUCKET_BITS)) << shift
    return lowest + (1 << shift) / 2
