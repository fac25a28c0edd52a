"""What commands print."""

import pytest

from segue.broker.cli.text import age, count, message_range, printable, rate, size, table, time_text


def test_a_table_has_columns_of_the_same_width_and_numbers_at_the_right() -> None:
    assert table(("queue", "ready"), [["a", "1,000"], ["orders", "7"]], right=[1]).split("\n") == [
        "queue   ready",
        "a       1,000",
        "orders      7",
    ]


def test_a_table_without_rows_is_its_head() -> None:
    assert table(("a", "b"), []) == "a  b"


def test_nothing_in_a_cell_acts_on_the_terminal() -> None:
    shown = table(("queue",), [["a\x1b[31mb\nc\u202ed"]])
    assert shown == "queue\na\\x1b[31mb\\nc\\u202ed"


@pytest.mark.parametrize("text", ["orders", "ünï 日本", "C:\\temp"])
def test_printable_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 << 20, "5.0 MiB"),
        (3 << 40, "3.0 TiB"),
        (1 << 60, "1024.0 PiB"),
    ],
)
def test_a_size_is_shown_in_the_largest_unit_that_fits(octets: int, text: str) -> None:
    assert size(octets) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0 s"), (59.9, "59 s"), (61, "1 min 1 s"), (7_260, "2 h 1 min"), (90_000, "1 d 1 h")],
)
def test_an_age_is_shown_in_two_units(seconds: float | None, text: str) -> None:
    assert age(seconds) == text


def test_counts_and_rates_are_easy_to_read() -> None:
    assert count(1_234_567) == "1,234,567"
    assert [rate(value) for value in (0, 0.25, 9.9, 1234.5)] == ["0", "0.2", "9.9", "1,234"]


def test_a_range_of_one_message_is_that_message() -> None:
    assert (message_range(3, 3), message_range(3, 5)) == ("message 3", "messages 3-5")


def test_a_moment_is_utc() -> None:
    assert time_text(1_700_000_000_000) == "2023-11-14 22:13:20"
    assert time_text(0) == "-"
