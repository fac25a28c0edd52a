"""`segue serve`: run the broker until it is told to stop."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from segue.broker.cli.arguments import COMMON_EXIT_CODES, add_listen, flags_of
from segue.broker.exit_codes import ExitCode
from segue.broker.log_lines import LogLines
from segue.broker.settings import Settings, SettingsError, extra_sections, load_settings

if TYPE_CHECKING:
    from segue.broker.log_lines import Log

__all__ = ["add_arguments", "run"]

_EXIT_CODES: Final = {
    "directory-locked": ExitCode.REFUSED,
    "directory-unusable": ExitCode.STORE_UNUSABLE,
    "newer-format": ExitCode.STORE_NEWER_FORMAT,
    "damaged-store": ExitCode.STORE_DAMAGED,
    "disk-failure": ExitCode.DISK_FAILED,
    "front-end": ExitCode.REFUSED,
}

_NEXT_STEPS: Final = {
    errno.EADDRINUSE: "stop what listens there, or choose another address",
    errno.EADDRNOTAVAIL: "choose an address of this machine",
    errno.EACCES: "choose a port from 1024 on: the lower ones are for root",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's flags."""
    parser.add_argument("--config", metavar="FILE", type=Path, help="settings in TOML (see conf/segue.toml)")
    parser.add_argument("--data", metavar="DIR", help="data directory (storage.data_directory)")
    add_listen(parser)
    codes = (*COMMON_EXIT_CODES, *_EXIT_CODES.values(), ExitCode.LISTEN_FAILED, ExitCode.INTERNAL)
    parser.set_defaults(run=run, exit_codes=codes)


def run(arguments: argparse.Namespace) -> int:
    """Serve; returns the exit code."""
    try:
        settings = load_settings(arguments.config, os.environ, flags_of(arguments), extra_sections())
    except SettingsError as error:
        print(error, file=sys.stderr)
        return ExitCode.SETTINGS
    section = settings.log
    with LogLines(
        sys.stderr.fileno(),
        section.level,
        section.format,
        event_burst_max=section.event_burst_max,
        event_interval_seconds=section.event_interval_seconds,
        queue_lines_max=section.queue_lines_max,
    ) as log:
        return _serve(settings, log)


def _serve(settings: Settings, log: Log) -> int:
    from segue.broker import daemon

    try:
        daemon.run(settings, log)
    except BaseExceptionGroup as group:
        return _explain(_innermost(group), log)
    except Exception as error:  # noqa: BLE001 - the one boundary of the process
        return _explain(error, log)
    return ExitCode.OK


def _innermost(error: BaseException) -> BaseException:
    """The first cause in nested groups; what we raise on purpose before what followed from it."""
    while isinstance(error, BaseExceptionGroup):
        known = error.subgroup(lambda inner: getattr(inner, "code", None) in _EXIT_CODES)
        error = (known or error).exceptions[0]
    return error


def _explain(error: BaseException, log: Log) -> int:
    code = _EXIT_CODES.get(getattr(error, "code", ""))
    if code is not None:
        log.error("daemon.refused", reason=str(error))
        return code
    if isinstance(error, OSError):
        step = _NEXT_STEPS.get(error.errno or 0, "choose another address")
        log.error("daemon.refused", reason=f"{error.strerror or error}; {step}")
        return ExitCode.LISTEN_FAILED
    log.crash("internal.error", error)
    return ExitCode.INTERNAL
