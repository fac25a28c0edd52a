"""Tests of how installed front-ends are found and of what is said about one that can't be used."""

from collections.abc import Sequence
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from typing import Any

import pytest
import trio

from segue.broker.frontends import FrontEndError, load_frontends


class Lines:
    name: str = "lines"
    settings_section: str | None = None

    async def serve(self, node: Any, settings: Any, *, task_status: trio.TaskStatus[Sequence[str]]) -> None:
        task_status.started(["nowhere"])


class Rows(Lines):
    name = "rows"


class Unfinished:
    name = "unfinished"


NOT_A_CLASS = 7


def offer(path: Path, distribution: str, *lines: str) -> list[EntryPoint]:
    """Write a distribution's metadata with these entry points; return those of all that are in `path`."""
    metadata = path / f"{distribution}-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("\n".join(["[segue.frontends]", *lines]))
    return [point for found in distributions(path=[str(path)]) for point in found.entry_points]


def test_front_ends_are_found_by_name_and_in_the_order_of_their_names(tmp_path: Path) -> None:
    offer(tmp_path, "zeta", f"lines = {__name__}:Lines")
    points = offer(tmp_path, "alpha", f"rows = {__name__}:Rows")
    assert list(load_frontends(points).items()) == [("lines", Lines), ("rows", Rows)]


def test_a_distribution_that_is_found_twice_offers_its_front_end_once(tmp_path: Path) -> None:
    points = offer(tmp_path, "alpha", f"lines = {__name__}:Lines")
    assert load_frontends(points + points) == {"lines": Lines}


def test_two_front_ends_with_one_name_are_refused_and_both_distributions_named(tmp_path: Path) -> None:
    offer(tmp_path, "alpha", f"lines = {__name__}:Lines")
    points = offer(tmp_path, "beta", f"lines = {__name__}:Rows")
    with pytest.raises(FrontEndError, match="two front-ends are called 'lines'") as caught:
        load_frontends(points)
    assert "of alpha" in str(caught.value)
    assert "of beta" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("lines = missing_module:Lines", "'lines' can't be loaded: .* of beta: No module named 'missing_module'"),
        (f"lines = {__name__}:Missing", "'lines' can't be loaded: .* of beta: .* has no attribute 'Missing'"),
        (f"lines = {__name__}:NOT_A_CLASS", "'lines' is not a class: .* of beta"),
        (f"unfinished = {__name__}:Unfinished", "'unfinished' has no settings_section, serve: .* of beta"),
        (f"lines = {__name__}:Rows", "'lines' calls itself 'rows': .* of beta"),
    ],
    ids=["module", "attribute", "class", "incomplete", "name"],
)
def test_a_front_end_that_can_not_be_used_is_an_error_that_names_it(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(FrontEndError, match=complaint):
        load_frontends(offer(tmp_path, "beta", line))
