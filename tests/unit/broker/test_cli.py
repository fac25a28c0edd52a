"""The command `segue`: every command is documented, each imports only what it needs, failures are said."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from segue.broker.cli import COMMANDS, main
from segue.broker.cli.reference import PAGE, commands, reference_page
from segue.broker.exit_codes import ExitCode
from segue.protocols.control.frames import ErrorCode

ROOT = Path(__file__).parents[3]
LEAVES = dict(commands())
# What takes longer to import than a control command may take to run.
HEAVY = {"trio", "trio_asyncio", "asyncio", "aiosqlite", "sqlite3", "cryptography", "ssl", "segue.protocols.stomp"}
OTHERS = {command.module for command in COMMANDS}


def imported_by(words: Sequence[str]) -> set[str]:
    """The modules that are loaded when a command has ended."""
    program = (
        "import sys; from segue.broker.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "sys.stderr.write('\\n'.join(['loaded:', *sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    return set(done.stderr.partition("loaded:\n")[2].split("\n"))


def test_the_page_is_what_the_parsers_generate() -> None:
    committed = (ROOT / PAGE).read_text(encoding="utf-8")
    assert committed == reference_page(), "run `python -m segue.broker.cli.reference` and commit what it changes"


def test_every_command_and_flag_stands_in_the_page() -> None:
    sections = re.split(r"^## ", (ROOT / PAGE).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert len(sections) == len(LEAVES)
    for (name, parser), section in zip(LEAVES.items(), sections, strict=True):
        assert section.startswith(f"`{name}")
        for action in parser._actions:
            assert all(flag in section for flag in action.option_strings if flag not in ("-h", "--help")), name


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_a_description_and_its_exit_codes(name: str) -> None:
    parser = LEAVES[name]
    assert len(parser.description or "") > 10
    assert {ExitCode.OK, ExitCode.USAGE} <= set(parser.get_default("exit_codes"))
    assert all(action.help for action in parser._actions)


def test_every_command_can_print_json_but_for_the_daemon() -> None:
    without = {name for name, parser in LEAVES.items() if "--json" not in parser._option_string_actions}
    assert without == {"segue serve"}


@pytest.mark.parametrize("words", [["status"], ["queue", "list"], ["topic", "list"], ["connection", "close", "1"]])
def test_a_control_command_imports_nothing_heavy(words: list[str], tmp_path: Path) -> None:
    loaded = imported_by([*words, "--data", str(tmp_path)])
    assert loaded & HEAVY == set()
    assert {module for module in OTHERS & loaded if module != f"segue.broker.cli.{words[0]}"} == set()
    assert "segue.broker.cli.control_client" in loaded


@pytest.mark.parametrize("words", [["config", "show"], ["config", "check"], ["--version"], ["--help"]])
def test_looking_at_settings_imports_nothing_heavy(words: list[str]) -> None:
    assert imported_by(words) & HEAVY == set()


def test_no_daemon_is_said_with_the_socket_and_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["queue", "list", "--data", str(tmp_path)]) == ExitCode.UNREACHABLE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert str(tmp_path / "control.sock") in shown.err
    assert "segue serve" in shown.err


def test_a_failure_is_an_object_for_who_wants_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json", "--data", str(tmp_path)]) == ExitCode.UNREACHABLE
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "unreachable"
    assert error["message"]
    assert error["next_step"]


def test_faults_of_the_settings_are_said_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "segue.toml"
    config.write_text("[storage]\ndata = 1\n[limits]\nqueues_max = -1\n")
    assert main(["status", "--config", str(config)]) == ExitCode.SETTINGS
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["segue", "segue"]
    assert main(["config", "check", "--config", str(config)]) == ExitCode.SETTINGS
    assert capsys.readouterr().err.splitlines() == [line.removeprefix("segue: ") for line in lines]


def test_faults_of_the_settings_are_a_list_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "segue.toml"
    config.write_text("[storage]\ndata = 1\n")
    assert main(["config", "check", "--json", "--config", str(config)]) == ExitCode.SETTINGS
    (fault,) = json.loads(capsys.readouterr().out)["faults"]
    assert fault["place"].endswith(":2")


def test_settings_in_force_are_shown_with_their_origin(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--stomp", "127.0.0.1:7", "--json"]) == ExitCode.OK
    shown = json.loads(capsys.readouterr().out)
    assert shown["stomp"]["listen"] == {"value": ["127.0.0.1:7"], "origin": "--stomp"}
    assert main(["config", "check"]) == ExitCode.OK


def test_a_hash_that_is_printed_belongs_to_the_password() -> None:
    from segue.broker.users import verify

    command = [sys.executable, "-m", "segue.broker", "user", "hash"]
    done = subprocess.run(command, input=b"s3cret\n", capture_output=True, check=True)
    assert verify(b"s3cret", done.stdout.decode().strip())
    assert b"s3cret" not in done.stdout + done.stderr


@pytest.mark.parametrize("password", [b"", b"\n", b"x" * 1025 + b"\n", b"a\0b\n"])
def test_what_can_be_no_password_is_not_hashed(password: bytes) -> None:
    command = [sys.executable, "-m", "segue.broker", "user", "hash"]
    done = subprocess.run(command, input=password, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, b"")
    assert b"password" in done.stderr


def test_a_reader_that_has_had_enough_is_no_failure() -> None:
    command = f"{sys.executable} -m segue.broker config show | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (ExitCode.OK, b"")


def test_every_code_of_the_control_socket_is_documented() -> None:
    page = (ROOT / "docs/reference/control-socket.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `([a-z-]+)` \| ", page.partition("## Errors")[2], re.MULTILINE)
    assert sorted(documented) == sorted(code.value for code in ErrorCode)


def run_on_a_terminal(typed: bytes) -> tuple[int, bytes]:
    """Run `segue user hash` at a terminal of its own; returns its exit code and what the terminal showed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "segue.broker", "user", "hash"])
    shown = b""
    for prompt in (b"Password: ", b"Once more: "):
        while prompt not in shown:
            shown += os.read(terminal, 1000)
        line, _, typed = typed.partition(b"\n")
        os.write(terminal, line + b"\n" if line else b"\x04")
        if not line:
            break
    with contextlib.suppress(OSError):  # EIO: the other side has ended
        while part := os.read(terminal, 1000):
            shown += part
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


def test_a_password_is_typed_twice_and_never_shown() -> None:
    exit_code, shown = run_on_a_terminal(b"s3cret\ns3cret\n")
    assert exit_code == ExitCode.OK
    assert b"$argon2id$" in shown
    assert b"s3cret" not in shown


@pytest.mark.parametrize("typed", [b"s3cret\nother\n", b"s3cret\n", b""])
def test_a_password_that_is_not_typed_twice_the_same_is_refused(typed: bytes) -> None:
    exit_code, shown = run_on_a_terminal(typed)
    assert exit_code == ExitCode.USAGE
    assert b"Traceback" not in shown
    assert b"$argon2id$" not in shown
