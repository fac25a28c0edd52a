"""How quickly the journal is written, and so how large its next file should be. Pure: no clock, no disk.

A large file is rolled over seldom, which is what a broker under load wants: each roll syncs the directory. But every
file takes its whole size on the disk, and there are always some of them, so that a broker that writes little would hold
more journal than messages (docs/adr/0039-journal-files-by-pace.md). So a file is to last for some seconds.

Theory of operation. Growing is quick: a look that finds that a file would be full within `_FULL_SECONDS_MIN` doubles
the size, and the journal looks whenever it has begun a file. It doubles, and does not go to the full size at once,
because the next file has to be filled with zeros before the last spare is full. Shrinking is slow, by what was written
in `_PERIOD_SECONDS`: load that comes and goes would have files removed and made in turns.

A batch that no spare holds has to wait until a file for it alone is made, and what is left of the file before is lost.
So where large batches come again and again, a file has room for some of them beside what comes in a second.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FILE_BYTES_MIN", "Pace"]

FILE_BYTES_MIN: Final = 8 << 20
"""As the reserve of a full disk, two of these take 4,096 acknowledgements that come one by one."""
_FULL_SECONDS_MIN: Final = 1.0
"""A directory is synced in some milliseconds: less than a hundredth of this."""
_FULL_SECONDS_MAX: Final = 4.0
_FULL_SECONDS_AIM: Final = 2.0
"""Where shrinking ends: as far from growing again as from shrinking on."""
_PERIOD_SECONDS: Final = 10.0
_LARGEST_BATCHES: Final = 2


class Pace:
    """What was written lately.

    Attributes:
        file_bytes: the size of the next file.
    """

    def __init__(self, file_bytes: int, file_bytes_max: int, now: float, position: int) -> None:
        """Begins with files of `file_bytes`."""
        self.file_bytes = file_bytes
        self._file_bytes_max = file_bytes_max
        self._looked = self._began = now, position
        self._largest = 0  # since `_began`

    def look(self, now: float, position: int, largest: int = 0) -> int:
        """The journal stands at `position` now, and its `largest` batch since the last look took so many bytes.

        Returns:
            The size of the next file.
        """
        self._largest = max(self._largest, largest)
        full = _bytes_a_second(self._looked, now, position) * _FULL_SECONDS_MIN
        if full + largest * _LARGEST_BATCHES > self.file_bytes:
            self.file_bytes = min(2 * self.file_bytes, self._file_bytes_max)
        self._looked = now, position
        if now - self._began[0] >= _PERIOD_SECONDS:
            rate = _bytes_a_second(self._began, now, position)
            if rate * _FULL_SECONDS_MAX < self.file_bytes:
                aim = self._size_for(rate * _FULL_SECONDS_AIM + self._largest * _LARGEST_BATCHES)
                self.file_bytes = min(aim, self.file_bytes)
            self._began = now, position
            self._largest = 0
        return self.file_bytes

    def _size_for(self, size: float) -> int:
        fitting = FILE_BYTES_MIN
        while fitting < size:
            fitting *= 2
        return min(fitting, self._file_bytes_max)


def _bytes_a_second(since: tuple[float, int], now: float, position: int) -> float:
    then, stood = since
    return (position - stood) / max(now - then, 1e-3)
