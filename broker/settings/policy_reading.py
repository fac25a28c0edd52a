"""Policies as an operator gives them to a running broker: read by the rules of the settings, and shown likewise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from segue.broker.settings.faults import did_you_mean, show_word
from segue.broker.settings.keys import Key, keys_of
from segue.broker.settings.named import NAMED
from segue.broker.settings.policy import Policy

__all__ = ["POLICY_KEYS", "InvalidPolicyError", "check_policy_name", "read_policy", "show_policy"]

POLICY_KEYS: Final[Mapping[str, Key]] = {key.name: key for key in keys_of(("policies", "NAME"), Policy)}


class InvalidPolicyError(Exception):
    """What was given is no policy; the text names everything that is wrong with it."""


def check_policy_name(name: str) -> None:
    """Refuse what can't be the name of a policy.

    Raises:
        InvalidPolicyError: it is empty, too long, or has characters that can't be shown.
    """
    try:
        NAMED["policies"].check_name(name)
    except ValueError as fault:
        raise InvalidPolicyError(f"{show_word(name)} {fault}") from None


def read_policy(given: Mapping[str, object]) -> Policy:
    """Read a policy from its keys.

    Args:
        given: by the names of the settings. A value is a number, or a text as it would stand in the environment.

    Raises:
        InvalidPolicyError: a key is not known or missing, or a value is not of its kind.
    """
    values: dict[str, Any] = {}
    faults = []
    for name, raw in given.items():
        try:
            values[name] = _read(name, raw)
        except ValueError as fault:
            faults.append(f"{show_word(name)} {fault}")
    faults += [f"there is no {key.name}" for key in POLICY_KEYS.values() if key.required and key.name not in given]
    if faults:
        raise InvalidPolicyError("; ".join(faults))
    return Policy(**values)


def show_policy(policy: Policy) -> dict[str, object]:
    """What a policy says, as JSON has it; what it says nothing about is left out."""
    values = ((name, getattr(policy, name)) for name in POLICY_KEYS)
    return {name: POLICY_KEYS[name].setting.kind.plain(value) for name, value in values if value is not None}


def _read(name: str, raw: object) -> object:
    key = POLICY_KEYS.get(name)
    if key is None:
        near = did_you_mean(name, POLICY_KEYS)
        raise ValueError("is no key of a policy" + (f"; did you mean {near}?" if near else ""))
    kind = key.setting.kind
    value = kind.read_text(raw) if isinstance(raw, str) else kind.read(raw)
    key.check_range(value)
    return value
