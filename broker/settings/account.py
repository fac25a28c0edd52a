"""`[users.NAME]`: who may log in."""

from __future__ import annotations

from dataclasses import dataclass

from segue.broker.settings.keys import required
from segue.broker.settings.kinds import Hash
from segue.broker.settings.password_hash import PasswordHash

__all__ = ["LOGIN_BYTES_MAX", "Account", "check_login"]

# An AMQP short string. In bytes, as it goes over the wire.
LOGIN_BYTES_MAX = 255


@dataclass(frozen=True, slots=True)
class Account:
    """A user, named by the table: `[users.alice]`. Without any, guest/guest may log in from this machine."""

    password_hash: PasswordHash = required(  # noqa: RUF009 - declares a field
        Hash(), "The hash of the password, as `segue user hash` prints it."
    )


def check_login(name: str) -> None:
    """Refuse what can't be the name of a user.

    Raises:
        ValueError: it is empty, too long, or has characters that can't be shown.
    """
    # isprintable comes first: a lone surrogate is not printable, and can't be encoded.
    if not (name and name.isprintable() and name == name.strip() and len(name.encode()) <= LOGIN_BYTES_MAX):
        raise ValueError(
            f"is not a user's name: 1 to {LOGIN_BYTES_MAX} bytes of printable characters, no space at either end"
        )
