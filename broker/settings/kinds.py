"""The kinds of value that a setting can have: how each is read from TOML and from text, and how it is written.

A kind raises ValueError with the rest of a sentence that begins with the key: `is true, not a number of bytes ...`.
A front-end from elsewhere may bring kinds of its own.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from segue.broker.settings.address import ListenAddress
from segue.broker.settings.faults import show_value
from segue.broker.settings.password_hash import PasswordHash
from segue.broker.settings.quantity import parse_seconds, parse_size, show_seconds, show_size

__all__ = [
    "Addresses",
    "Choice",
    "Count",
    "Flag",
    "Hash",
    "Kind",
    "Names",
    "Origins",
    "PathName",
    "PathNames",
    "Seconds",
    "Size",
    "quote",
    "told",
    "whole_number",
]

T = TypeVar("T")

# PATH_MAX of Linux, with the final NUL.
_PATH_BYTES_MAX = 4095
_ADDRESSES_MAX = 64
# RFC 1123 §2.1, and `*` for any; ports and paths are no part of a name.
_is_host_name = re.compile(r"\*|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?").fullmatch
# RFC 6454 §6.2: scheme, name and port. Pages without an origin of their own, such as local files, say `null`.
_is_origin = re.compile(r"\*|null|https?://[A-Za-z0-9\[][A-Za-z0-9.:\]-]{0,260}").fullmatch


class Kind(ABC, Generic[T]):
    """One kind of value.

    Attributes:
        unit: what a number of it counts, for the documentation; empty where there is nothing to count.
        choices: what may be written, in words; empty where that is not a few words.
        example: a value to write, as TOML; shown to somebody who wrote something else.
    """

    unit: str = ""
    choices: str = ""
    example: str

    @property
    def remedy(self) -> str:
        """What somebody should do who has no such value."""
        return f"write for example {self.example}"

    @abstractmethod
    def read(self, raw: object) -> T:
        """Take a value that came from TOML, or from a flag.

        Raises:
            ValueError: it is not of this kind.
        """

    def read_text(self, text: str) -> T:
        """Take a value that came from the environment, where everything is text."""
        return self.read(text)

    @abstractmethod
    def toml(self, value: T) -> str:
        """Write a value so that `read` takes it from TOML again."""

    @abstractmethod
    def plain(self, value: T) -> object:
        """Turn a value into what JSON has: numbers in their unit, strings, lists."""

    def show(self, value: T) -> str:
        """Write a value for a sentence."""
        return self.toml(value)


class Count(Kind[int]):
    """A number of things."""

    example = "100"

    def __init__(self, unit: str) -> None:
        self.unit = unit

    def read(self, raw: object) -> int:
        return whole_number(raw, "a whole number")

    def read_text(self, text: str) -> int:
        number = text.strip().replace("_", "")
        digits = number.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18):
            raise ValueError(f"is {show_value(text)}, not a whole number")
        return int(number)

    def toml(self, value: int) -> str:
        return str(value)

    def plain(self, value: int) -> object:
        return value


class Size(Kind[int]):
    """A number of bytes."""

    unit = "bytes"
    example = '"64 MiB"'

    def read(self, raw: object) -> int:
        if isinstance(raw, str):
            return told(raw, parse_size)
        return whole_number(raw, "a number of bytes")

    def toml(self, value: int) -> str:
        return f'"{show_size(value)}"'

    def plain(self, value: int) -> object:
        return value

    def show(self, value: int) -> str:
        return show_size(value)


class Seconds(Kind[float]):
    """A duration."""

    unit = "seconds"
    example = "30"

    def read(self, raw: object) -> float:
        if isinstance(raw, str):
            return told(raw, parse_seconds)
        if isinstance(raw, bool) or not isinstance(raw, int | float):
            raise ValueError(f"is {show_value(raw)}, not a number of seconds")
        if isinstance(raw, float) and not math.isfinite(raw):
            raise ValueError(f"is {raw}, not a number of seconds")
        # An integer that is too large for a float is too large for any setting; a float keeps it comparable.
        return float(min(max(raw, -(10**18)), 10**18))

    def toml(self, value: float) -> str:
        return show_seconds(value)

    def plain(self, value: float) -> object:
        return value

    def show(self, value: float) -> str:
        return f"{show_seconds(value)} s"


class Choice(Kind[str]):
    """One word of a few."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.choices = " or ".join(words)
        self.example = quote(words[0])

    def read(self, raw: object) -> str:
        if not isinstance(raw, str) or raw not in self.words:
            raise ValueError(f"is {show_value(raw)}, not one of {', '.join(self.words)}")
        return raw

    def toml(self, value: str) -> str:
        return quote(value)

    def plain(self, value: str) -> object:
        return value


class Flag(Kind[bool]):
    """Yes or no."""

    choices = "true or false"
    example = "true"
    _WORDS: ClassVar = {"true": True, "false": False}

    def read(self, raw: object) -> bool:
        if not isinstance(raw, bool):
            raise ValueError(f"is {show_value(raw)}, not true or false")
        return raw

    def read_text(self, text: str) -> bool:
        if text not in self._WORDS:
            raise ValueError(f"is {show_value(text)}, not true or false")
        return self._WORDS[text]

    def toml(self, value: bool) -> str:
        return "true" if value else "false"

    def plain(self, value: bool) -> object:
        return value


