"""When an alert is due: the sizes that it is for are passed."""

from __future__ import annotations

from typing import Literal

import pytest

from segue.protocols.rest.ironmq.alerts import alert_id, triggers
from segue.protocols.rest.ironmq.queue_settings import Alert


def alert(kind: Literal["fixed", "progressive"], direction: Literal["asc", "desc"], trigger: int) -> Alert:
    return Alert(type=kind, direction=direction, trigger=trigger, queue="told")


@pytest.mark.parametrize(
    ("kind", "direction", "passed", "not_passed"),
    [
        ("fixed", "asc", [(9, 10), (0, 99)], [(10, 11), (8, 9), (11, 10), (20, 30)]),
        ("fixed", "desc", [(11, 10), (99, 0)], [(10, 9), (12, 11), (9, 10), (30, 20)]),
        ("progressive", "asc", [(9, 10), (19, 20), (10, 35)], [(10, 19), (20, 10), (0, 9)]),
        ("progressive", "desc", [(11, 10), (21, 20), (35, 10), (1, 0)], [(10, 1), (10, 20), (20, 11)]),
    ],
)
def test_an_alert_is_due_when_its_size_is_passed_in_its_direction(
    kind: Literal["fixed", "progressive"],
    direction: Literal["asc", "desc"],
    passed: list[tuple[int, int]],
    not_passed: list[tuple[int, int]],
) -> None:
    one = alert(kind, direction, 10)
    assert [triggers(one, before, now) for before, now in passed] == [True] * len(passed)
    assert [triggers(one, before, now) for before, now in not_passed] == [False] * len(not_passed)


def test_an_id_tells_alerts_apart_and_stays() -> None:
    ids = {alert_id(alert("fixed", "asc", trigger)) for trigger in (1, 2)}
    assert len(ids) == 2
    assert alert_id(alert("fixed", "asc", 1)) in ids
    assert all(len(text) == 24 for text in ids)
