"""The cases: what they send is understood, and each has a plain queue beside it."""

import pytest

from segue.bench.features.cases import CASES, PLAIN, Case
from segue.bench.header_pattern import check_pattern, consumer_headers
from segue.protocols.stomp.header_rules import RULES

BY_NAME = {case.name: case for case in CASES}


def test_every_case_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(CASES)


def test_the_plain_queue_comes_first_and_with_every_number_of_consumers() -> None:
    assert CASES[0].name == PLAIN
    wanted = {crowd.consumers for case in CASES for crowd in case.crowds}
    assert {(crowd.name, crowd.consumers) for crowd in CASES[0].crowds} == {(str(count), count) for count in wanted}


def test_the_plain_queue_has_no_feature() -> None:
    plain = CASES[0]
    assert (plain.send_headers, plain.queue_headers, [crowd.headers for crowd in plain.crowds]) == ((), (), [()] * 3)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_a_case_puts_into_headers_can_be_filled_in(case: Case) -> None:
    for _, value in (*case.send_headers, *(header for crowd in case.crowds for header in crowd.headers)):
        check_pattern(value)


@pytest.mark.parametrize("case", [case for case in CASES if case.name != "correlation"], ids=lambda case: case.name)
def test_headers_that_switch_a_feature_on_are_ones_that_the_broker_knows(case: Case) -> None:
    known = {(rule.name, command) for rule in RULES for command in rule.commands}
    used = {(name, "SUBSCRIBE") for crowd in case.crowds for name, _ in crowd.headers}
    used |= {(name, "SUBSCRIBE") for name, _ in case.queue_headers} | {(name, "SEND") for name, _ in case.send_headers}
    assert used - known <= {("half", "SEND")}  # what the selectors look at


def test_the_two_halves_are_all_there_is() -> None:
    halves, beside = BY_NAME["selectors"].crowds
    assert [consumer_headers(halves.headers, number) for number in (0, 1)] == [
        [("selector", "half=0")],
        [("selector", "half=1")],
    ]
    assert [consumer_headers(beside.headers, number) for number in (0, 1)] == [[("selector", "half=0")], []]


def test_a_feature_has_to_reach_what_the_issue_says() -> None:
    wanted = {case.name: case.share for case in CASES if case.share}
    assert (wanted.pop("groups"), wanted.pop("selectors")) == (0.5, 0.4)
    assert set(wanted) == {"dedup", "numbers", "ttl", "priority", "limit", "bound", "delay"}
    assert set(wanted.values()) == {0.7}
