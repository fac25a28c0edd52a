"""A walk through a page runs what it says and tells what is not as it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.tutorial.walkthrough import Walk, walk_through

FENCE = "```"


def page_of(tmp_path: Path, *blocks: tuple[str, str]) -> Path:
    page = tmp_path / "page.md"
    page.write_text("".join(f"Text.\n\n{FENCE}{language}\n{text}{FENCE}\n\n" for language, text in blocks))
    return page


def walk(tmp_path: Path, *blocks: tuple[str, str]) -> Walk:
    return walk_through(page_of(tmp_path, *blocks), tmp_path)


def test_blocks_share_one_shell(tmp_path: Path) -> None:
    walked = walk(
        tmp_path,
        ("sh", "mkdir here && cd here\nNAME=segue\n"),
        ("python", "# say.py\nimport sys\nprint(sys.argv[1])\n"),
        ("sh", '. ../.venv/bin/activate\npython say.py "$NAME"\n'),
        ("text", "segue\n"),
    )
    assert list(walked.unexpected()) == []


def test_other_output_than_the_page_says_is_told_with_its_line(tmp_path: Path) -> None:
    walked = walk(tmp_path, ("sh", "echo one\n"), ("text", "two\n"))
    (difference,) = walked.unexpected()
    assert "page.md:9 says" in difference
    assert "one" in difference


def test_what_a_page_does_not_say_is_told_too(tmp_path: Path) -> None:
    walked = walk(tmp_path, ("sh", "echo one; echo two\n"), ("text", "one\n"))
    assert len(list(walked.unexpected())) == 1


def test_spaces_count_as_one_and_dots_stand_for_anything_within_a_line(tmp_path: Path) -> None:
    walked = walk(tmp_path, ("sh", "echo 'a   7 b'; echo c\n"), ("text", "a ... b\nc\n"))
    assert list(walked.unexpected()) == []


def test_dots_do_not_stand_for_a_line(tmp_path: Path) -> None:
    walked = walk(tmp_path, ("sh", "echo 'a   7 b'; echo c\n"), ("text", "a ...\n"))
    assert len(list(walked.unexpected())) == 1


def test_a_command_that_fails_ends_the_walk(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"(?s)ended with 1.*no such luck"):
        walk(tmp_path, ("sh", "echo no such luck\nfalse\necho never\n"))


def test_a_block_of_code_has_to_name_its_file(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="the first line has to name the file"):
        walk(tmp_path, ("python", "print(1)\n"))


def test_what_a_page_leaves_running_is_ended_and_told(tmp_path: Path) -> None:
    walked = walk(tmp_path, ("sh", "sleep 600 &\n"))
    assert walked.left_running
