"""The three places that settings come from: a TOML file, the environment, flags. Each gives raw values with origin.

Nothing is interpreted here but syntax: whether a key exists and what its value means is the reader's (loader).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segue.broker.settings.faults import Fault, KeyPath, did_you_mean, show_word
from segue.broker.settings.keys import ENVIRONMENT_PREFIX
from segue.broker.settings.named import NAMED
from segue.broker.settings.toml_lines import scan_lines
from segue.broker.settings.tree import Origin

__all__ = ["Given", "TomlFile", "from_environment", "from_flags", "read_toml"]

# The whole of conf/segue.toml is 20 KiB; ten thousand users are 2 MiB.
_FILE_BYTES_MAX = 8 * 1024 * 1024
# A letter or an underscore too many or too few in a name of thirty.
_LIKENESS_OF_A_SLIP = 0.9
_TOML_PLACE = re.compile(r" \(at (?:line ([0-9]+), column [0-9]+|end of document)\)")


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody gave.

    Attributes:
        path: where it belongs: section and key, or `("users", NAME, key)`.
        raw: the value as the source has it.
        is_text: whether it is text that stands for a value, as in the environment.
        origin: where it came from.
    """

    path: KeyPath
    raw: object
    is_text: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A file as it was read.

    Attributes:
        name: the file's name, as it was given.
        tables: what stands in it; only what stands above the fault when its syntax is wrong.
        lines: the line of each key.
        faults: what makes it unreadable.
    """

    name: str
    tables: Mapping[str, Any]
    lines: Mapping[KeyPath, int]
    faults: tuple[Fault, ...] = ()

    def place(self, path: KeyPath) -> str:
        """Say where a key stands: `FILE:LINE`."""
        return f"{self.name}:{self.lines.get(path, 1)}"

    def section(self, path: KeyPath, table: Mapping[str, object]) -> Iterator[Given]:
        """List the values of a table."""
        for name, raw in table.items():
            yield Given((*path, name), raw, False, Origin(self.place((*path, name))))


def read_toml(path: Path) -> TomlFile:
    """Read a TOML file. Never raises: what is wrong with the file is in `faults`."""
    name = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        problem = f"can't be read: {error.strerror}"
        return _unreadable(name, problem, "check the path and its permissions, or leave --config away")
    if len(raw) > _FILE_BYTES_MAX:
        return _unreadable(name, f"is larger than {_FILE_BYTES_MAX} bytes", "check that it is the settings file")
    try:
        # utf-8-sig: editors on Windows put a byte order mark in front.
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return _unreadable(
            f"{name}:{line}", f"has a byte that is not UTF-8 (0x{raw[error.start]:02x})", "save it as UTF-8"
        )
    return _parse(name, text)


def from_environment(
    environ: Mapping[str, str], section_names: Collection[str], variables: Collection[str]
) -> tuple[list[Given], list[Fault]]:
    """Take what is meant for Segue from the environment.

    Args:
        environ: all of the environment.
        section_names: the sections that there are.
        variables: the names of all variables that there are, to guess what was meant by another.

    Returns:
        The values, and a fault for each variable that begins with SEGUE_ and means nothing. One without `__` may be
        somebody else's, and is a fault only when it looks like a setting that was misspelt.
    """
    given: list[Given] = []
    faults: list[Fault] = []
    by_upper = {name.upper(): name for name in section_names}
    for variable, text in sorted(environ.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        head, separator, rest = variable.removeprefix(ENVIRONMENT_PREFIX).partition("__")
        path = _path(by_upper.get(head), rest)
        if path is not None:
            given.append(Given(path, text, True, Origin(variable)))
        elif separator or did_you_mean(variable, variables, _LIKENESS_OF_A_SLIP):
            faults.append(_unknown_variable(variable, variables))
    return given, faults


def from_flags(flags: Mapping[str, object], flag_names: Mapping[KeyPath, str]) -> list[Given]:
    """Take values from the command line.

    Args:
        flags: values by dotted key, `{"storage.data_directory": "data"}`; None for a flag that was not used. Text is
            read as it would be from the environment.
        flag_names: the flag that sets a key, for messages.
    """
    used = {tuple(key.split(".")): value for key, value in flags.items() if value is not None}
    return [
        Given(path, value, isinstance(value, str), Origin(flag_names.get(path, f"flag {'.'.join(path)}")))
        for path, value in used.items()
    ]


def _parse(name: str, text: str) -> TomlFile:
    import tomllib  # 4 ms, and not needed without a file

    try:
        tables = tomllib.loads(text)
    except RecursionError:
        return _unreadable(name, "has brackets nested too deep", "check that it is the settings file")
    # Not only TOMLDecodeError: an integer of thousands of digits, or the 31st of February, is a bare ValueError.
    except ValueError as error:
        return _cut_at_fault(name, text, str(error))
    return TomlFile(name, tables, scan_lines(text))


def _cut_at_fault(name: str, text: str, message: str) -> TomlFile:
    """Keep what stands above a fault of syntax, so that its other faults are reported in the same run."""
    lines = text.split("\n")
    place = _TOML_PLACE.search(message)
    line = int(place[1]) if place and place[1] else len(lines) if place else None
    problem = _TOML_PLACE.sub("", message)
    shown = f"{name}:{line}" if line else name
    fault = Fault(shown, "", f"is not valid TOML: {problem[:1].lower()}{problem[1:]}", _syntax_remedy(problem))
    above = "\n".join(lines[: (line or 1) - 1])
    import tomllib

    try:
        return TomlFile(name, tomllib.loads(above), scan_lines(above), (fault,))
    except ValueError:
        return TomlFile(name, {}, {}, (fault,))


def _syntax_remedy(problem: str) -> str:
    if problem.startswith("Invalid value"):
        return 'put text into quotes, for example level = "info"'
    if "overwrite" in problem or "declare" in problem:
        return "keep one of the two"
    return "correct this line, or the one above it"


def _unreadable(place: str, problem: str, remedy: str) -> TomlFile:
    return TomlFile(place, {}, {}, (Fault(place, "", problem, remedy),))


def _path(section: str | None, rest: str) -> KeyPath | None:
    if section is None or not rest:
        return None
    if section not in NAMED:
        return (section, rest.lower())
    # The last `__` parts the name, of a user say, from the key; it is taken as it stands.
    name, _, key = rest.rpartition("__")
    return (section, name, key.lower()) if name else None


def _unknown_variable(variable: str, variables: Collection[str]) -> Fault:
    near = did_you_mean(variable, variables, _LIKENESS_OF_A_SLIP)
    remedy = f"did you mean {near}?" if near else "unset it, or write SEGUE_SECTION__KEY with a section of the settings"
    return Fault(show_word(variable), "", "is no setting", remedy)
