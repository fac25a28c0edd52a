"""What has become of a push."""

from __future__ import annotations

import pytest

from segue.protocols.push.outcome import Outcome, PushError


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(0, "No answer"), True),
        (Outcome(0, "refused", retry=False), False),
        (Outcome.answered(200), False),
        (Outcome.answered(404), False),
        (Outcome.answered(500), False),
        (Outcome.answered(429), True),
        (Outcome.answered(503), True),
    ],
)
def test_an_endpoint_is_down_or_busy_when_nothing_comes_or_it_says_so(outcome: Outcome, expected: bool) -> None:
    assert outcome.says_busy is expected


def test_a_status_is_shown_in_our_words() -> None:
    assert Outcome.answered(404) == Outcome(404, "Not Found")
    assert Outcome.answered(799) == Outcome(799, "Status 799")


def test_a_failure_says_whether_another_try_may_end_otherwise() -> None:
    assert Outcome.failed(PushError("why")) == Outcome(0, "why", retry=True)
    assert Outcome.failed(PushError("why", retry=False)) == Outcome(0, "why", retry=False)
