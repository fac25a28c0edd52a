"""Who may use the control socket."""

from segue.protocols.control.server import is_allowed


def test_root_and_the_account_of_the_daemon_are_allowed() -> None:
    assert is_allowed(0, 1000)
    assert is_allowed(1000, 1000)


def test_no_other_account_is_allowed() -> None:
    assert not is_allowed(1001, 1000)
    assert not is_allowed(1000, 0)
