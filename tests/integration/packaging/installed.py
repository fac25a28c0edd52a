"""Segue built as a wheel and installed into an environment that holds nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Environment", "Wheel", "build_wheel", "run"]

_ROOT = Path(__file__).parents[3]
# What is not source: copying it would take time, and stale output of an earlier build would end up in the wheel.
_NOT_SOURCE = shutil.ignore_patterns(".*", "build", "data", "dist", "*.egg-info", "__pycache__", "tests", "docs")


@dataclass(frozen=True)
class Environment:
    """A virtual environment of its own, without even pip in it."""

    path: Path

    @classmethod
    def make(cls, path: Path) -> Environment:
        venv.create(path, with_pip=False, symlinks=True)
        return cls(path)

    @property
    def python(self) -> Path:
        return self.path / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        (folder,) = self.path.glob("lib/python*/site-packages")
        return folder

    def install(self, what: Path) -> None:
        """Install a wheel or a source folder, with all that it depends on."""
        run(sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet", str(what), cwd=self.path)

    def segue(self, *arguments: str) -> str:
        """Run the installed command and return what it prints."""
        return run(str(self.path / "bin" / "segue"), *arguments, cwd=self.path)

    def run_python(self, *arguments: str) -> str:
        """Run the environment's Python, warnings as errors, and return what it prints."""
        return run(str(self.python), "-W", "error", *arguments, cwd=self.path)


@dataclass(frozen=True)
class Wheel:
    """A built wheel, and the copy of the source that it was built from."""

    path: Path
    source: Path

    @property
    def names(self) -> set[str]:
        """The paths of the files in it."""
        with zipfile.ZipFile(self.path) as archive:
            return set(archive.namelist())


def build_wheel(scratch: Path) -> Wheel:
    """Build a source distribution, and the wheel from that: so a file that either forgets is missing in the end."""
    source = scratch / "source"
    shutil.copytree(_ROOT, source, ignore=_NOT_SOURCE)
    run(sys.executable, "-m", "build", "--outdir", str(scratch / "dist"), cwd=source)
    (wheel,) = (scratch / "dist").glob("*.whl")
    return Wheel(wheel, source)


def run(*command: str, cwd: Path) -> str:
    """Run a command to its end and return its output; it fails the test with all that it said."""
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, f"{' '.join(command)}: exit code {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout
