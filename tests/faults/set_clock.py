"""The daemon on a machine whose clock is set: `python -m tests.faults.set_clock serve ...`.

The file that `SET_CLOCK_FILE` names says by how many seconds the clock on the wall was set, and may be written at any
time. While it is empty or missing, nobody has set it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from segue.broker import daemon
from segue.broker.cli import main
from segue.broker.clock import SystemClock

__all__: list[str] = []


class SetClock(SystemClock):
    """See the module."""

    def now_ms(self) -> int:
        state = Path(os.environ["SET_CLOCK_FILE"])
        seconds = int(state.read_text() or 0) if state.exists() else 0
        return super().now_ms() + seconds * 1000


if __name__ == "__main__":
    # To set the clock of the machine would not do for a test; what is replaced is the seam that is there for it.
    vars(daemon)["SystemClock"] = SetClock
    sys.exit(main())
