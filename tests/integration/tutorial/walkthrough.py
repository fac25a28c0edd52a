"""Runs a page of the documentation as a reader would: its blocks, in order, in one shell, in an empty directory.

- A block of `sh` is run as it stands. The first command that fails ends the walk.
- A block of `python` or `toml` begins with a comment that names the file it is saved as, in the shell's directory.
- A block of `text` is what the block of `sh` before it prints: spaces count as one, and `...` stands for anything.
- A block without a language is only looked at.

The directory has `.venv` in it, as a checkout has. Nothing is replaced in the page; that it asks for another port than
a broker on this machine uses is for the page to allow, by a variable.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.helpers.ports import free_port
from tests.integration.tutorial.markdown import Block, blocks

__all__ = ["Walk", "walk_through"]

_SECONDS_MAX = 240
_NAMED = re.compile(r"# ([\w.-]+)\n")
_SAVED_LANGUAGES = ("python", "toml")


class Walk:
    """One run of a page: what is executed, what it prints, what the page says that it prints."""

    def __init__(self, page: Path, directory: Path) -> None:
        self._page = page
        self._shell_directory = directory / "checkout"
        self._parts_directory = directory / "parts"
        for folder in (self._shell_directory, self._parts_directory):
            folder.mkdir()
        (self._shell_directory / ".venv").symlink_to(sys.prefix)
        self._blocks = list(blocks(page))
        self.left_running = False

    def run(self) -> None:
        """Run the page to its end.

        Raises:
            AssertionError: a command failed, or it took too long; the text has what was printed last.
        """
        script = self._parts_directory / "all.sh"
        script.write_text("set -e\n" + "".join(self._steps()))
        with (self._parts_directory / "last.err").open("wb") as errors:
            process = subprocess.Popen(
                ["bash", str(script)],
                cwd=self._shell_directory,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
            try:
                code = process.wait(_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                code = -1
            self._end(process.pid)
            process.wait()
        assert code == 0, f"{self._page} ended with {code}:\n{self._last_words()}"

    def unexpected(self) -> Iterator[str]:
        """What the page says that is printed, and what was printed instead."""
        last = -1
        for number, block in enumerate(self._blocks):
            if block.language == "sh":
                last = number
            elif block.language == "text":
                assert last >= 0, f"{self._page}:{block.line}: output of what?"
                printed = self._output(last).read_text()
                if not _matches(block.text, printed):
                    yield f"{self._page}:{block.line} says\n{block.text}\nand this was printed:\n{printed}"

    def _steps(self) -> Iterator[str]:
        for number, block in enumerate(self._blocks):
            part = self._parts_directory / f"{number:02}"
            if block.language == "sh":
                part.write_text(block.text)
                yield f". {part} >{self._output(number)}\n"
            elif block.language in _SAVED_LANGUAGES:
                part.write_text(block.text)
                yield f"cp {part} {_name_of(self._page, block)}\n"

    def _output(self, number: int) -> Path:
        return self._parts_directory / f"{number:02}.out"

    def _end(self, group: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
            self.left_running = True

    def _last_words(self) -> str:
        outputs = sorted(self._parts_directory.glob("*.out"))
        texts = [path.read_text() for path in (*outputs[-1:], self._parts_directory / "last.err")]
        logs = [path.read_text() for path in self._shell_directory.rglob("broker.log")]
        return "\n".join([*texts, *logs])


def walk_through(page: Path, directory: Path) -> Walk:
    """Run a page in an empty directory; everything that it started has ended when this returns."""
    walk = Walk(page, directory)
    walk.run()
    return walk


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEGUE_", "PYTHON", "PIP_"))}
    # What a page installs is installed already: pip has nothing to ask a registry for.
    # Several pages run at a time, and 8080 is there once.
    ports = {"PORT": str(free_port()), "SEGUE_HTTP__LISTEN": "127.0.0.1:0"}
    return {**kept, **ports, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def _name_of(page: Path, block: Block) -> str:
    named = _NAMED.match(block.text)
    assert named is not None, f"{page}:{block.line}: the first line has to name the file"
    return named[1]


def _matches(expected: str, printed: str) -> bool:
    pattern = re.escape(_squeeze(expected)).replace(re.escape("..."), ".*")
    return re.fullmatch(pattern, _squeeze(printed)) is not None


def _squeeze(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())
