"""Who may use the control socket, and what a machine that is short of something does to it."""

from __future__ import annotations

import errno

import pytest
import trio

from segue.protocols.control.server import ControlFrontend, is_allowed


class PoorListener:
    """A listening socket whose `accept` fails."""

    def __init__(self, fault: int) -> None:
        self.fault = fault

    async def accept(self) -> None:
        raise OSError(self.fault, "no luck")


def test_root_and_the_account_of_the_daemon_are_allowed() -> None:
    assert is_allowed(0, 1000)
    assert is_allowed(1000, 1000)


def test_no_other_account_is_allowed() -> None:
    assert not is_allowed(1001, 1000)
    assert not is_allowed(1000, 0)


@pytest.mark.parametrize("name", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "ECONNABORTED"])
async def test_a_machine_that_is_short_of_something_does_not_end_the_socket(
    autojump_clock: trio.abc.Clock, name: str
) -> None:
    """FAULTS 50."""
    listener = PoorListener(getattr(errno, name))
    assert await ControlFrontend()._accept(listener) is None  # type: ignore[arg-type]


async def test_a_listener_that_is_of_no_use_any_more_is_an_error() -> None:
    with pytest.raises(OSError, match="no luck"):
        await ControlFrontend()._accept(PoorListener(errno.EBADF))  # type: ignore[arg-type]
