"""Which broker is meant: its settings, from flags, the configuration file and the environment."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from segue.broker.cli.failure import CommandFailure
from segue.broker.exit_codes import ExitCode

if TYPE_CHECKING:
    from segue.broker.settings import Settings

__all__ = ["add_json", "add_place", "read_settings"]


def add_place(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that say which broker is meant."""
    parser.add_argument("--config", metavar="FILE", type=Path, help="the broker's settings (see conf/segue.toml)")
    parser.add_argument("--data", metavar="DIR", help="the broker's data directory (storage.data_directory)")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Declare `--json`."""
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def read_settings(arguments: argparse.Namespace) -> Settings:
    """The settings that the flags lead to.

    Raises:
        CommandFailure: they have faults.
    """
    from segue.broker.settings import SettingsError, load_settings

    try:
        flags = {"storage.data_directory": arguments.data, "stomp.listen": getattr(arguments, "stomp", None)}
        return load_settings(arguments.config, os.environ, flags)
    except SettingsError as error:
        raise CommandFailure(ExitCode.SETTINGS, "settings", str(error)) from error
