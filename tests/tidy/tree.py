"""The source tree as the tidy tests see it: which files are ours, and the Python ones parsed."""

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

__all__ = ["ROOT", "SOURCE_FOLDERS", "Module", "modules", "source_modules", "text_files"]

ROOT = Path(__file__).parents[2]
SOURCE_FOLDERS = ("broker", "protocols", "storage", "bench")

# Made by tools or by running the broker, and never committed (.gitignore).
_MADE = {"__pycache__", "build", "data", "dist", "htmlcov", "node_modules", "segue.egg-info"}


@dataclass(frozen=True)
class Module:
    """One Python file: `path` is relative to the root of the repository."""

    path: Path

    @cached_property
    def text(self) -> str:
        return (ROOT / self.path).read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=str(self.path))

    def __str__(self) -> str:
        return str(self.path)


@cache
def modules() -> tuple[Module, ...]:
    """Every Python file of ours, the tests included."""
    return tuple(Module(path) for path in _files() if path.suffix == ".py")


@cache
def source_modules() -> tuple[Module, ...]:
    """The Python files that are installed."""
    return tuple(module for module in modules() if module.path.parts[0] in SOURCE_FOLDERS)


@cache
def text_files() -> tuple[Path, ...]:
    """Every file of ours that a person reads, relative to the root: all but the licence."""
    return tuple(path for path in _files() if path.name != "LICENSE" and _is_text(ROOT / path))


@cache
def _files() -> tuple[Path, ...]:
    return tuple(sorted(_walk(ROOT)))


def _walk(top: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(top):
        inside = Path(folder).relative_to(ROOT)
        hidden = {name for name in folders if name.startswith(".") and name != ".ci"}
        folders[:] = [name for name in folders if name not in _MADE | hidden]
        yield from (inside / name for name in names if not name.startswith(".coverage"))


def _is_text(path: Path) -> bool:
    # A NUL in the first block is how git, too, tells binary from text.
    with path.open("rb") as file:
        return b"\0" not in file.read(8000)
