"""The progress bar: seen by people, not by files."""

import io

import pytest

from segue.bench.progress import ProgressBar, render


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_shows_how_far_and_how_long_still() -> None:
    line = render("fill", 250, 1000, 30.0, "250 messages")
    assert line == "fill [#######.......................]  25%  250 messages  1:30 left"


@pytest.mark.parametrize("done", [0, 9])
def test_a_bar_that_has_hardly_begun_promises_nothing(done: int) -> None:
    assert "left" not in render("fill", done, 1000, 10.0, "")


def test_more_than_all_is_shown_as_all() -> None:
    assert "100%" in render("fill", 1500, 1000, 10.0, "")


def test_nothing_is_written_where_nobody_looks() -> None:
    stream = io.StringIO()
    bar = ProgressBar(stream, "fill")
    bar.show(1, 2)
    bar.clear()
    assert stream.getvalue() == ""


def test_a_cleared_bar_leaves_an_empty_line() -> None:
    stream = Terminal()
    bar = ProgressBar(stream, "fill")
    bar.show(1, 2)
    bar.clear()
    last = stream.getvalue().rstrip("\r").rpartition("\r")[2]
    assert last.strip() == ""
    assert len(last) > 0
