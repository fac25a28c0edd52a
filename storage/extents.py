"""Reading what lies on disk: from sequence numbers to records, whatever file or table they are in.

What can't be read for a reason that lies in the disk (EIO, too many open files) is an error, and may be tried again.
What can't be read because its bytes are wrong or gone is `Damage`: it is named number by number, and reading goes on
behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from segue.storage.block import PackedBlock, Run, unpack_block
from segue.storage.catalog import Catalog
from segue.storage.disk import Disk
from segue.storage.errors import DatabaseDamagedError, NewerFormatError
from segue.storage.log import Extent, Log
from segue.storage.quarantine import Damage
from segue.storage.segment import SegmentReader, open_segment

__all__ = ["READ_ERRORS", "ExtentReader", "Part", "piece_of"]

_KEPT_OPEN_MAX = 8
"""Segments kept open between two reads; each is a thread, two descriptors and half a MiB."""

_BLOCKS_A_READ_MAX = 64
"""Loose blocks in one call, as rows of a segment (`segment.py`)."""

READ_ERRORS = (OSError, NewerFormatError)
"""What reading raises when it is worth another try."""


class Part(NamedTuple):
    """What a read brought: runs of records and what is damaged, both rising; complete below `upto`."""

    runs: list[Run]
    damage: list[Damage]
    upto: int


def piece_of(extents: Sequence[Extent], bytes_max: int) -> list[Extent]:
    """What is read in one call, of `extents` from the first on: a segment, or loose blocks of about `bytes_max` bytes.

    A call for each loose block took a read of 1 MiB half a second under load, because each waits for the event loop.
    """
    piece = list(extents[:1])
    size = sum(extent.bytes for extent in piece)
    for extent in extents[1:_BLOCKS_A_READ_MAX]:
        size += extent.bytes
        if piece[0].path or extent.path or size > bytes_max:
            break
        piece.append(extent)
    return piece


class ExtentReader:
    """Reads segments and the catalog's loose blocks of any log.

    Attributes:
        bytes_read: of records, so far.
    """

    def __init__(self, disk: Disk, catalog: Catalog) -> None:
        self.bytes_read = 0
        self._open: dict[str, SegmentReader] = {}
        self._disk = disk
        self._catalog = catalog

    async def read_range(self, log: Log, seq: int, end: int, bytes_max: int) -> Part:
        """Records of a log that lie on disk, from `seq` on and below `end`, about `bytes_max` bytes.

        Raises:
            READ_ERRORS: the disk does not give them now.
        """
        end = min(end, log.ram_first)
        found = Part([], [], seq)
        total = 0
        while found.upto < end and total < bytes_max:
            index = log.extent_at(found.upto)
            ahead = [extent for extent in log.extents[index : index + _BLOCKS_A_READ_MAX] if extent.first < end]
            if not ahead:
                return found._replace(upto=end)
            piece = piece_of(ahead, bytes_max - total)
            try:
                part, size = await self.read(log, piece, found.upto, bytes_max - total)
            except READ_ERRORS:
                if set(piece) <= set(log.extents):
                    raise
                continue  # a checkpoint has replaced some of it meanwhile
            if part.damage and not set(piece) <= set(log.extents):
                continue
            total += size
            found = Part(found.runs + part.runs, found.damage + part.damage, part.upto)
        return found

    async def read(
        self,
        log: Log,
        piece: Sequence[Extent],
        seq: int,
        bytes_max: int,
        wanted: Callable[[int, int], object] = lambda first, last: True,
    ) -> tuple[Part, int]:
        """As `read_range`, within one piece; `seq` is in its first extent. Also returns the bytes that were read.

        `wanted`: whether anything of a block (first, last) is; of others the records are neither looked at nor
        returned.

        Raises:
            READ_ERRORS: the disk does not give them now.
        """
        extent = piece[0]
        seq = max(seq, extent.first)
        try:
            if extent.path:
                blocks, damage, upto = await self._read_segment(log, extent, seq, bytes_max)
            else:
                blocks, damage, upto = await self._catalog.loose_blocks(log, piece)
        except FileNotFoundError:
            blocks, damage, upto = [], [Damage(seq, extent.last, "its segment is missing")], extent.last + 1
        except DatabaseDamagedError as error:
            blocks, damage, upto = [], [Damage(seq, extent.last, str(error))], extent.last + 1
        runs: list[Run] = []
        for block in blocks:
            if wanted(block.first, block.last):
                sound, bad = unpack_block(block)
                runs += sound
                damage += bad
        # A block that was replaced is looked for again from `seq` on, not from its beginning.
        part = Part(_from(seq, runs), sorted(each for each in damage if each.last >= seq), max(seq, upto))
        size = sum(len(block.records) for block in blocks)
        self.bytes_read += size
        return part, size

    async def close(self) -> None:
        """Close the segments that were kept open."""
        while self._open:
            await self._open.popitem()[1].close()

    async def _read_segment(
        self, log: Log, extent: Extent, seq: int, bytes_max: int
    ) -> tuple[list[PackedBlock], list[Damage], int]:
        segment = self._open.pop(extent.path, None)
        if segment is not None and segment.position != seq:
            await segment.close()
            segment = None
        if segment is None:
            segment = await open_segment(self._disk, extent.path, log.id, self._catalog.salt, seq, extent.last)
        try:
            blocks: list[PackedBlock] = []
            while not blocks and not segment.done:
                blocks = await segment.read(bytes_max)
            damage, segment.damage = segment.damage, []
        except BaseException:
            await segment.close()
            raise
        await self._keep(extent.path, segment)
        return blocks, damage, segment.position

    async def _keep(self, path: str, segment: SegmentReader) -> None:
        """Reading mostly goes on where it stopped: opening again would cost three times as much as the read."""
        if segment.done or path in self._open:
            await segment.close()
        else:
            self._open[path] = segment
            if len(self._open) > _KEPT_OPEN_MAX:
                await self._open.pop(next(iter(self._open))).close()


def _from(seq: int, runs: list[Run]) -> list[Run]:
    """Without what stands before `seq` in the first block."""
    return [(max(seq, first), records[max(0, seq - first) :]) for first, records in runs if first + len(records) > seq]