class PathName(Kind[Path]):
    """A file or a directory, not looked at here."""

    example = '"/var/lib/segue"'

    def read(self, raw: object) -> Path:
        if isinstance(raw, Path):
            raw = str(raw)
        if not isinstance(raw, str):
            raise ValueError(f"is {show_value(raw)}, not a path")
        # Undecodable octets come out of the environment as lone surrogates, which are not printable either.
        if not (raw and raw.isprintable() and len(raw.encode()) <= _PATH_BYTES_MAX):
            raise ValueError(f"is {show_value(raw)}: empty, too long, or with characters that can't be shown")
        return Path(raw)

    def toml(self, value: Path) -> str:
        return quote(str(value))

    def plain(self, value: Path) -> object:
        return str(value)


class PathNames(Kind[tuple[Path, ...]]):
    """Files, not looked at here."""

    example = '["/etc/ssl/private/authority.pem"]'

    def read(self, raw: object) -> tuple[Path, ...]:
        if not isinstance(raw, list | tuple):
            raise ValueError(f"is {show_value(raw)}, not a list of paths")
        return tuple(map(PathName().read, raw))

    def read_text(self, text: str) -> tuple[Path, ...]:
        return self.read(text.split(":") if text else [])  # as in PATH

    def toml(self, value: tuple[Path, ...]) -> str:
        return f"[{', '.join(quote(str(path)) for path in value)}]"

    def plain(self, value: tuple[Path, ...]) -> object:
        return list(map(str, value))


class Addresses(Kind[tuple[ListenAddress, ...]]):
    """Addresses to listen on; none turns the front-end off."""

    example = '["127.0.0.1:61613"]'

    def read(self, raw: object) -> tuple[ListenAddress, ...]:
        if not isinstance(raw, list | tuple):
            raise ValueError(f"is {show_value(raw)}, not a list of addresses")
        if len(raw) > _ADDRESSES_MAX:
            raise ValueError(f"has {len(raw)} addresses, more than {_ADDRESSES_MAX}")
        addresses = tuple(self._read_one(one) for one in raw)
        twice = [address for address in addresses if address.port and addresses.count(address) > 1]
        if twice:
            raise ValueError(f"has {twice[0]} twice")
        return addresses

    def read_text(self, text: str) -> tuple[ListenAddress, ...]:
        # No address has a comma in it; an empty text is the empty list.
        return self.read([part.strip() for part in text.split(",")] if text.strip() else [])

    def toml(self, value: tuple[ListenAddress, ...]) -> str:
        return f"[{', '.join(quote(str(address)) for address in value)}]"

    def plain(self, value: tuple[ListenAddress, ...]) -> object:
        return [str(address) for address in value]

    def _read_one(self, raw: object) -> ListenAddress:
        if not isinstance(raw, str):
            raise ValueError(f"has {show_value(raw)}, not an address, in its list")
        return told(raw, ListenAddress.parse)


class Names(Kind[tuple[str, ...]]):
    """Names of hosts."""

    example = '["queues.example.org"]'
    _one = "the name of a host"
    _is_one = staticmethod(_is_host_name)

    def read(self, raw: object) -> tuple[str, ...]:
        if not isinstance(raw, list | tuple):
            raise ValueError(f"is {show_value(raw)}, not a list of names")
        for name in raw:
            if not isinstance(name, str) or not self._is_one(name):
                raise ValueError(f"has {show_value(name)}, not {self._one}, in its list")
        return tuple(raw)

    def read_text(self, text: str) -> tuple[str, ...]:
        return self.read([part.strip() for part in text.split(",")] if text.strip() else [])

    def toml(self, value: tuple[str, ...]) -> str:
        return f"[{', '.join(map(quote, value))}]"

    def plain(self, value: tuple[str, ...]) -> object:
        return list(value)


class Origins(Names):
    """Origins of pages."""

    example = '["https://shop.example"]'
    _one = "the origin of a page"
    _is_one = staticmethod(_is_origin)


class Hash(Kind[PasswordHash]):
    """A password's hash. It is read, and never written: not into faults, not by `segue config show`."""

    example = '"$argon2id$v=19$m=19456,t=2,p=1$..."'
    _HIDDEN = "(hidden)"

    @property
    def remedy(self) -> str:
        return "write what `segue user hash` prints"

    def read(self, raw: object) -> PasswordHash:
        if not isinstance(raw, str):
            raise ValueError("is not a string")
        return PasswordHash.parse(raw)

    def toml(self, value: PasswordHash) -> str:
        return quote(self._HIDDEN)

    def plain(self, value: PasswordHash) -> object:
        return self._HIDDEN


def quote(text: str) -> str:
    r"""Write a TOML basic string. What can't be printed is escaped: nothing in it can move a terminal's cursor."""
    return f'"{"".join(_escape(character) for character in text)}"'


def _escape(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    return character if character.isprintable() else f"\\U{ord(character):08X}"


def whole_number(raw: object, expected: str) -> int:
    """Take an integer of 64 bits, or raise ValueError: it is not what was `expected`."""
    # bool is an int in Python, and `connections_max = true` is not 1. TOML sets no limit to its integers.
    if isinstance(raw, bool) or not isinstance(raw, int) or raw.bit_length() > 63:
        raise ValueError(f"is {show_value(raw)}, not {expected}")
    return raw


def told(raw: str, parse: Callable[[str], T]) -> T:
    """Parse, and have the sentence begin with what was given."""
    try:
        return parse(raw)
    except ValueError as fault:
        raise ValueError(f"is {show_value(raw)}, {fault}") from None
