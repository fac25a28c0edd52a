"""Which value each option of a queue has, and who says so: the client that declared it, a policy, or the default.

For each option, what the client declared wins; else the policy that has the highest priority, and of equal ones the
first name, among those that match the queue and say something about the option; else the default. A policy is heard for
each option by itself: one may say where dead letters go, another how long messages live.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final, NamedTuple

from segue.broker.queue_options import NO_OPTIONS, QueueOptions
from segue.broker.settings import Policy

__all__ = ["SUBSCRIPTION_OPTIONS", "Claim", "Policies", "Source", "Verdict", "matches"]

SUBSCRIPTION_OPTIONS: Final = ("dead_letter", "delivery_limit", "message_ttl_ms", "messages_max")
"""What of the options a durable subscription can do."""
_OPTIONS: Final = tuple(option.name for option in fields(QueueOptions))


class Source(StrEnum):
    """Who says what the value of an option is."""

    CLIENT = "client"
    POLICY = "policy"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Claim:
    """What one of them says about one option.

    Attributes:
        value: as in `QueueOptions`.
        source: who.
        policy: the name of the policy, empty where it is none.
        priority: of the policy.
        was_set: the policy was set while the broker ran, and is not one of the settings.
    """

    value: Any
    source: Source
    policy: str = ""
    priority: int = 0
    was_set: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The value of one option of one queue.

    Attributes:
        option: its name, as in `QueueOptions`.
        claim: what is in force.
        overruled: policies that match and say something else, or the same, in the order of their rank.
    """

    option: str
    claim: Claim
    overruled: tuple[Claim, ...]


class Policies:
    """The policies of a broker, by name. Nothing in it changes: other policies are another object."""

    def __init__(self, of_settings: Mapping[str, Policy], were_set: Mapping[str, Policy] | None = None) -> None:
        """`were_set`: while the broker ran; each takes the place of one of the settings with its name."""
        were_set = were_set or {}
        by_rank = sorted({**of_settings, **were_set}.items(), key=lambda item: (-item[1].priority, item[0]))
        self._ranked = tuple(_Ranked(name, policy, name in were_set) for name, policy in by_rank)

    def options(self, queue: str, declared: Mapping[str, Any]) -> QueueOptions:
        """What a queue does.

        Args:
            queue: its name.
            declared: the options that the client which made it has given, see `declared_options`.
        """
        matching = self._matching(queue)
        if not matching:  # so it is with most of a hundred thousand queues, at every start
            return QueueOptions(**declared) if declared else NO_OPTIONS
        verdicts = (_verdict(option, queue, declared, matching) for option in _OPTIONS)
        return QueueOptions(**{verdict.option: verdict.claim.value for verdict in verdicts})

    def subscription_options(self, subscription: str) -> QueueOptions:
        """What a durable subscription does: likewise, but by its name, and no client can declare it."""
        said = [one for one in self._ranked if matches(one.policy.subscriptions or "", subscription)]
        if not said:
            return NO_OPTIONS
        verdicts = (_verdict(option, "", {}, said) for option in SUBSCRIPTION_OPTIONS)
        return QueueOptions(**{verdict.option: verdict.claim.value for verdict in verdicts})

    def verdicts(self, queue: str, declared: Mapping[str, Any]) -> tuple[Verdict, ...]:
        """The same with reasons: one verdict for each option, in the order of `QueueOptions`."""
        matching = self._matching(queue)
        return tuple(_verdict(option, queue, declared, matching) for option in _OPTIONS)

    def _matching(self, queue: str) -> list[_Ranked]:
        return [ranked for ranked in self._ranked if matches(ranked.policy.queues, queue)]


def matches(pattern: str, name: str) -> bool:
    """True when a pattern stands for a name: `*` for any run of characters, also for none; nothing else is special.

    Each piece between two `*` is looked for once, from left to right: as an expression with `.*` it could take
    quadratic time and more, and patterns are read by whoever may write the settings, but names come from clients.
    """
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == name
    *middle, last = rest
    if not name.startswith(first):
        return False
    at = len(first)
    for piece in middle:
        found = name.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return len(name) - len(last) >= at and name.endswith(last)


class _Ranked(NamedTuple):
    name: str
    policy: Policy
    was_set: bool


def _verdict(option: str, queue: str, declared: Mapping[str, Any], matching: list[_Ranked]) -> Verdict:
    claims = list(_claims(option, queue, matching))
    if option in declared:
        return Verdict(option, Claim(declared[option], Source.CLIENT), tuple(claims))
    if claims:
        return Verdict(option, claims[0], tuple(claims[1:]))
    return Verdict(option, Claim(getattr(NO_OPTIONS, option), Source.DEFAULT), ())


def _claims(option: str, queue: str, matching: list[_Ranked]) -> Iterator[Claim]:
    """What policies say about an option, by rank."""
    for name, policy, was_set in matching:
        value = getattr(policy, option)
        # A queue that is its own dead-letter queue would bury the same messages for ever; and a policy for all queues
        # matches the one that it sends their dead letters to.
        if value is not None and not (option == "dead_letter" and value == queue):
            yield Claim(value, Source.POLICY, name, policy.priority, was_set)
