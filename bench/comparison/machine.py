"""What the comparison ran on: figures without it mean nothing."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Machine", "describe_machine"]


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine, in words."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    system: str
    file_system: str
    python: str


def describe_machine(directory: Path) -> Machine:
    """This machine; the file system is that of `directory`."""
    return Machine(
        processor=_field("/proc/cpuinfo", "model name") or platform.machine(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(int((_field("/proc/meminfo", "MemTotal") or "0").split()[0]) / 1024**2, 1),
        kernel=platform.release(),
        system=_system(),
        file_system=_file_system(directory),
        python=platform.python_version(),
    )


def _field(path: str, name: str) -> str:
    text = Path(path).read_text(encoding="utf-8")
    found = re.search(rf"^{re.escape(name)}\s*:\s*(.*)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def _file_system(directory: Path) -> str:
    """Kind and device of the mount with this device number."""
    number = directory.stat().st_dev
    wanted = f"{os.major(number)}:{os.minor(number)}"
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields, _, kind = line.partition(" - ")
        if fields.split()[2] == wanted:
            return " on ".join(kind.split()[:2])
    return "unknown"
