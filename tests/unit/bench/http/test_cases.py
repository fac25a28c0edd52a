"""The cases: what is measured on each API, and with what it is compared."""

from pathlib import Path

import pytest

from segue.bench.http.cases import CASES, LOADS, Case
from segue.bench.http.lap import Extent

BY_NAME = {case.name: case for case in CASES}


def test_every_case_and_every_load_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(CASES)
    assert len({load.name for load in LOADS}) == len(LOADS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_has_loads_that_there_are_and_publishes_before_it_consumes(case: Case, tmp_path: Path) -> None:
    loads = [load for load in LOADS if load.name in case.loads]
    assert [load.name for load in loads] == list(case.loads)
    assert loads[0].does == "publish"
    assert case.peer(tmp_path).http_port > 0


def test_one_by_one_is_measured_on_rabbitmq_as_on_the_gateway() -> None:
    gateway, *others = BY_NAME["ironmq-h11"], *(case for case in CASES if not case.is_ours)
    assert others
    assert all(set(other.loads) <= set(gateway.loads) for other in others)


def test_settling_with_the_answer_is_what_the_gateway_can_and_v1_can_not() -> None:
    assert (BY_NAME["ironmq-h11"].settles_at_once, BY_NAME["v1-h11"].settles_at_once) == (True, False)


def test_the_parser_of_a_case_is_the_one_that_the_daemon_is_told(tmp_path: Path) -> None:
    told = BY_NAME["v1-httptools"].peer(tmp_path).environment()
    assert told == {"SEGUE_HTTP__PARSER": "httptools"}


def test_a_case_without_its_parser_is_left_out_unless_it_is_asked_for() -> None:
    absent = Case("x", "x", BY_NAME["v1-h11"].peer, BY_NAME["v1-h11"].door, (), needs="no_such_module")
    assert not Extent().has(absent)
    assert Extent(cases=frozenset({"x"})).has(absent)
