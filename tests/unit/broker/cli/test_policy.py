"""`segue policy set` can say all that a policy of the settings can."""

from __future__ import annotations

from segue.broker.cli.policy import _FLAGS
from segue.broker.settings.policy_reading import POLICY_KEYS


def test_every_key_of_a_policy_has_a_flag_and_no_other() -> None:
    assert set(_FLAGS) == set(POLICY_KEYS)
