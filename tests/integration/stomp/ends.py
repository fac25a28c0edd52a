"""The two ends of a daemon that what is confirmed has to survive, for tests of restarts."""

from __future__ import annotations

import pytest

from tests.helpers.broker_process import BrokerProcess

__all__ = ["ENDS", "IMPATIENT", "kill", "stop"]

IMPATIENT = {"limits.drain_seconds": 0}
"""Settings: the clients of these tests do not leave when the daemon says that it is stopping."""


def stop(broker: BrokerProcess) -> None:
    """As an operator does."""
    assert broker.stop() == 0, broker.log


def kill(broker: BrokerProcess) -> None:
    """With SIGKILL."""
    broker.kill()


ENDS = pytest.mark.parametrize("end", [stop, kill], ids=["stop", "kill"])
"""A test with `end` as its argument is run with either."""
