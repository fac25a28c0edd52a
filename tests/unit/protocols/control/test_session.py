"""The commands of the control protocol are those of its page."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pytest

from segue.protocols.control.frames import ControlError, ErrorCode, Request
from segue.protocols.control.session import ControlSession

PAGE = Path(__file__).parents[4] / "docs/reference/control-socket.md"


class StepsOnly:
    """Of a node only what every request needs."""

    steps = 0
    queues: Mapping[str, Any] = MappingProxyType({})

    def end_step(self) -> None:
        self.steps += 1


def session() -> ControlSession:
    return ControlSession(cast(Any, StepsOnly()), cast(Any, None))


def test_every_command_stands_in_the_page_and_no_other() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## Commands")[2].partition("### Publishing")[0]
    documented = re.findall(r"^\| `([a-z.]+)` \| ", table, re.MULTILINE)
    assert [name for name in documented if name != "do"] == list(session().commands)


async def test_a_command_that_is_not_known_is_refused_by_name() -> None:
    with pytest.raises(ControlError, match=r"queue\.explode") as caught:
        await session().carry_out(Request(1, "queue.explode", {}), cast(Any, None))
    assert caught.value.code is ErrorCode.UNKNOWN_COMMAND


ARGUMENTS: dict[str, dict[str, Any]] = {
    "status": {},
    "queue.list": {},
    "queue.declare": {"queue": "q"},
    "queue.publish": {"queue": "q", "body": ""},
    "topic.list": {},
    "connection.list": {},
    "connection.close": {"connection": 1},
    "policy.list": {},
    "policy.set": {"policy": "p", "keys": {"queues": "*"}},
    "policy.delete": {"policy": "p"},
}
"""Of the commands that read their arguments before they look for anything."""


@pytest.mark.parametrize("command", ARGUMENTS)
async def test_an_argument_that_is_not_known_is_refused_before_anything_is_done(command: str) -> None:
    request = Request(1, command, ARGUMENTS[command] | {"loudly": True})
    with pytest.raises(ControlError, match="'loudly'") as caught:
        await session().carry_out(request, cast(Any, None))
    assert caught.value.code is ErrorCode.BAD_REQUEST
