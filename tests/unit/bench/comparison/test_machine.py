"""The machine in words."""

import os
from pathlib import Path

from segue.bench.comparison.machine import describe_machine


def test_every_line_of_the_description_says_something(tmp_path: Path) -> None:
    machine = describe_machine(tmp_path)
    assert machine.cores == len(os.sched_getaffinity(0))
    assert machine.memory_gib > 0
    assert all((machine.processor, machine.kernel, machine.system, machine.file_system))
    assert machine.python.startswith("3.")
