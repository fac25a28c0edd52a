"""Commands that can't do what they are asked: the thing, the cause, the next step, the exit code."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from segue.broker.cli import main
from segue.broker.exit_codes import ExitCode
from tests.helpers.privileges import without_privileges
from tests.integration.cli.conftest import Segue, run_segue


@pytest.fixture
def private() -> Iterator[Path]:
    """A directory that nobody else may look into, in one that everybody may."""
    with TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        path = Path(name) / "private"
        (path / "inside").mkdir(parents=True)
        path.chmod(0o700 if os.geteuid() == 0 else 0)
        yield path
        path.chmod(0o700)


def refusal(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """What a command without root's rights ends with and says.

    In this process, with all modules loaded: interpreter and packages may lie where nobody else may look.
    """
    for name in ("check", "show", "salvage"):
        import_module(f"segue.storage.tools.{name}")
    with without_privileges():
        exit_code = main(words)
    return exit_code, capsys.readouterr().err


def test_a_data_directory_that_is_not_there_is_named() -> None:
    done = run_segue("queue", "list", "--data", "/nowhere/at/all")
    assert done.exit_code == ExitCode.UNREACHABLE
    assert "/nowhere/at/all/control.sock" in done.err
    assert "there is no /nowhere/at/all: say where the broker's data is" in done.err


@pytest.mark.parametrize("action", ["check", "show"])
def test_a_directory_without_a_store_is_no_damaged_store(tmp_path: Path, action: str) -> None:
    done = run_segue("storage", action, "--json", "--data", str(tmp_path))
    assert (done.exit_code, done.json["error"]["code"]) == (ExitCode.STORE_UNUSABLE, "directory-unusable")
    assert f"{tmp_path}: no store of Segue is in this directory; say where it is, with --data" in done.err


def test_nothing_is_salvaged_from_where_no_store_is(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    done = run_segue("storage", "salvage", str(source), str(target))
    assert done.exit_code == ExitCode.STORE_UNUSABLE
    assert "no store of Segue is in this directory; give the damaged data directory" in done.err
    assert not target.exists()


def test_a_file_that_is_given_for_a_directory_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run_segue("storage", "check", "--data", str(tmp_path / "file"))
    assert done.exit_code == ExitCode.STORE_UNUSABLE
    assert "file: Not a directory; check the path" in done.err


def test_a_directory_that_is_given_for_a_file_is_said_to_be_one(tmp_path: Path) -> None:
    done = run_segue("storage", "dump", str(tmp_path))
    assert done.exit_code == ExitCode.STORE_UNUSABLE
    assert "Is a directory; give a file of segments/ or journal/ in it" in done.err


@pytest.mark.parametrize(
    "words",
    [("check", "--data", "{}/inside"), ("show", "--data", "{}/inside"), ("salvage", "{}/inside", "target")],
    ids=["check", "show", "salvage"],
)
def test_what_another_account_owns_is_not_looked_into(
    private: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code, said = refusal(["storage", *(word.format(private) for word in words)], capsys)
    assert exit_code == ExitCode.STORE_UNUSABLE
    assert "Permission denied; run the command under the account that owns the store, or as root" in said


def test_a_store_is_not_salvaged_into_what_another_account_owns(
    private: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = private.parent / "source"
    (source / "journal").mkdir(parents=True)
    for path in (source, source / "journal"):
        path.chmod(0o755)
    exit_code, said = refusal(["storage", "salvage", str(source), str(private / "inside" / "target")], capsys)
    assert exit_code == ExitCode.STORE_UNUSABLE
    assert said.startswith(f"segue: {private}")
    assert "Permission denied; run the command" in said


def test_a_socket_that_another_account_owns_is_not_to_be_asked(
    private: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code, said = refusal(["status", "--data", str(private)], capsys)
    assert exit_code == ExitCode.REFUSED
    assert f"{private}/control.sock is not yours to use; run the command as the daemon's account, or as root" in said


def test_an_address_that_is_taken_is_named_with_what_can_be_done(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run_segue("serve", "--data", str(tmp_path / "data"), "--stomp", address)
    assert done.exit_code == ExitCode.LISTEN_FAILED
    assert f"{address}: Address already in use; stop what listens there, or choose another address" in done.err
    assert "Errno" not in done.err


def test_a_directory_with_other_files_is_not_made_a_data_directory(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    done = run_segue("serve", "--data", str(tmp_path), "--stomp", "127.0.0.1:0")
    assert done.exit_code == ExitCode.STORE_UNUSABLE
    assert "there are other files in it, and no data of Segue; choose a new or an empty directory" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["letters"]


def test_a_body_that_is_far_too_large_is_refused_with_the_limit_that_counts(segue: Segue, queue: str) -> None:
    done = segue("queue", "publish", queue, input=bytes(24 << 20), exit_code=ExitCode.REFUSED)
    assert "the request is longer than" in done.err
    assert "limits.body_bytes_max" in done.err


def test_a_body_that_is_a_little_too_large_is_refused_with_its_size(segue: Segue, queue: str) -> None:
    done = segue("queue", "publish", queue, input=bytes((16 << 20) + 1), exit_code=ExitCode.REFUSED)
    assert "the body has 16777217 bytes, limits.body_bytes_max is 16777216" in done.err


@pytest.mark.parametrize(
    "words",
    [("browse", "{}", "--limit", "9" * 18), ("browse", "{}", "--body-bytes", "9" * 18), ("browse", "{}", "--all")],
    ids=["limit", "body-bytes", "all"],
)
def test_a_huge_count_is_as_good_as_all(segue: Segue, queue: str, words: tuple[str, ...]) -> None:
    segue("queue", "publish", queue, "hello")
    assert "hello" in segue("queue", *(word.format(queue) for word in words)).out


def test_a_misspelt_setting_is_said_by_every_command_with_the_right_one(tmp_path: Path) -> None:
    settings = tmp_path / "segue.toml"
    settings.write_text('[storage]\ndata_dir = "x"\n')
    for words in (("serve",), ("status",), ("queue", "list"), ("storage", "check"), ("config", "check")):
        done = run_segue(*words, "--config", str(settings))
        assert done.exit_code == ExitCode.SETTINGS
        assert "segue.toml:2: [storage] data_dir: is no setting; did you mean data_directory?" in done.err
