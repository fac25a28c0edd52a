"""Headers that a message brings for its pushes."""

from __future__ import annotations

import pytest

from segue.protocols.http import HttpError
from segue.protocols.rest.ironmq.push_headers import check_push_headers, taken_from


@pytest.mark.parametrize(
    "headers",
    [
        {f"X-{number}": "v" for number in range(6)},
        {"X" * 65: "v"},
        {"X": ""},
        {"X": "v" * 1025},
        {"X": "ä" * 513},
        {"X": "two\r\nlines"},
        {"": "v"},
        {"X Y": "v"},
        {"X:": "v"},
        {"Ä": "v"},
        {"content-TYPE": "v"},
        {"User-Agent": "v"},
        {"Iron-Reservation-Id": "v"},
    ],
)
def test_what_may_not_be_set_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(HttpError) as caught:
        check_push_headers(headers)
    assert (caught.value.status, caught.value.code) == (400, "push-headers")


@pytest.mark.parametrize("headers", [None, {}, {f"X-{number}": "v" * 1024 for number in range(5)}, {"X" * 64: "ä"}])
def test_what_may_be_set_is_taken(headers: dict[str, str] | None) -> None:
    check_push_headers(headers)


def test_a_webhook_names_headers_by_its_own_and_loses_bad_ones() -> None:
    named = {"x-subscribers-a": "1", "x-subscribers-user-agent": "2", "x-subscribers-b": "", "host": "h", "a": "3"}
    assert taken_from(named) == {"a": "1"}
    many = {f"x-subscribers-{number}": "v" for number in range(9)}
    assert len(taken_from(many)) == 5
