"""Who may log in: hashing passwords, checking them, and remembering those that were right.

A password is hashed with argon2id on purpose so slowly (about 40 ms) that a stolen hash is worth little. So that ten
thousand clients that reconnect after a restart don't cost ten thousand hashes, credentials that were right once are
remembered as an HMAC under a key that only this process has; the stored hash is computed once a user.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from segue.broker.settings.account import Account
from segue.broker.settings.password_hash import PasswordHash

__all__ = [
    "PASSWORD_BYTES_MAX",
    "AuthenticationFailed",
    "User",
    "Users",
    "UsersStatistics",
    "check_password",
    "hash_password",
    "verify",
]

# OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, 2 passes, 1 lane as the least. Not more, because a hash is
# memory that the broker has counted for messages.
_MEMORY_KIB: Final = 19 * 1024
_PASSES: Final = 2
_LANES: Final = 1
# RFC 9106 §3.1: 16 bytes are enough for a salt; §4: a tag of 256 bits.
_SALT_BYTES: Final = 16
_DIGEST_BYTES: Final = 32

# Long enough for every passphrase and token; what is longer is refused before it costs a hash.
PASSWORD_BYTES_MAX: Final = 1024

# RabbitMQ's and ActiveMQ's clients try guest/guest when they are told nothing else.
_GUEST: Final = "guest"


class AuthenticationFailed(Exception):
    """The credentials are not right. Deliberately the same for an unknown user and for a wrong password."""

    code: Final = "authentication-failed"

    def __init__(self) -> None:
        super().__init__("login or passcode is wrong")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who has logged in.

    Attributes:
        name: as it stands in the settings; `guest` when no user is configured.
    """

    name: str


@dataclass(frozen=True, slots=True)
class UsersStatistics:
    """What has been asked of a `Users` since it was made.

    Attributes:
        hashes: how many hashes were computed.
        remembered: how many logins were answered without one.
        refused: how many were refused.
    """

    hashes: int
    remembered: int
    refused: int


def check_password(password: bytes) -> None:
    """Refuse what can't be a password: empty, beyond 1024 bytes, or with a NUL, which ends a frame in STOMP.

    Raises:
        ValueError: the text says which, and never what was given.
    """
    if not password:
        raise ValueError("the password is empty")
    if len(password) > PASSWORD_BYTES_MAX:
        raise ValueError(f"the password has {len(password)} bytes, more than {PASSWORD_BYTES_MAX}")
    if b"\0" in password:
        raise ValueError("the password has a NUL in it")


def hash_password(password: bytes, random_bytes: Callable[[int], bytes] = os.urandom) -> str:
    """Hash a password for the settings.

    Blocks for some 40 ms, and gives up the GIL meanwhile.

    Args:
        password: 1 to 1024 bytes, without NUL.
        random_bytes: where the salt comes from.

    Returns:
        A PHC string, `$argon2id$v=19$m=19456,t=2,p=1$...`, never the same twice.

    Raises:
        ValueError: it can't be a password.
    """
    check_password(password)
    unfinished = PasswordHash(_MEMORY_KIB, _PASSES, _LANES, random_bytes(_SALT_BYTES), bytes(_DIGEST_BYTES))
    digest = _derive(password, unfinished)
    return str(PasswordHash(_MEMORY_KIB, _PASSES, _LANES, unfinished.salt, digest))


def verify(password: bytes, phc: str | PasswordHash) -> bool:
    """Say whether a password belongs to a hash; in a time that does not depend on how nearly it does.

    Blocks like `hash_password`. What can't be a password is refused without a hash.

    Raises:
        ValueError: `phc` is not a PHC string of argon2id.
    """
    stored = PasswordHash.parse(phc) if isinstance(phc, str) else phc
    try:
        check_password(password)
    except ValueError:
        return False
    return hmac.compare_digest(_derive(password, stored), stored.digest)


