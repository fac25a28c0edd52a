"""What is wrong with the settings: each fault with its place and the next step, and one error that carries them all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from segue.broker.exit_codes import ExitCode

__all__ = ["Fault", "KeyPath", "SettingsError", "did_you_mean", "show_key", "show_table", "show_value", "show_word"]

# Where a key stands: ("storage", "data_directory"), ("users", "alice", "password_hash").
KeyPath = tuple[str, ...]

# Long enough to recognize a value by, short enough for one line of a terminal.
_SHOWN_CHARACTERS_MAX = 60
_COMPARED_CHARACTERS_MAX = 120


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        place: `FILE:LINE`, the name of an environment variable, or a flag.
        key: what is at fault, as it is found in the file: `[storage] data_directory`, or `[users.alice]` for a whole
            table; empty for the file itself.
        problem: what is wrong with it, as the rest of a sentence that begins with the key.
        remedy: what to do, as an imperative.
    """

    place: str
    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.place}: {key}{self.problem}; {self.remedy}"


class SettingsError(Exception):
    """The settings can't be used. Its text has one line a fault.

    Attributes:
        faults: every fault that was found, those of the file first, in the order of its lines.
        exit_code: what the process should end with.
    """

    code: Final = "settings"
    exit_code: Final = ExitCode.SETTINGS

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


def show_key(path: KeyPath) -> str:
    """Write a key as it is found in the file: `[users.alice] password_hash`."""
    return f"{show_table(path[:-1])} {show_word(path[-1])}"


def show_table(path: KeyPath) -> str:
    """Write a section as it is found in the file: `[users.alice]`."""
    return f"[{'.'.join(show_word(part) for part in path)}]"


def show_value(raw: object) -> str:
    """Write what somebody gave, on one line, cut, with nothing in it that a terminal acts on."""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, str):
        return f'"{show_word(raw)}"'
    if isinstance(raw, dict):
        return "a table"
    if isinstance(raw, list | tuple):
        return "a list"
    return show_word(_integer_or_text(raw))


def show_word(text: str) -> str:
    """Write a string without control characters, ANSI sequences or bidirectional marks, cut to a readable length."""
    shown = "".join(
        character if character.isprintable() else f"\\u{ord(character):04x}"
        for character in text[:_SHOWN_CHARACTERS_MAX]
    )
    return f"{shown}..." if len(text) > _SHOWN_CHARACTERS_MAX else shown


def did_you_mean(word: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """Name the known word that is nearest to a misspelt one; None when none is as near as `likeness` (0 to 1)."""
    # Costs 3 ms to import, and is needed only when something is wrong already.
    import difflib

    by_folded = {_fold(name): name for name in known}
    # The time is the product of the lengths, and nobody misspells a key by a megabyte.
    near = difflib.get_close_matches(_fold(word[:_COMPARED_CHARACTERS_MAX]), by_folded, n=1, cutoff=likeness)
    return by_folded[near[0]] if near else None


def _fold(word: str) -> str:
    return word.casefold().replace("-", "_")


def _integer_or_text(raw: object) -> str:
    # CPython refuses to write integers of more than 4300 digits; TOML sets no limit.
    if isinstance(raw, int) and raw.bit_length() > 256:
        return "an integer of more than 256 bits"
    return str(raw)
