"""Signatures of pushed messages, by which a subscriber knows that we sent them: Standard Webhooks, symmetric (v1).

What is signed is `ID.SECONDS.BODY`: https://www.standardwebhooks.com/. During a change of secrets a message is signed
with both, and the subscriber takes the one that it knows.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

__all__ = ["InvalidSecretError", "read_secret", "signed_headers"]

_PREFIX: Final = "whsec_"
_SECRET_BYTES_MIN, _SECRET_BYTES_MAX = 24, 64
"""What the specification recommends. A shorter one could be guessed."""


class InvalidSecretError(ValueError):
    """Not a secret for signatures; the text says why, and never what was given."""


def read_secret(text: str) -> bytes:
    """The key in a secret as it is handed out: `whsec_`, and base64.

    Raises:
        InvalidSecretError: it is none.
    """
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not (text.startswith(_PREFIX) and _SECRET_BYTES_MIN <= len(key) <= _SECRET_BYTES_MAX):
        raise InvalidSecretError(
            f"a secret is '{_PREFIX}' and the base64 of {_SECRET_BYTES_MIN} to {_SECRET_BYTES_MAX} octets"
        )
    return key


def signed_headers(keys: Sequence[bytes], message_id: str, seconds: int, body: bytes) -> dict[str, str]:
    """The headers that prove who sent a message, and when.

    Args:
        keys: of `read_secret`: at least one; the newest first.
        message_id: the same with every try of the message, and without a dot.
        seconds: since 1970; subscribers refuse what is minutes old.
        body: as it is sent.
    """
    signed = f"{message_id}.{seconds}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
