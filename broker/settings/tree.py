"""All settings as one value: a section an attribute, and where each value came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from segue.broker.settings.account import Account
from segue.broker.settings.control import Control
from segue.broker.settings.faults import KeyPath
from segue.broker.settings.http import Http
from segue.broker.settings.keys import Key, keys_of
from segue.broker.settings.limits import Limits
from segue.broker.settings.log import Log
from segue.broker.settings.memory import Memory
from segue.broker.settings.named import NAMED
from segue.broker.settings.policy import Policy
from segue.broker.settings.push import Push
from segue.broker.settings.stomp import Stomp
from segue.broker.settings.storage import Storage

__all__ = ["DEFAULT", "SECTIONS", "Origin", "Settings"]

# The sections in the box, in the order in which a reader meets them.
SECTIONS: Final[Mapping[str, type[Any]]] = MappingProxyType(
    {
        "storage": Storage,
        "memory": Memory,
        "limits": Limits,
        "stomp": Stomp,
        "http": Http,
        "push": Push,
        "log": Log,
        "control": Control,
    }
)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from.

    Attributes:
        place: `FILE:LINE`, the name of an environment variable, a flag; or "default".
        given: False for a default.
    """

    place: str
    given: bool = True

    def __str__(self) -> str:
        return self.place


DEFAULT: Final = Origin("default", given=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. Made by `load_settings`; `Settings()` is the defaults.

    Attributes:
        users: who may log in, by name; empty: guest/guest from this machine.
        policies: what queues do, by name.
        plugged_in: sections of front-ends from elsewhere, by name.
        origins: where each value came from that is not a default.
    """

    storage: Storage = field(default_factory=Storage)
    memory: Memory = field(default_factory=Memory)
    limits: Limits = field(default_factory=Limits)
    stomp: Stomp = field(default_factory=Stomp)
    http: Http = field(default_factory=Http)
    push: Push = field(default_factory=Push)
    log: Log = field(default_factory=Log)
    control: Control = field(default_factory=Control)
    users: Mapping[str, Account] = field(default_factory=lambda: MappingProxyType({}))
    policies: Mapping[str, Policy] = field(default_factory=lambda: MappingProxyType({}))
    plugged_in: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    origins: Mapping[KeyPath, Origin] = field(default_factory=lambda: MappingProxyType({}), compare=False, repr=False)

    @property
    def control_socket(self) -> Path:
        """The path of the control socket, in the data directory unless it was set to an absolute one."""
        return self.storage.data_directory / self.control.socket

    def section(self, name: str) -> Any:
        """Return a section by its name, of the box or plugged in; what a front-end is handed as its settings.

        Raises:
            KeyError: there is none of that name.
        """
        if name in SECTIONS:
            return getattr(self, name)
        return self.plugged_in[name]

    def origin(self, path: KeyPath) -> Origin:
        """Say where the value of a key came from."""
        return self.origins.get(path, DEFAULT)

    def tables(self) -> Iterator[tuple[KeyPath, Any]]:
        """List every section with its path, a user as `("users", NAME)`, in the order of the documentation."""
        for name in SECTIONS:
            yield (name,), self.section(name)
        for name, section in self.plugged_in.items():
            yield (name,), section
        for section_name in NAMED:
            for name, table in getattr(self, section_name).items():
                yield (section_name, name), table

    def values(self) -> Iterator[tuple[Key, Any]]:
        """List every setting with its value."""
        for path, section in self.tables():
            for key in keys_of(path, type(section)):
                yield key, getattr(section, key.name)


# A section that were left out of the table would be read by nobody.
assert {*SECTIONS, *NAMED, "plugged_in", "origins"} == {declared.name for declared in fields(Settings)}
