"""The exit codes and their page in the documentation say the same."""

from __future__ import annotations

import re
from pathlib import Path

from segue.broker.exit_codes import ExitCode

PAGE = Path(__file__).parents[3] / "docs/reference/exit-codes.md"


def test_the_page_lists_every_exit_code_and_no_other() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (yes|no) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [
        (str(int(code)), code.name, "yes" if code.restart_helps else "no", code.meaning) for code in ExitCode
    ]


def test_the_page_names_the_codes_that_a_unit_should_not_restart_on() -> None:
    named = re.search(r"RestartPreventExitStatus=([\d ]+)", PAGE.read_text(encoding="utf-8"))
    assert named is not None
    # Those that `segue serve` ends with; the tools of the store are not units.
    hopeless = [
        str(int(code)) for code in ExitCode if not code.restart_helps and 0 < code < ExitCode.CHECK_FOUND_DAMAGE
    ]
    assert named[1].split() == hopeless


def test_a_code_is_a_number_that_shells_and_systemd_leave_to_programs() -> None:
    assert all(code == 0 or code < 64 or code in (ExitCode.INTERNAL, ExitCode.INTERRUPTED) for code in ExitCode)
    assert f"{ExitCode.SETTINGS:d}" == "3"
