"""The results of a campaign: one JSON object a line, in the order in which they were measured."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["Record", "Records", "append_record", "read_records"]


@dataclass(frozen=True, slots=True)
class Record:
    """One measurement.

    Attributes:
        peer: the broker's name; `disk` for the bare write, `campaign` for the machine and the versions.
        scenario: the figure's name.
        round: 1, 2, ...
        values: what was measured; nested objects where a part has parts.
        error: empty when it went through.
    """

    peer: str
    scenario: str
    round: int
    values: dict[str, Any] = field(default_factory=dict)
    error: str = ""


class Records:
    """Questions to a list of records."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = list(records)

    def of(self, peer: str, scenario: str) -> list[Record]:
        """All rounds of a figure."""
        return [record for record in self._records if (record.peer, record.scenario) == (peer, scenario)]

    def peers(self) -> list[str]:
        """The brokers, in the order of the first record of each."""
        return list(dict.fromkeys(record.peer for record in self._records if record.peer not in ("disk", "campaign")))

    def value(self, peer: str, scenario: str, *path: str) -> float | None:
        """The median over the rounds that went through, of the value at this path; None when there is none."""
        found = [_at(record.values, path) for record in self.of(peer, scenario) if not record.error]
        numbers = [float(value) for value in found if value is not None]
        return median(numbers) if numbers else None

    def highest(self, peer: str, scenario: str, *path: str) -> float | None:
        """The highest over all rounds."""
        numbers = [_at(record.values, path) for record in self.of(peer, scenario) if not record.error]
        return max((float(number) for number in numbers if number is not None), default=None)

    def all(self, *path: str) -> list[float]:
        """The values at this path, of all records that have one."""
        found = (_at(record.values, path) for record in self._records)
        return [float(value) for value in found if value is not None]

    def errors(self) -> list[Record]:
        """What did not go through."""
        return [record for record in self._records if record.error]


def append_record(path: Path, record: Record) -> None:
    """Write a record at once: a campaign that is cut off leaves what it has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(record)) + "\n")


def read_records(path: Path) -> Records:
    """All records of a file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return Records(Record(**json.loads(line)) for line in lines if line.strip())


def _at(values: Any, path: Sequence[str]) -> Any:
    for name in path:
        if not isinstance(values, dict):
            return None
        values = values.get(name)
    return values
