"""Policies from an operator are read by the rules of the settings."""

from __future__ import annotations

import pytest

from segue.broker.settings import InvalidPolicyError, Policy, check_policy_name, read_policy, show_policy
from segue.broker.settings.policy_reading import POLICY_KEYS


def test_texts_are_read_as_in_the_environment() -> None:
    given = {"queues": "a.*", "priority": "-3", "message_ttl_ms": "7 d", "bytes_max": "1 MiB", "messages_max": "1_000"}
    expected = Policy("a.*", -3, message_ttl_ms=7 * 86_400_000, bytes_max=1 << 20, messages_max=1000)
    assert read_policy(given) == expected


def test_numbers_are_taken_as_they_are() -> None:
    given = {"queues": "*", "message_ttl_ms": 5, "bytes_max": 6, "expires_ms": 7, "delivery_limit": 0}
    assert read_policy(given) == Policy("*", message_ttl_ms=5, bytes_max=6, expires_ms=7, delivery_limit=0)


def test_all_faults_are_reported_together() -> None:
    given = {"messages": 1, "priority": True, "delivery_limit": -1, "overflow": "explode"}
    with pytest.raises(InvalidPolicyError) as caught:
        read_policy(given)
    assert str(caught.value).split("; ") == [
        "messages is no key of a policy",
        "did you mean messages_max?",
        "priority is true, not a whole number",
        "delivery_limit is -1, outside of 0 to 1000000",
        'overflow is "explode", not one of drop-oldest, refuse',
        "there is no queues",
    ]


@pytest.mark.parametrize("raw", [None, [], {}, 1.5])
def test_values_of_no_kind_are_refused(raw: object) -> None:
    for name in POLICY_KEYS:
        with pytest.raises(InvalidPolicyError, match=name):
            read_policy({"queues": "*", name: raw})


def test_what_is_shown_can_be_read_again() -> None:
    policy = Policy("*", 1, "s", "dead", 2, 3, 4, 5, "refuse", 6)
    assert None not in show_policy(policy).values()
    assert read_policy(show_policy(policy)) == policy
    assert show_policy(Policy("*")) == {"queues": "*", "priority": 0}


@pytest.mark.parametrize("name", ["", " a", "a\n", "x" * 256])
def test_a_name_is_one_that_the_settings_would_take(name: str) -> None:
    check_policy_name("orders #1")
    with pytest.raises(InvalidPolicyError, match="not a policy's name"):
        check_policy_name(name)
