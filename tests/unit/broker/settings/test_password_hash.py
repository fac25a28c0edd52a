"""The PHC strings of the settings: what is taken, what is refused, and that none of it is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.broker.settings.password_hash import PasswordHash

SALT = "AAAAAAAAAAAAAAAAAAAAAA"  # 16 bytes
DIGEST = "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA"  # 32 bytes


def phc(costs: str = "m=19456,t=2,p=1", salt: str = SALT, digest: str = DIGEST, head: str = "$argon2id$v=19") -> str:
    return f"{head}${costs}${salt}${digest}"


def test_a_phc_string_of_argon2id_is_read_with_its_costs() -> None:
    stored = PasswordHash.parse(phc())
    assert (stored.memory_kib, stored.passes, stored.lanes) == (19456, 2, 1)
    assert (stored.salt, len(stored.digest)) == (bytes(16), 32)
    assert str(stored) == phc()


@given(
    st.integers(1, 16),
    st.integers(1, 16),
    st.binary(min_size=8, max_size=64),
    st.binary(min_size=16, max_size=64),
    st.integers(128, 262144),
)
def test_every_hash_within_the_bounds_survives_being_written_and_read(
    passes: int, lanes: int, salt: bytes, digest: bytes, memory_kib: int
) -> None:
    stored = PasswordHash(memory_kib, passes, lanes, salt, digest)
    assert PasswordHash.parse(str(stored)) == stored


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not an argon2id hash"),
        ("geheim", "not an argon2id hash"),
        ("$2b$12$abcdefghijklmnopqrstuv", "not an argon2id hash"),
        (phc(head="$argon2i$v=19"), "not an argon2id hash"),
        (phc(head="$argon2id$v=16"), "not an argon2id hash"),
        (phc(head="$argon2id"), "not an argon2id hash"),
        (phc() + "\n", "not an argon2id hash"),
        (phc(costs="t=2,m=19456,p=1"), "not an argon2id hash"),
        (phc(costs="m=019456,t=2,p=1"), "not an argon2id hash"),
        (phc(costs="m=262145,t=2,p=1"), "memory cost"),
        (phc(costs="m=15,t=2,p=2"), "memory cost"),
        (phc(costs="m=19456,t=17,p=1"), "more than 16 passes"),
        (phc(costs="m=19456,t=2,p=17"), "or 16 lanes"),
        (phc(salt="AAAA"), "unusual length"),
        (phc(digest=DIGEST[:12]), "unusual length"),
        (phc(salt=SALT[:-1]), "not base64"),
        (phc(salt=SALT[:-1] + "B"), "not base64"),
    ],
)
def test_anything_else_is_refused_with_a_reason_that_does_not_repeat_it(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        PasswordHash.parse(text)
    assert DIGEST[:8] not in str(refused.value)
    assert "geheim" not in str(refused.value)


def test_the_repr_of_a_hash_holds_neither_salt_nor_digest() -> None:
    assert repr(PasswordHash.parse(phc())) == "PasswordHash(m=19456, t=2, p=1)"


@given(st.text(max_size=120))
def test_any_text_is_a_hash_or_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="argon2id"):
        PasswordHash.parse(text)