class Users:
    """The users of the settings, and what is remembered of their logins.

    Invariant: `_remembered` has at most one entry a user, an HMAC of credentials that `verify` found right. In memory
    only. Settings that are read again make a new `Users`, so a changed password is never remembered.
    """

    def __init__(self, accounts: Mapping[str, Account], random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        """Take the users of the settings.

        Args:
            accounts: by name; empty lets guest/guest in from this machine, and nobody else.
            random_bytes: where the key of what is remembered comes from.
        """
        self._hashes = {name: account.password_hash for name, account in accounts.items()}
        self._key = random_bytes(32)
        self._remembered: dict[str, bytes] = {}
        # One hash at a time: a flood of logins takes one core and 19 MiB, not all there is.
        self._one_hash = threading.Lock()
        self._hash_count = 0
        self._remembered_count = 0
        self._refused_count = 0

    def recall(self, login: str, passcode: str, *, peer_is_loopback: bool) -> User | None:
        """Answer a login that needs no hash: of the guest, or with credentials that were right before.

        Never blocks: call it first, on the event loop, and `authenticate` in a thread when it has no answer.

        Returns:
            The user, or None when only `authenticate` can tell.
        """
        if not self._hashes:
            is_guest = peer_is_loopback and login == _GUEST and passcode == _GUEST
            return User(_GUEST) if is_guest else None
        known = self._remembered.get(login)
        if known is None or not hmac.compare_digest(known, self._fingerprint(login, passcode)):
            return None
        self._remembered_count += 1
        return User(login)

    def authenticate(self, login: str, passcode: str, *, peer_is_loopback: bool) -> User:
        """Check credentials.

        Blocks: for the 40 ms of a hash, and for those of others that came before, because only one is computed at a
        time. Call it in a thread, never on the event loop, and with as few threads at once as there should be waiting.
        It may be called from any number of threads.

        Args:
            login: the name of the user.
            passcode: the password, in clear.
            peer_is_loopback: whether the connection comes from this machine.

        Raises:
            AuthenticationFailed: the same error, after the same work, for an unknown user and for a wrong password.
        """
        user = self.recall(login, passcode, peer_is_loopback=peer_is_loopback)
        if user is None and self._hashes and _can_be_password(passcode):
            with self._one_hash:
                # While it waited, the hash that it waited for may have been of these very credentials.
                user = self.recall(login, passcode, peer_is_loopback=peer_is_loopback)
                if user is None:
                    user = self._hash_and_compare(login, passcode)
        if user is None:
            self._refused_count += 1
            raise AuthenticationFailed
        return user

    def statistics(self) -> UsersStatistics:
        """Count what was asked so far."""
        return UsersStatistics(self._hash_count, self._remembered_count, self._refused_count)

    def _hash_and_compare(self, login: str, passcode: str) -> User | None:
        stored = self._hashes.get(login)
        self._hash_count += 1
        # An unknown user costs a hash too, or the time would tell which names there are.
        is_right = verify(_encode(passcode), self._decoy(login) if stored is None else stored)
        if stored is None or not is_right:
            return None
        self._remembered[login] = self._fingerprint(login, passcode)
        return User(login)

    def _decoy(self, login: str) -> PasswordHash:
        """Choose whose costs an unknown user has: always the same for a name, so that it looks like any user."""
        hashes = list(self._hashes.values())
        return hashes[int.from_bytes(self._fingerprint(login, "")[:8], "big") % len(hashes)]

    def _fingerprint(self, login: str, passcode: str) -> bytes:
        name = _encode(login)
        # The length parts the two: otherwise ("ab", "c") and ("a", "bc") would be one.
        return hmac.digest(self._key, len(name).to_bytes(4, "big") + name + _encode(passcode), hashlib.sha256)


def _can_be_password(passcode: str) -> bool:
    try:
        check_password(_encode(passcode))
    except ValueError:
        return False
    return True


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _derive(password: bytes, costs: PasswordHash) -> bytes:
    # 60 ms to import, and control commands import this module's neighbours.
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    argon2id = Argon2id(
        salt=costs.salt,
        length=len(costs.digest),
        iterations=costs.passes,
        lanes=costs.lanes,
        memory_cost=costs.memory_kib,
    )
    return argon2id.derive(password)
