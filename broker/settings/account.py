"""`[users.NAME]`: who may log in."""

from __future__ import annotations

from dataclasses import dataclass

from segue.broker.settings.keys import required
from segue.broker.settings.kinds import Hash
from segue.broker.settings.password_hash import PasswordHash

__all__ = ["Account"]


@dataclass(frozen=True, slots=True)
class Account:
    """A user, named by the table: `[users.alice]`.

    As long as there is none, guest with the password guest may log in from this machine, and Segue refuses to listen on
    an address that other machines can reach.
    """

    password_hash: PasswordHash = required(  # noqa: RUF009 - declares a field
        Hash(), "The hash of the password, as `segue user hash` prints it."
    )
