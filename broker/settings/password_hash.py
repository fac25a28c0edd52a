"""The text of a password's hash, as it stands in the settings: a PHC string, argon2id only, within bounds.

Nothing is hashed here (segue.broker.users does), so reading the settings loads no cryptography.

    $argon2id$v=19$m=19456,t=2,p=1$<salt>$<digest>      base64 without padding
"""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

__all__ = ["PasswordHash"]

# Bounds, so that a hash that somebody pasted can't take the daemon's memory or minutes of CPU at each login. RFC 9106
# §3.1 allows up to 4 TiB and 2^32 - 1 passes; its own recommendations (§4) are 64 MiB, t=3 and 2 GiB, t=1.
_MEMORY_KIB_MAX = 256 * 1024
_PASSES_MAX = 16
_LANES_MAX = 16
# RFC 9106 §3.1 asks for salts of 8 bytes and more, and recommends 16; digests from 4, of which 16 is the least in use.
_SALT_BYTES = range(8, 65)
_DIGEST_BYTES = range(16, 65)

_PHC = re.compile(
    r"\$argon2id\$v=19\$m=([1-9][0-9]{0,9}),t=([1-9][0-9]{0,9}),p=([1-9][0-9]{0,9})"
    r"\$([A-Za-z0-9+/]{1,88})\$([A-Za-z0-9+/]{1,88})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """A stored hash and the costs that it was made with.

    Attributes:
        memory_kib: memory cost, in KiB.
        passes: time cost.
        lanes: parallelism.
        salt: 8 to 64 bytes.
        digest: 16 to 64 bytes.
    """

    memory_kib: int
    passes: int
    lanes: int
    salt: bytes
    digest: bytes

    def __str__(self) -> str:
        costs = f"m={self.memory_kib},t={self.passes},p={self.lanes}"
        return f"$argon2id$v=19${costs}${_encode(self.salt)}${_encode(self.digest)}"

    # A hash can be attacked offline, so it must not get into a log by way of some object's repr.
    def __repr__(self) -> str:
        return f"PasswordHash(m={self.memory_kib}, t={self.passes}, p={self.lanes})"

    @classmethod
    def parse(cls, text: str) -> PasswordHash:
        """Read a PHC string.

        Raises:
            ValueError: it is none, or beyond the bounds. The text never repeats the hash.
        """
        match = _PHC.fullmatch(text)
        if match is None:
            raise ValueError("is not an argon2id hash ($argon2id$v=19$m=...)")
        parsed = cls(int(match[1]), int(match[2]), int(match[3]), _decode(match[4]), _decode(match[5]))
        parsed._check_bounds()
        return parsed

    def _check_bounds(self) -> None:
        # Below 8 blocks a lane there is no argon2 (RFC 9106 §3.1).
        if not 8 * self.lanes <= self.memory_kib <= _MEMORY_KIB_MAX:
            raise ValueError(f"has a memory cost outside of 8 KiB a lane to {_MEMORY_KIB_MAX} KiB")
        if self.passes > _PASSES_MAX or self.lanes > _LANES_MAX:
            raise ValueError(f"has more than {_PASSES_MAX} passes or {_LANES_MAX} lanes")
        if len(self.salt) not in _SALT_BYTES or len(self.digest) not in _DIGEST_BYTES:
            raise ValueError("has a salt or a digest of unusual length; it may have been cut when it was copied")


def _encode(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).decode("ascii").rstrip("=")


def _decode(text: str) -> bytes:
    try:
        raw = binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        raise ValueError("has a salt or a digest that is not base64") from None
    # The last character may carry bits that no byte holds. Two spellings of one hash would be one too many.
    if _encode(raw) != text:
        raise ValueError("has a salt or a digest that is not base64")
    return raw
