"""What a cursor has read ahead from disk: blocks of records, complete below `upto`."""

from __future__ import annotations

from collections import deque

__all__ = ["Block", "Window"]

Block = tuple[int, list[bytes]]
"""First sequence number and the records from there on, without a gap."""


class Window:
    """The read-ahead of one cursor.

    Invariant: every record with a sequence number in [what was taken, `upto`) that exists on disk is in here.

    Attributes:
        bytes: size of the records in it.
        upto: first sequence number that has not been read yet.
        reading: a read is on its way.
        generation: rises when the window is thrown away, so that a late read is recognised.
    """

    __slots__ = ("_blocks", "bytes", "generation", "reading", "upto")

    def __init__(self) -> None:
        self._blocks: deque[Block] = deque()
        self.bytes = 0
        self.upto = 0
        self.reading = False
        self.generation = 0

    def take(self, first: int, end: int) -> Block:
        """The records from `first` on and below `end`, as far as one block goes.

        A block that starts above `first` means that what lies between does not exist. No records: nothing of
        [first, upto) exists.
        """
        blocks = self._blocks
        while blocks:
            start, records = blocks[0]
            if start + len(records) > first:
                break
            blocks.popleft()
            self.bytes -= sum(map(len, records))
        else:
            return first, []
        begin = max(first, start)
        if begin >= end:
            return first, []
        return begin, records[begin - start : end - start]

    def fill(self, generation: int, blocks: list[Block], upto: int) -> None:
        """A read came back, complete below `upto`."""
        if generation != self.generation:
            return
        self.reading = False
        self.upto = upto
        for block in blocks:
            self._blocks.append(block)
            self.bytes += sum(map(len, block[1]))

    def failed(self, generation: int) -> None:
        """A read did not come back."""
        if generation == self.generation:
            self.reading = False

    def clear(self) -> None:
        """Throw it away; what is being read now will be ignored."""
        self._blocks.clear()
        self.bytes = self.upto = 0
        self.reading = False
        self.generation += 1
