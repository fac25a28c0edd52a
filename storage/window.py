"""What a cursor has read ahead from disk: runs of records, complete below `upto`."""

from __future__ import annotations

from collections import deque

from segue.storage.block import Run
from segue.storage.quarantine import Damage

__all__ = ["Window"]


class Window:
    """The read-ahead of one cursor.

    Invariant: every record with a sequence number in [what was taken, `upto`) that exists on disk is in here, or in
    `damage`.

    Attributes:
        bytes: size of the records in it.
        upto: first sequence number that has not been read yet.
        damage: what could not be read, rising; the cursor sets it aside when it gets there.
        reading: a read is on its way.
        generation: rises when the window is thrown away, so that a late read is recognised.
    """

    __slots__ = ("_runs", "bytes", "damage", "generation", "reading", "upto")

    def __init__(self) -> None:
        self._runs: deque[Run] = deque()
        self.bytes = 0
        self.upto = 0
        self.damage: deque[Damage] = deque()
        self.reading = False
        self.generation = 0

    def take(self, first: int, limit: int) -> Run:
        """At most `limit` records, the first that exist from `first` on, as far as one run goes.

        Returns:
            A run that may begin above `first`: what lies between does not exist. One without records begins at
            `upto`: there are no more in here.
        """
        runs = self._runs
        while runs:
            start, records = runs[0]
            if start + len(records) > first:
                begin = max(first, start)
                return begin, records[begin - start : begin - start + limit]
            runs.popleft()
            self.bytes -= sum(map(len, records))
        return max(first, self.upto), []

    def pick(self, seqs: list[int]) -> list[bytes]:
        """Records of these numbers, rising, up to the first that is not here; `take` is not asked for earlier ones."""
        runs, found = self._runs, []
        for seq in seqs:
            while runs and runs[0][0] + len(runs[0][1]) <= seq:
                self.bytes -= sum(map(len, runs.popleft()[1]))
            if not runs or seq < runs[0][0]:
                break
            found.append(runs[0][1][seq - runs[0][0]])
        return found

    def fill(self, generation: int, runs: list[Run], damage: list[Damage], upto: int) -> None:
        """A read came back, complete below `upto`."""
        if generation != self.generation:
            return
        self.reading = False
        self.upto = upto
        self.damage += damage
        for run in runs:
            self._runs.append(run)
            self.bytes += sum(map(len, run[1]))

    def failed(self, generation: int) -> None:
        """A read did not come back."""
        if generation == self.generation:
            self.reading = False

    def clear(self) -> None:
        """Throw it away; what is being read now will be ignored."""
        self._runs.clear()
        self.damage.clear()
        self.bytes = self.upto = 0
        self.reading = False
        self.generation += 1
