"""The sections that are tables of tables, `[users.alice]`: which there are, and what may be a name in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from segue.broker.settings.account import Account
from segue.broker.settings.policy import Policy

__all__ = ["NAMED", "NAME_BYTES_MAX", "NamedSection"]

# An AMQP short string: what a login is, and what RabbitMQ calls its policies by. In bytes, as it goes over the wire.
NAME_BYTES_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class NamedSection:
    """One of them.

    Attributes:
        noun: what has the name, in the singular.
        table: the class of `[SECTION.NAME]`.
        example: a name, for the documentation.
    """

    noun: str
    table: type[Any]
    example: str

    def check_name(self, name: str) -> None:
        """Refuse what can't be a name.

        Raises:
            ValueError: it is empty, too long, or has characters that can't be shown.
        """
        # isprintable comes first: a lone surrogate is not printable, and can't be encoded.
        if not (name and name.isprintable() and name == name.strip() and len(name.encode()) <= NAME_BYTES_MAX):
            raise ValueError(
                f"is not a {self.noun}'s name: 1 to {NAME_BYTES_MAX} bytes of printable characters, no space at either "
                "end"
            )


NAMED: Final[Mapping[str, NamedSection]] = MappingProxyType(
    {
        "users": NamedSection("user", Account, "alice"),
        "policies": NamedSection("policy", Policy, "orders"),
    }
)
