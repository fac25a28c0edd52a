"""The last number of each producer that one queue remembers: what is not higher is a repeat.

Each producer numbers his messages, rising; gaps are allowed. One number is kept for each, for as long as he is among
the `PRODUCERS_MAX` that published last, whatever the window of ids is.

Durable: each batch appends the numbers that it has raised to the companion log. When that has grown, all of them are
written anew behind it, in one batch with the forgetting of what stands before: the log stays as short as the table.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from segue.broker.deduplication.companion import CompanionLog
from segue.broker.deduplication.entries import pack_producer, producers_of
from segue.broker.deduplication.recollection import Recollection

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["PRODUCERS_MAX", "Producers"]

PRODUCERS_MAX: Final = 10_000
"""Producers of a queue, some 2 MB. Pulsar forgets a producer after six hours without a word, Kafka after a day."""
_ENTRIES_MORE: Final = 2_000
"""The log may have so many entries beside twice those that are needed, before it is written anew."""


class Producers(Recollection):
    """See the module."""

    def __init__(self, node: Node, companion: CompanionLog | None, *, read_back: bool) -> None:
        """See `Recollection`."""
        super().__init__(node, companion, read_back=read_back)
        self._last: OrderedDict[bytes, tuple[int, int]] = OrderedDict()  # the one that published last comes last
        self._raised: dict[bytes, None] = {}  # in the open batch
        self._entries = 0  # in the companion log

    def __len__(self) -> int:
        return len(self._last)

    def last(self, digest: bytes) -> tuple[int, int]:
        """The last number of a producer and its message's sequence number; (0, 0) when he is not known.

        Raises:
            RecallPendingError: that has to be read from disk.
        """
        if not self.is_read:
            raise self._pending()
        return self._last.get(digest, (0, 0))

    def remember(self, digest: bytes, number: int, seq: int) -> None:
        """A message was accepted; durable with the open batch."""
        if self._companion is not None and not self._raised:
            self._companion.call_when_sealed(self._write)
        self._raised[digest] = None
        self._put(digest, number, seq)

    def _put(self, digest: bytes, number: int, seq: int) -> None:
        last = self._last
        last[digest] = number, seq
        last.move_to_end(digest)
        if len(last) > PRODUCERS_MAX:
            last.popitem(last=False)

    def _write(self) -> None:
        """The batch is about to be sealed."""
        companion = self._companion
        assert companion is not None
        last = self._last
        raised, self._raised = self._raised, {}
        if self._entries + len(raised) > 2 * len(last) + _ENTRIES_MORE:
            first, _ = companion.append(self._body(list(last)))
            companion.forget_below(first)
            self._entries = len(last)
        else:
            companion.append(self._body([digest for digest in raised if digest in last]))
            self._entries += len(raised)

    def _body(self, digests: list[bytes]) -> bytes:
        last = self._last
        return b"".join([pack_producer(digest, *last[digest]) for digest in digests])

    async def _recollect(self) -> None:
        companion = self._companion
        assert companion is not None
        self._last.clear()
        self._entries = 0
        async for _, _, body in companion.read(companion.first, companion.log.sealed):
            for digest, number, seq in producers_of(body):
                self._put(digest, number, seq)
                self._entries += 1
        self.is_read = True
