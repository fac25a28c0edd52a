"""Logins: who gets in, who does not and never learns why, and what a hash is computed for."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from segue.broker.settings import Account, PasswordHash
from segue.broker.users import (
    PASSWORD_BYTES_MAX,
    AuthenticationFailed,
    User,
    Users,
    UsersStatistics,
    check_password,
    hash_password,
    verify,
)


def cheap_account(password: str, salt: bytes = b"0123456789abcdef") -> Account:
    """Hash with the least costs that argon2 has: microseconds, so that a test can afford as many as it likes."""
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    digest = Argon2id(salt=salt, length=32, iterations=1, lanes=1, memory_cost=8).derive(password.encode())
    return Account(PasswordHash(8, 1, 1, salt, digest))


@pytest.fixture
def users() -> Users:
    return Users({"alice": cheap_account("correct horse"), "#": cheap_account("größe")})


def refuse(users: Users, login: str, passcode: str, *, peer_is_loopback: bool = False) -> str:
    with pytest.raises(AuthenticationFailed) as refused:
        users.authenticate(login, passcode, peer_is_loopback=peer_is_loopback)
    return str(refused.value)


def test_a_hash_is_a_phc_string_of_argon2id_at_the_costs_that_owasp_names() -> None:
    phc = hash_password(b"correct horse")
    assert phc.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    stored = PasswordHash.parse(phc)
    assert (len(stored.salt), len(stored.digest)) == (16, 32)
    assert verify(b"correct horse", phc)
    assert not verify(b"correct horsf", phc)


def test_hashes_of_one_password_differ_by_their_salt() -> None:
    salts = iter([b"a" * 16, b"b" * 16])
    first, second = (hash_password(b"x", lambda _: next(salts)) for _ in range(2))
    assert first != second
    assert verify(b"x", second)


def test_a_hash_of_another_implementation_is_verified() -> None:
    # What the reference implementation prints for `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1`.
    phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
    assert verify(b"password", phc)
    assert not verify(b"Password", phc)


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        (b"", "is empty"),
        (b"x" * 1025, "1025 bytes, more than 1024"),
        (b"geheim\0", "NUL"),
        (b"x" * 2**20, "more than 1024"),
    ],
)
def test_what_cant_be_a_password_is_refused_before_it_is_hashed(password: bytes, reason: str) -> None:
    for refuse_it in (check_password, hash_password):
        with pytest.raises(ValueError, match=reason) as refused:
            refuse_it(password)
        assert "geheim" not in str(refused.value)
    assert not verify(password, "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")


def test_a_password_of_1_byte_and_one_of_1024_are_passwords() -> None:
    check_password(b"x")
    check_password(b"x" * PASSWORD_BYTES_MAX)


def test_verifying_against_what_is_no_hash_is_an_error() -> None:
    with pytest.raises(ValueError, match="not an argon2id hash"):
        verify(b"x", "geheim")


def test_the_right_password_logs_its_user_in(users: Users) -> None:
    assert users.authenticate("alice", "correct horse", peer_is_loopback=False) == User("alice")
    assert users.authenticate("#", "größe", peer_is_loopback=True) == User("#")


@pytest.mark.parametrize(
    ("login", "passcode"),
    [
        ("alice", "wrong"),
        ("alice", ""),
        ("alice", "correct horse\0"),
        ("alice", "x" * 2**20),
        ("alice", "\udcff"),
        ("Alice", "correct horse"),
        ("nobody", "correct horse"),
        ("", ""),
        ("*", "größe"),
        ("\udcff", "x"),
        ("x" * 2**16, "x"),
    ],
)
def test_everything_else_is_refused_with_the_same_error(login: str, passcode: str, users: Users) -> None:
    assert refuse(users, login, passcode) == "login or passcode is wrong"


def test_an_unknown_user_costs_a_hash_like_a_wrong_password(users: Users) -> None:
    refuse(users, "alice", "wrong")
    assert users.statistics() == UsersStatistics(hashes=1, remembered=0, refused=1)
    refuse(users, "nobody", "wrong")
    assert users.statistics() == UsersStatistics(hashes=2, remembered=0, refused=2)


@pytest.mark.parametrize("passcode", ["", "x" * 1025, "a\0b"])
def test_what_cant_be_a_password_costs_no_hash(passcode: str, users: Users) -> None:
    refuse(users, "alice", passcode)
    refuse(users, "nobody", passcode)
    assert users.statistics() == UsersStatistics(hashes=0, remembered=0, refused=2)


def test_credentials_that_were_right_once_cost_no_second_hash(users: Users) -> None:
    for _ in range(100):
        users.authenticate("alice", "correct horse", peer_is_loopback=False)
    assert users.statistics() == UsersStatistics(hashes=1, remembered=99, refused=0)
    assert users.recall("alice", "correct horse", peer_is_loopback=False) == User("alice")


def test_a_wrong_password_is_hashed_also_when_the_right_one_is_remembered(users: Users) -> None:
    users.authenticate("alice", "correct horse", peer_is_loopback=False)
    assert users.recall("alice", "wrong", peer_is_loopback=False) is None
    refuse(users, "alice", "wrong")
    assert users.statistics().hashes == 2
    assert users.recall("alice", "correct horse", peer_is_loopback=False) == User("alice")


def test_nothing_is_recalled_that_was_not_right_before(users: Users) -> None:
    assert users.recall("alice", "correct horse", peer_is_loopback=True) is None
    refuse(users, "alice", "wrong")
    assert users.recall("alice", "wrong", peer_is_loopback=True) is None


def test_login_and_password_are_not_confused_where_one_ends_and_the_other_begins() -> None:
    users = Users({"ab": cheap_account("c"), "a": cheap_account("x")})
    users.authenticate("ab", "c", peer_is_loopback=False)
    assert users.recall("a", "bc", peer_is_loopback=False) is None


def test_what_is_remembered_is_no_password_and_differs_from_process_to_process() -> None:
    keys: list[Callable[[int], bytes]] = [lambda count: b"1" * count, lambda count: b"2" * count]
    first, second = (Users({"alice": cheap_account("geheim")}, key) for key in keys)
    for users in (first, second):
        users.authenticate("alice", "geheim", peer_is_loopback=False)
    assert first._remembered["alice"] != second._remembered["alice"]
    assert b"geheim" not in first._remembered["alice"]


def test_a_storm_of_logins_from_many_threads_costs_one_hash_a_user(users: Users) -> None:
    start = threading.Barrier(16)
    found: list[User] = []

    def log_in() -> None:
        start.wait()
        found.append(users.authenticate("alice", "correct horse", peer_is_loopback=False))

    threads = [threading.Thread(target=log_in) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [User("alice")] * 16
    assert users.statistics().hashes == 1


def test_without_users_guest_logs_in_from_this_machine_only() -> None:
    users = Users({})
    assert users.recall("guest", "guest", peer_is_loopback=True) == User("guest")
    assert users.authenticate("guest", "guest", peer_is_loopback=True) == User("guest")
    refuse(users, "guest", "guest", peer_is_loopback=False)
    refuse(users, "guest", "wrong", peer_is_loopback=True)
    refuse(users, "", "", peer_is_loopback=True)
    assert users.statistics().hashes == 0


def test_with_a_user_guest_is_a_name_like_any_other(users: Users) -> None:
    refuse(users, "guest", "guest", peer_is_loopback=True)
    with_guest = Users({"guest": cheap_account("other")})
    refuse(with_guest, "guest", "guest", peer_is_loopback=True)
    assert with_guest.authenticate("guest", "other", peer_is_loopback=False) == User("guest")


def test_the_text_of_the_error_says_neither_login_nor_password(users: Users) -> None:
    assert "alice" not in refuse(users, "alice", "geheim")
    assert "geheim" not in refuse(users, "alice", "geheim")


def test_importing_the_users_loads_no_cryptography() -> None:
    program = "import sys; import segue.broker.users; print('cryptography' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
