"""What many commands have in common: the flags that say which broker is meant, `--json`, how an action is declared."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from segue.broker.cli.failure import CommandFailure
from segue.broker.exit_codes import ExitCode

if TYPE_CHECKING:
    from segue.broker.settings import Settings

__all__ = [
    "COMMON_EXIT_CODES",
    "CONTROL_EXIT_CODES",
    "add_action",
    "add_json",
    "add_listen",
    "add_place",
    "amount",
    "flags_of",
    "milliseconds",
    "moment",
    "read_settings",
    "whole",
]

COMMON_EXIT_CODES: Final = (ExitCode.OK, ExitCode.USAGE, ExitCode.SETTINGS, ExitCode.INTERRUPTED)
"""What any command may end with."""
CONTROL_EXIT_CODES: Final = (*COMMON_EXIT_CODES, ExitCode.REFUSED, ExitCode.UNREACHABLE)
"""What a command may end with that asks a daemon."""

_AMOUNT_MAX: Final = 1_000_000
_DIGITS_MAX: Final = 18
_WHOLE_MAX: Final = 10**_DIGITS_MAX - 1
"""Less than what the daemon takes, and enough for every count there is."""

Run = Callable[[argparse.Namespace], int]


def add_action(
    actions: Any, name: str, text: str, run: Run, exit_codes: tuple[ExitCode, ...], *words: str
) -> argparse.ArgumentParser:
    """Declare an action of a command.

    Args:
        actions: what `add_subparsers` gave.
        name: of the action.
        text: what it does, in a few words, lower case.
        run: does it, and returns the exit code.
        exit_codes: all that `run` may return or raise; for the documentation.
        words: names of what is given without a flag.
    """
    description = text[0].upper() + text[1:] + "."
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text, description=description)
    for word in words:
        parser.add_argument(word.lower(), metavar=word, help=f"name of the {word.lower()}")
    parser.set_defaults(run=run, exit_codes=exit_codes)
    return parser


def add_place(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that say which broker is meant."""
    parser.add_argument("--config", metavar="FILE", type=Path, help="the broker's settings (see conf/segue.toml)")
    parser.add_argument("--data", metavar="DIR", help="the broker's data directory (storage.data_directory)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def add_listen(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that say where front-ends listen."""
    parser.add_argument("--stomp", metavar="HOST:PORT", help="where to listen for STOMP (stomp.listen)")
    parser.add_argument("--http", metavar="HOST:PORT", help="where to listen for HTTP (http.listen)")


def flags_of(arguments: argparse.Namespace) -> dict[str, str | None]:
    """What the flags of a command set, by dotted key; None where one was not given, or is none of this command's."""
    listen = {f"{name}.listen": getattr(arguments, name, None) for name in ("stomp", "http")}
    return {"storage.data_directory": arguments.data, **listen}


def read_settings(arguments: argparse.Namespace) -> Settings:
    """The settings that the flags lead to.

    Raises:
        CommandFailure: they have faults.
    """
    from segue.broker.settings import SettingsError, load_settings

    try:
        return load_settings(arguments.config, os.environ, flags_of(arguments))
    except SettingsError as error:
        raise CommandFailure(ExitCode.SETTINGS, "settings", str(error)) from error


def amount(unit: str, *, zero: bool = False) -> Callable[[str], float]:
    """A reader for flags that want a length of time, a rate: more than 0 and at most a million.

    Args:
        unit: what is counted, for the error.
        zero: whether it may be 0 as well.
    """

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not (0 < value <= _AMOUNT_MAX or (zero and value == 0)):
            bounds = f"{'from 0' if zero else 'more than 0 and'} up to {_AMOUNT_MAX:,}"
            raise argparse.ArgumentTypeError(f"{text!r} is not a number of {unit}, {bounds}")
        return value

    return read


def whole(minimum: int, maximum: int = _WHOLE_MAX) -> Callable[[str], int]:
    """A reader for flags that want a whole number, which may be written 1000000, 1_000_000 or 1,000,000."""

    def read(text: str) -> int:
        digits = text.replace(",", "").replace("_", "")
        is_number = digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS_MAX
        if not is_number or not minimum <= int(digits) <= maximum:
            raise argparse.ArgumentTypeError(f"{text[:80]!r} is not a whole number from {minimum} to {maximum:,}")
        return int(digits)

    return read


def milliseconds(text: str) -> int:
    """Read a flag that wants a length of time: `1500`, `90 s`, `7 d`."""
    from segue.broker.settings.quantity import parse_milliseconds

    try:
        return parse_milliseconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is {error}: write 1500, '90 s' or '7 d'") from error


def moment(text: str) -> int:
    """Read a flag that wants a time, in milliseconds since 1970: as such, or as a date and a time, in UTC by itself."""
    if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX:
        return int(text)
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        problem = f"{text[:80]!r} is no time: write '2030-12-24 18:00', '2030-12-24T18:00+01:00' or milliseconds"
        raise argparse.ArgumentTypeError(problem) from error
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() * 1000)
