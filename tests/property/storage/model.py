"""The model of a store: plain lists and sets, and the states that a crash may leave behind."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

__all__ = ["CursorModel", "LogModel", "Model", "State"]

State = dict[str, tuple[int, int, dict[str, dict[int, bytes]]]]
"""Log → (head, version of its definition, cursor → what it owes: sequence number → record)."""


@dataclass
class CursorModel:
    """What has been done with one cursor. Sets of sequence numbers.

    Attributes:
        start: it owes nothing below.
        given: the highest number handed out for the first time.
        handed: ever handed out, in any life of the store.
        counts: deliveries of what was given back.
        aside: found damaged, and kept in quarantine.
    """

    start: int
    given: int = 0
    settled: set[int] = field(default_factory=set)
    out: set[int] = field(default_factory=set)
    returned: set[int] = field(default_factory=set)
    handed: set[int] = field(default_factory=set)
    counts: dict[int, int] = field(default_factory=dict)
    aside: set[int] = field(default_factory=set)

    def owed(self, head: int) -> set[int]:
        return set(range(self.start, head)) - self.settled


@dataclass
class LogModel:
    """Records 1, 2, 3 …; without a cursor they are not kept."""

    records: list[bytes] = field(default_factory=list)
    cursors: dict[str, CursorModel] = field(default_factory=dict)
    version: int = 0

    @property
    def head(self) -> int:
        return len(self.records) + 1


@dataclass
class Model:
    """A store as it should be, and as it was at every moment at which a group commit may have ended.

    Attributes:
        confirmed: index into `moments`: this one, and with it all before, is on disk.
    """

    logs: dict[str, LogModel] = field(default_factory=dict)
    moments: list[dict[str, LogModel]] = field(default_factory=lambda: [{}])
    confirmed: int = 0

    @property
    def sum_of_heads(self) -> int:
        """Something that differs from start to start."""
        return sum(log.head for log in self.logs.values())

    def record(self, log: str, seq: int) -> bytes:
        """A record that is or was in a log, also in one that was deleted since the last confirmation."""
        every = (self.logs, *reversed(self.moments))
        return next(logs[log].records[seq - 1] for logs in every if log in logs and seq < logs[log].head)

    def mark(self) -> int:
        """All that was done up to now was done in one step, and is there together or not at all."""
        self.moments.append(copy.deepcopy(self.logs))
        return len(self.moments) - 1

    def confirm(self, moment: int) -> None:
        """The store has said that a moment is durable."""
        assert moment >= self.confirmed, "confirmations come in order"
        self.confirmed = moment

    def possible(self) -> list[State]:
        """What a crash may leave behind."""
        return [state_of(logs) for logs in self.moments[self.confirmed :]]

    def settle_on(self, found: State) -> None:
        """The store was found in one of the possible states: go on from there."""
        possible = self.possible()
        assert found in possible, f"\nfound    {found}\npossible {possible[:1]}\n     ... {possible[-1:]}"
        handed = {(log, cursor): c.handed for log, m in self.logs.items() for cursor, c in m.cursors.items()}
        self.logs = copy.deepcopy(self.moments[self.confirmed + possible.index(found)])
        for name, log in self.logs.items():
            for cursor_name, cursor in log.cursors.items():
                cursor.handed |= handed.get((name, cursor_name), set())
        self.start_again()

    def start_again(self) -> None:
        """A new life of the store: nothing is out, and what there is is durable."""
        for log in self.logs.values():
            for cursor in log.cursors.values():
                cursor.out.clear()
        self.moments = [copy.deepcopy(self.logs)]
        self.confirmed = 0


def state_of(logs: dict[str, LogModel]) -> State:
    """What can be observed of a store."""
    return {
        name: (
            log.head,
            log.version,
            {key: {seq: log.records[seq - 1] for seq in sorted(c.owed(log.head))} for key, c in log.cursors.items()},
        )
        for name, log in logs.items()
    }
