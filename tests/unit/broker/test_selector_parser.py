"""The parser is loaded beside the event loop, and who needs it is told."""

from __future__ import annotations

import pytest
import trio

from segue.broker.selector import SelectorError
from segue.broker.selector_parser import ParserPendingError
from tests.unit.broker.actors import FakeOutput, World


def test_the_first_selector_waits_until_the_parser_is_there() -> None:
    world, output = World(), FakeOutput()
    parser = world.node.selectors
    with pytest.raises(ParserPendingError) as pending:
        parser.compile("a = 1")
    pending.value.wait(output)
    assert output.let_go_times == 0
    trio.run(parser.serve)
    assert output.let_go_times == 1
    assert parser.compile("a = 1").text == "a = 1"
    pending.value.wait(output)
    world.node.end_step()
    assert output.let_go_times == 2


def test_a_selector_that_is_none_is_refused_once_that_can_be_said() -> None:
    parser = World().node.selectors
    with pytest.raises(ParserPendingError):
        parser.compile("a = ")
    trio.run(parser.serve)
    with pytest.raises(SelectorError):
        parser.compile("a = ")
