"""Threads take no more address space than they need."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import threading
from segue.broker.allocator import bound_arenas

def addresses():
    return int(open("/proc/self/statm").read().split()[0]) * 4096

bound_arenas()
threading.stack_size(1 << 20)
before = addresses()
together = threading.Barrier(9)

def work():
    block = bytearray(50_000)
    together.wait()
    together.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
together.wait()
print((addresses() - before) >> 20)
together.wait()
"""


def test_eight_threads_share_one_arena() -> None:
    """Without the bound these are eight of 64 MiB."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, timeout=60)
    assert int(done.stdout) < 200
