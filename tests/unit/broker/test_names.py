"""What may be called how, and that what one door takes for a queue, the other reaches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.broker.names import NAME_BYTES_MAX, InvalidNameError, check_name, check_queue_name
from segue.protocols.stomp.destination import Destination, DestinationKind, Use, parse_destination


@pytest.mark.parametrize(
    "name", ["orders", "a.b", "a/b", "c#", "\u00fcn\u00ef", "x" * NAME_BYTES_MAX, "two words", "?", "a?b"]
)
def test_a_queue_may_be_called_so(name: str) -> None:
    assert check_queue_name(name) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "1 to 255 bytes"),
        ("x" * (NAME_BYTES_MAX + 1), "1 to 255 bytes"),
        ("\u00e9" * (NAME_BYTES_MAX // 2 + 1), "1 to 255 bytes"),
        ("a\0b", "invisible"),
        ("a\x1b[31m", "invisible"),
        ("\u202eabc", "invisible"),
        (" a", "space"),
        ("a ", "space"),
        ("a..b", "'..'"),
        ("*", "wildcards"),
        ("a.#", "wildcards"),
        ("a*", "wildcards"),
        ("a.>", "wildcards"),
        ("a,b", "comma"),
        (",", "comma"),
        ("a?consumer.prefetchSize=1", "options"),
    ],
)
def test_a_queue_may_not_be_called_so_and_the_reason_is_said(name: str, reason: str) -> None:
    with pytest.raises(InvalidNameError) as refused:
        check_queue_name(name)
    assert reason in refused.value.reason


def test_a_topic_may_be_called_what_a_queue_may_not() -> None:
    assert [check_name(name) for name in ("a.*", "#", "a.>", "a,b")] == ["a.*", "#", "a.>", "a,b"]


@given(st.text(max_size=20) | st.text(alphabet="a.,*#>?/ ", max_size=6))
def test_every_queue_that_may_be_made_is_reached_by_send(name: str) -> None:
    try:
        found = check_queue_name(name)
    except InvalidNameError:
        return
    assert parse_destination(f"/queue/{name}", Use.SEND) == Destination(DestinationKind.QUEUE, found)
