"""Declaring a setting: what is known about each besides its type, and how to list those of a section.

    @dataclass(frozen=True, slots=True)
    class Lines:
        '''The line protocol.'''

        line_bytes_max: int = size(4 * KIB, "The longest line.", minimum=80, maximum=1 * MIB)

A front-end from elsewhere declares its section in just this way and names the class in the entry-point group
`segue.settings`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from segue.broker.settings.address import ListenAddress
from segue.broker.settings.faults import KeyPath
from segue.broker.settings.kinds import (
    Addresses,
    Choice,
    Count,
    Flag,
    Kind,
    Names,
    Origins,
    PathName,
    PathNames,
    Seconds,
    Size,
)
from segue.broker.settings.networks import Network, Networks

__all__ = [
    "ENVIRONMENT_PREFIX",
    "Key",
    "Setting",
    "addresses",
    "boolean",
    "choice",
    "count",
    "keys_of",
    "names",
    "networks",
    "optional",
    "origins",
    "path_name",
    "path_names",
    "required",
    "seconds",
    "size",
]

T = TypeVar("T")

ENVIRONMENT_PREFIX = "SEGUE_"
_SETTING = "segue.setting"


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """What a field's type and default don't say.

    Attributes:
        kind: how it is read and written.
        text: what it means, in sentences.
        minimum: the smallest value that is taken; None where values have no order.
        maximum: the largest.
        flag: the flag of `segue serve` that sets it, if there is one.
    """

    kind: Kind[T]
    text: str
    minimum: T | None = None
    maximum: T | None = None
    flag: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A setting at its place.

    Attributes:
        path: the section and the name: `("storage", "data_directory")`.
        setting: what is known about it.
        default: None when it has none.
        required: it must be given.
    """

    path: KeyPath
    setting: Setting[Any]
    default: Any
    required: bool

    @property
    def name(self) -> str:
        """The name within its section."""
        return self.path[-1]

    @property
    def environment(self) -> str:
        """The environment variable: `SEGUE_STORAGE__DATA_DIRECTORY`. The name of a user or policy keeps its case."""
        *section, name = self.path
        head = "__".join([section[0].upper(), *section[1:], name.upper()])
        return f"{ENVIRONMENT_PREFIX}{head}"

    @property
    def range_text(self) -> str:
        """The bounds in words; empty where there are none."""
        setting = self.setting
        if setting.minimum is None:
            return ""
        return f"{setting.kind.show(setting.minimum)} to {setting.kind.show(setting.maximum)}"

    def check_range(self, value: Any) -> None:
        """Raise ValueError when a value that was read is outside of the bounds."""
        setting = self.setting
        if setting.minimum is not None and not setting.minimum <= value <= setting.maximum:
            raise ValueError(f"is {setting.kind.show(value)}, outside of {self.range_text}")


def keys_of(path: KeyPath, section: type[Any]) -> Iterator[Key]:
    """List the settings that a section's class declares, in the order of their declaration.

    Args:
        path: where the section stands: `("storage",)`.
        section: a dataclass, each of its fields declared with a function of this module.
    """
    for declared in fields(section):
        required = declared.default is MISSING
        default = None if required else declared.default
        yield Key((*path, declared.name), cast("Setting[Any]", declared.metadata[_SETTING]), default, required)


def size(default: int, text: str, *, minimum: int, maximum: int) -> int:
    """Declare a number of bytes; its name ends with `_bytes` or with `_bytes_max`."""
    return _declare(default, Setting(Size(), text, minimum, maximum))


def seconds(default: float, text: str, *, minimum: float, maximum: float) -> float:
    """Declare a duration; its name ends with `_seconds`."""
    return _declare(float(default), Setting(Seconds(), text, float(minimum), float(maximum)))


def count(default: int, unit: str, text: str, *, minimum: int, maximum: int) -> int:
    """Declare a number of things; its name ends with what is counted, or with `_max`."""
    return _declare(default, Setting(Count(unit), text, minimum, maximum))


def choice(default: str, words: tuple[str, ...], text: str) -> str:
    """Declare one word of a few."""
    return _declare(default, Setting(Choice(*words), text))


def boolean(default: bool, text: str) -> bool:
    """Declare a yes or no."""
    return _declare(default, Setting(Flag(), text))


def path_name(default: Path, text: str, *, flag: str | None = None) -> Path:
    """Declare a file or directory."""
    return _declare(default, Setting(PathName(), text, flag=flag))


def path_names(text: str) -> tuple[Path, ...]:
    """Declare files; none by default."""
    return _declare((), Setting(PathNames(), text))


def addresses(default: tuple[ListenAddress, ...], text: str, *, flag: str | None = None) -> tuple[ListenAddress, ...]:
    """Declare addresses to listen on."""
    return _declare(default, Setting(Addresses(), text, flag=flag))


def names(text: str) -> tuple[str, ...]:
    """Declare names of hosts; none by default."""
    return _declare((), Setting(Names(), text))


def origins(text: str) -> tuple[str, ...]:
    """Declare origins of pages (RFC 6454); none by default."""
    return _declare((), Setting(Origins(), text))


def networks(text: str) -> tuple[Network, ...]:
    """Declare networks of addresses; none by default."""
    return _declare((), Setting(Networks(), text))


def required(kind: Kind[T], text: str) -> T:
    """Declare a setting that has no default and must be given."""
    declared: T = field(metadata={_SETTING: Setting(kind, text)})
    return declared


def optional(kind: Kind[T], text: str, *, minimum: T | None = None, maximum: T | None = None) -> T | None:
    """Declare a setting that may be left out, and then is None: nothing is said."""
    declared: T | None = field(default=None, metadata={_SETTING: Setting(kind, text, minimum, maximum)})
    return declared


def _declare(default: T, setting: Setting[T]) -> T:
    # Typed as the value: that is what a field's declaration has on its right for a type checker.
    declared: T = field(default=default, metadata={_SETTING: setting})
    return declared
