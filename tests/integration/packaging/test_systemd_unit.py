"""What the systemd unit says has to be true of the program that it starts."""

from configparser import ConfigParser

from segue.broker.exit_codes import ExitCode
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
