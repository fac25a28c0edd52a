"""The table of header names: each rule does what it says, and the reference page has each."""

from __future__ import annotations

from itertools import chain

import pytest

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.frames import CLIENT_COMMANDS, Version
from segue.protocols.stomp.header_rules import RULES, Rule, Treatment, refuse_unsupported
from segue.protocols.stomp.headers import read_send, read_subscribe
from tests.unit.protocols.stomp.reference_page import codes_in, table

REFUSED = [(rule, command) for rule in RULES if rule.treatment is Treatment.REFUSED for command in rule.commands]


def read(command: str, headers: dict[str, str]) -> object:
    return read_send(headers) if command == "SEND" else read_subscribe({"id": "0", **headers}, Version.V1_2)


@pytest.mark.parametrize(("rule", "command"), REFUSED, ids=lambda item: getattr(item, "name", item))
def test_what_we_do_not_have_is_refused_with_its_name(rule: Rule, command: str) -> None:
    with pytest.raises(StompProtocolError) as refused:
        read(command, {rule.name: "7"})
    assert refused.value.code is ErrorCode.NOT_SUPPORTED
    assert f"'{rule.name}:7'" in refused.value.body


@pytest.mark.parametrize(("rule", "command"), REFUSED, ids=lambda item: getattr(item, "name", item))
def test_a_value_that_asks_for_nothing_is_taken(rule: Rule, command: str) -> None:
    plain = read(command, {})
    assert all(read(command, {rule.name: value.upper()}) == plain for value in rule.harmless)


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if rule.treatment is Treatment.IGNORED], ids=lambda rule: rule.name
)
def test_a_hint_changes_nothing(rule: Rule) -> None:
    assert all(read(command, {rule.name: "7"}) == read(command, {}) for command in rule.commands)


def test_the_first_header_that_we_do_not_have_is_named() -> None:
    with pytest.raises(StompProtocolError, match="x-stream-offset"):
        refuse_unsupported({"destination": "a", "x-stream-offset": "1", "x-max-age": "2"}, "SEND")


def test_a_name_has_one_rule_on_a_command() -> None:
    pairs = [(rule.name, command) for rule in RULES for command in rule.commands]
    assert len(pairs) == len(set(pairs))
    assert {command for _, command in pairs} <= CLIENT_COMMANDS


def test_the_reference_page_has_every_header_and_what_we_do() -> None:
    documented = [
        (name, set(codes_in(commands)), treatment)
        for names, commands, treatment, *_ in table("Headers")
        for name in codes_in(names)
    ]
    rules = [(rule.name, set(rule.commands), rule.treatment.value) for rule in RULES]
    assert sorted(documented, key=str) == sorted(rules, key=str)


def test_the_reference_page_has_every_harmless_value() -> None:
    meanings = {name: meaning for names, *_, meaning in table("Headers") for name in codes_in(names)}
    values = chain.from_iterable([(rule.name, value) for value in rule.harmless if value] for rule in RULES)
    assert [(name, value) for name, value in values if value not in codes_in(meanings[name])] == []
