"""The settings: one frozen dataclass a section, read from flags, the environment and TOML.

    settings = load_settings(Path("segue.toml"), os.environ, {"stomp.listen": "127.0.0.1:0"})
    settings.limits.body_bytes_max

Importing it costs little (no trio, no cryptography): control commands read the settings too.
"""

from segue.broker.settings.account import Account
from segue.broker.settings.address import ListenAddress
from segue.broker.settings.control import Control
from segue.broker.settings.faults import Fault, SettingsError
from segue.broker.settings.http import Http
from segue.broker.settings.limits import Limits
from segue.broker.settings.loader import load_settings
from segue.broker.settings.log import Log
from segue.broker.settings.memory import Memory
from segue.broker.settings.password_hash import PasswordHash
from segue.broker.settings.plug_ins import extra_sections
from segue.broker.settings.policy import Policy
from segue.broker.settings.policy_reading import InvalidPolicyError, check_policy_name, read_policy, show_policy
from segue.broker.settings.push import Push
from segue.broker.settings.render import render_json, render_toml
from segue.broker.settings.stomp import Stomp
from segue.broker.settings.storage import Storage
from segue.broker.settings.tree import Origin, Settings

__all__ = [
    "Account",
    "Control",
    "Fault",
    "Http",
    "InvalidPolicyError",
    "Limits",
    "ListenAddress",
    "Log",
    "Memory",
    "Origin",
    "PasswordHash",
    "Policy",
    "Push",
    "Settings",
    "SettingsError",
    "Stomp",
    "Storage",
    "check_policy_name",
    "extra_sections",
    "load_settings",
    "read_policy",
    "render_json",
    "render_toml",
    "show_policy",
]
