"""What the systemd unit says has to be true of the program that it starts."""

from configparser import ConfigParser

from segue.broker.cli import build_parser
from segue.broker.exit_codes import ExitCode
from segue.broker.settings import Settings
from tests.tidy.tree import ROOT


def service() -> dict[str, str]:
    # systemd repeats keys where it wants a list; none that is read here is repeated.
    parser = ConfigParser(strict=False, interpolation=None)
    parser.read(ROOT / "systemd" / "segue.service", encoding="utf-8")
    return dict(parser["Service"])


def test_systemd_does_not_restart_where_restarting_can_not_help() -> None:
    never = {code.value for code in ExitCode if not code.restart_helps} - {ExitCode.OK}
    of_a_daemon = never - {ExitCode.CHECK_FOUND_DAMAGE, ExitCode.SALVAGE_INCOMPLETE}
    assert {int(code) for code in service()["restartpreventexitstatus"].split()} == of_a_daemon


def test_what_the_daemon_creates_is_for_its_own_account_alone() -> None:
    assert (service()["umask"], service()["statedirectorymode"]) == ("0077", "0700")


def test_the_command_of_the_unit_is_one_that_there_is() -> None:
    program, *words = service()["execstart"].split()
    arguments = build_parser("serve").read(words)
    assert (program, arguments.command) == ("/opt/segue/bin/segue", "serve")
    assert arguments.data == f"/var/lib/{service()['statedirectory']}"


def test_the_unit_leaves_enough_descriptors_and_time_for_the_default_limits() -> None:
    limits = Settings().limits
    assert int(service()["limitnofile"]) > limits.connections_max + 64
    assert int(service()["timeoutstopsec"]) > 2 * limits.drain_seconds


def test_the_page_installs_what_the_unit_says_that_it_needs() -> None:
    unit = (ROOT / "systemd" / "segue.service").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "how-to" / "run-under-systemd.md").read_text(encoding="utf-8")
    steps = [line.removeprefix("#   ") for line in unit.splitlines() if line.startswith("#   ")]
    commands = [command.partition("   ")[0].strip() for step in steps for command in step.split("&&")]
    assert len(commands) == 7
    assert [command for command in commands if command not in page] == []
