"""The choice among policies against a slow model that takes the rules word for word."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from segue.broker.policies import Policies, Source, matches
from segue.broker.queue_options import NO_OPTIONS, QueueOptions
from segue.broker.settings import Policy

OPTIONS = [option.name for option in fields(QueueOptions)]
# So few that patterns match, ranks are equal, and dead-letter queues are the queue itself.
names = st.text("ab", max_size=3)
patterns = st.text("ab*", max_size=5)
values = st.fixed_dictionaries(
    {},
    optional={
        "dead_letter": names,
        "delivery_limit": st.integers(0, 2),
        "message_ttl_ms": st.integers(0, 2),
        "messages_max": st.integers(0, 2),
        "bytes_max": st.integers(0, 2),
        "expires_ms": st.integers(1, 3),
        "overflow": st.sampled_from(["drop-oldest", "refuse"]),
    },
)
policies = st.builds(
    lambda queues, priority, said: Policy(queues, priority, **said), patterns, st.integers(-1, 1), values
)


def slowly_matches(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(slowly_matches(pattern[1:], name[at:]) for at in range(len(name) + 1))
    return name[:1] == pattern[0] and slowly_matches(pattern[1:], name[1:])


def chosen(option: str, queue: str, declared: dict[str, Any], by_name: dict[str, Policy]) -> tuple[Any, Source, str]:
    if option in declared:
        return declared[option], Source.CLIENT, ""
    heard = []
    for name, policy in by_name.items():
        value = getattr(policy, option)
        is_own_grave = option == "dead_letter" and value == queue
        if slowly_matches(policy.queues, queue) and value is not None and not is_own_grave:
            heard.append((-policy.priority, name, value))
    if heard:
        first = min(heard, key=lambda one: one[:2])
        return first[2], Source.POLICY, first[1]
    return getattr(NO_OPTIONS, option), Source.DEFAULT, ""


@given(patterns, st.text("ab", max_size=8))
def test_a_pattern_matches_what_the_model_says(pattern: str, name: str) -> None:
    assert matches(pattern, name) == slowly_matches(pattern, name)


@given(names, values, st.dictionaries(st.text("xyz", min_size=1, max_size=2), policies, max_size=6))
def test_each_option_is_given_by_whom_the_model_says(
    queue: str, declared: dict[str, Any], by_name: dict[str, Policy]
) -> None:
    verdicts = Policies(by_name).verdicts(queue, declared)
    found = {verdict.option: (verdict.claim.value, verdict.claim.source, verdict.claim.policy) for verdict in verdicts}
    assert found == {option: chosen(option, queue, declared, by_name) for option in OPTIONS}
    in_force = {option: value for option, (value, _, _) in found.items()}
    assert Policies(by_name).options(queue, declared) == QueueOptions(**in_force)


@given(names, values, st.dictionaries(st.text("xyz", min_size=1, max_size=2), policies, max_size=6))
def test_whoever_is_overruled_is_next_when_the_others_are_gone(
    queue: str, declared: dict[str, Any], by_name: dict[str, Policy]
) -> None:
    for verdict in Policies(by_name).verdicts(queue, declared):
        rest = dict(by_name)
        expected = [verdict.claim, *verdict.overruled]
        if expected[0].source is Source.CLIENT:
            expected = expected[1:]
        for claim in expected:
            value, source, policy = chosen(verdict.option, queue, {}, rest)
            assert (value, source, policy) == (claim.value, claim.source, claim.policy)
            rest.pop(policy, None)
        assert chosen(verdict.option, queue, {}, rest)[1] is Source.DEFAULT
