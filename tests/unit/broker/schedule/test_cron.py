"""Cron entries: what they say, and the minutes that they stand for."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from segue.broker.schedule.cron import Cron, CronError

__all__: list[str] = []

BERLIN = ZoneInfo("Europe/Berlin")


def milliseconds(text: str, zone: ZoneInfo | None = None) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone or UTC).timestamp()) * 1000


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("* * * * *", "2024-02-28T10:31"),
        ("*/15 * * * *", "2024-02-28T10:45"),
        ("0 * * * *", "2024-02-28T11:00"),
        ("30 10 * * *", "2024-02-29T10:30"),
        ("5,35 10-12 * * *", "2024-02-28T10:35"),
        ("10/20 * * * *", "2024-02-28T10:50"),
        ("0 0 29 2 *", "2024-02-29T00:00"),
        ("0 0 28 2 *", "2025-02-28T00:00"),
        ("0 0 31 * *", "2024-03-31T00:00"),
        ("0 0 * * sun", "2024-03-03T00:00"),
        ("0 0 * * 7", "2024-03-03T00:00"),
        ("0 0 * * Mon-Wed", "2024-03-04T00:00"),
        ("0 0 1 jan *", "2025-01-01T00:00"),
        ("0 12 1 * 5", "2024-03-01T12:00"),
        ("0 12 15 * 4", "2024-02-29T12:00"),
        ("0 0 */10 * 1", "2024-03-11T00:00"),
        ("59 23 31 12 *", "2024-12-31T23:59"),
    ],
)
def test_the_next_minute_is_found(entry: str, expected: str) -> None:
    """From Wednesday, the 28th of February 2024, a leap year."""
    now_ms = milliseconds("2024-02-28T10:30:20")
    assert Cron(entry).next_ms(now_ms, ZoneInfo("UTC")) == milliseconds(expected)


def test_a_time_that_is_one_of_its_minutes_is_not_found_again() -> None:
    cron, zone = Cron("30 10 * * *"), ZoneInfo("UTC")
    first = cron.next_ms(milliseconds("2024-02-28T10:29:59"), zone)
    assert first == milliseconds("2024-02-28T10:30")
    assert cron.next_ms(first, zone) == milliseconds("2024-02-29T10:30")


def test_a_minute_that_is_left_out_in_spring_happens_an_hour_later() -> None:
    cron = Cron("30 2 * * *")
    found = cron.next_ms(milliseconds("2024-03-31T00:00", BERLIN), BERLIN)
    assert found == milliseconds("2024-03-31T03:30", BERLIN)
    assert cron.next_ms(found, BERLIN) == milliseconds("2024-04-01T02:30", BERLIN)


def test_a_minute_that_comes_twice_in_autumn_happens_once() -> None:
    cron = Cron("30 2 * * *")
    found = cron.next_ms(milliseconds("2024-10-27T00:00", BERLIN), BERLIN)
    assert found == milliseconds("2024-10-27T02:30", BERLIN)
    assert cron.next_ms(found, BERLIN) == milliseconds("2024-10-28T02:30", BERLIN)


def test_the_times_are_those_of_the_machine_unless_a_zone_is_given() -> None:
    cron = Cron("17 * * * *")
    now = datetime(2024, 5, 1, 12, 0).timestamp() * 1000  # noqa: DTZ001 - the machine's, whatever it is
    found = cron.next_ms(int(now))
    assert found is not None
    assert datetime.fromtimestamp(found / 1000).minute == 17  # noqa: DTZ006 - as above


@pytest.mark.parametrize(
    "entry",
    [
        "", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * * 8",
        "a * * * *", "1- * * * *", "-1 * * * *", "5-1 * * * *", "*/0 * * * *", "1,,2 * * * *", "* * * foo *",
        "0 0 30 2 *", "0 0 31 2,4,6 *", "² * * * *", "1" * 300 + " * * * *", "1/x * * * *",
    ],
)  # fmt: skip
def test_what_is_no_entry_or_never_happens_is_refused(entry: str) -> None:
    with pytest.raises(CronError):
        Cron(entry)
