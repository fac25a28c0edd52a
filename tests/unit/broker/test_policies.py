"""Which policy gives which value to which queue."""

from __future__ import annotations

from typing import Any

import pytest

from segue.broker.policies import Claim, Policies, Source, matches
from segue.broker.queue_options import NO_OPTIONS, REFUSE, QueueOptions
from segue.broker.settings import Policy

NOTHING: dict[str, Any] = {}


def claims(policies: dict[str, Policy], queue: str, declared: dict[str, Any] = NOTHING) -> dict[str, list[Claim]]:
    """For each option what is in force, then what was overruled."""
    return {
        verdict.option: [verdict.claim, *verdict.overruled] for verdict in Policies(policies).verdicts(queue, declared)
    }


@pytest.mark.parametrize(
    ("pattern", "names", "others"),
    [
        ("orders", ["orders"], ["order", "orders.", "ORDERS", "xorders"]),
        ("*", ["", "a", "a.b", "two words"], []),
        ("orders.*", ["orders.", "orders.eu", "orders.eu.de"], ["orders", "xorders.eu"]),
        ("*.dead", [".dead", "a.dead", "a.dead.dead"], ["dead", "a.dead.x"]),
        ("a*a", ["aa", "aba", "aaa"], ["a", "ab"]),
        ("*ab*ab*", ["abab", "xabyabz"], ["ab", "aab"]),
        ("a*bc*c", ["abcc", "abbcc"], ["abc"]),
        ("**", ["", "x"], []),
        ("a.b?[c]#>", ["a.b?[c]#>"], ["axb?[c]#>", "a.bx[c]#>", "a.b?c#>"]),
    ],
)
def test_a_star_stands_for_any_run_of_characters_and_nothing_else_is_special(
    pattern: str, names: list[str], others: list[str]
) -> None:
    assert [name for name in [*names, *others] if matches(pattern, name)] == names


def test_without_policies_a_queue_does_what_it_was_declared_with() -> None:
    assert Policies({}).options("q", {}) == NO_OPTIONS
    assert Policies({}).options("q", {"delivery_limit": 3}) == QueueOptions(delivery_limit=3)


def test_each_option_has_a_policy_of_its_own() -> None:
    policies = {
        "all": Policy("*", dead_letter="dead", delivery_limit=9),
        "orders": Policy("orders.*", 10, delivery_limit=3, overflow=REFUSE),
        "others": Policy("payments.*", 20, delivery_limit=1, message_ttl_ms=5),
    }
    assert Policies(policies).options("orders.eu", {}) == QueueOptions("dead", 3, overflow=REFUSE)
    assert Policies(policies).options("chat", {}) == QueueOptions("dead", 9)


def test_what_a_client_declared_wins_over_every_policy() -> None:
    policies = {"all": Policy("*", 1_000_000, delivery_limit=9)}
    found = claims(policies, "q", {"delivery_limit": 2})["delivery_limit"]
    assert found == [Claim(2, Source.CLIENT), Claim(9, Source.POLICY, "all", 1_000_000)]


def test_of_equal_priority_the_first_name_wins_in_whatever_order_they_are_given() -> None:
    one, two = Policy("*", 5, messages_max=1), Policy("*", 5, messages_max=2)
    expected = [Claim(1, Source.POLICY, "a", 5), Claim(2, Source.POLICY, "b", 5)]
    assert claims({"a": one, "b": two}, "q")["messages_max"] == expected
    assert claims({"b": two, "a": one}, "q")["messages_max"] == expected


def test_a_policy_that_says_nothing_about_an_option_leaves_it_to_the_next() -> None:
    policies = {"high": Policy("*", 10, messages_max=7), "low": Policy("*", -10, dead_letter="dead")}
    found = claims(policies, "q")
    assert found["dead_letter"] == [Claim("dead", Source.POLICY, "low", -10)]
    assert found["message_ttl_ms"] == [Claim(None, Source.DEFAULT)]


def test_a_policy_may_say_that_there_is_none_against_one_of_lower_rank() -> None:
    policies = {
        "all": Policy("*", dead_letter="dead", delivery_limit=3),
        "x": Policy("x", 1, dead_letter="", delivery_limit=0),
    }
    assert Policies(policies).options("x", {}) == NO_OPTIONS


def test_no_policy_makes_a_queue_its_own_dead_letter_queue() -> None:
    policies = {"all": Policy("*", 5, dead_letter="dead"), "rest": Policy("*", dead_letter="graveyard")}
    assert claims({"all": policies["all"]}, "dead")["dead_letter"] == [Claim("", Source.DEFAULT)]
    assert claims(policies, "dead")["dead_letter"] == [Claim("graveyard", Source.POLICY, "rest", 0)]
    assert claims(policies, "dead", {"dead_letter": "dead"})["dead_letter"][0] == Claim("dead", Source.CLIENT)
