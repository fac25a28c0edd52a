"""What `segue status` makes of the figures that it gets."""

from __future__ import annotations

from typing import Any

import pytest

from segue.broker import inspect
from segue.broker.cli.status import _lines
from segue.broker.rates import RateMeter
from tests.unit.broker.actors import World


@pytest.fixture
def status(world: World) -> dict[str, Any]:
    return inspect.status(world.node, RateMeter(world.node))


def test_lines_of_the_log_that_are_lost_are_said_when_there_are_some(status: dict[str, Any]) -> None:
    assert "log" not in dict(_lines(status))
    status["log"]["dropped"] = 1234
    assert dict(_lines(status))["log"] == "1,234 lines are lost: its reader is too slow, or gone"


def test_a_checkpoint_that_failed_is_said_with_its_reason(status: dict[str, Any]) -> None:
    status["checkpoints"] = {"done": 3, "fault": "the disk is full"}
    assert dict(_lines(status))["checkpoints"] == "3; the last one failed: the disk is full"


def test_publishers_that_are_held_are_said_with_every_reason(status: dict[str, Any]) -> None:
    status["pressure"] = {"publishers_held": True, "reasons": ["memory: much", "disk: little"]}
    assert dict(_lines(status))["publishers"] == "HELD: memory: much; disk: little"


def test_free_disk_is_not_guessed_before_the_first_look(status: dict[str, Any]) -> None:
    status["disk"]["free_bytes"] = -1
    assert dict(_lines(status))["disk"].startswith("not known yet")
