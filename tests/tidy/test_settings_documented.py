"""What is committed about the settings is what their declarations say, and every one is fit to be declared."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from segue.broker.cli import build_parser
from segue.broker.queue_options import QueueOptions
from segue.broker.settings import Policy, Settings, load_settings
from segue.broker.settings.keys import Key, keys_of
from segue.broker.settings.kinds import Count, Seconds, Size
from segue.broker.settings.named import NAMED
from segue.broker.settings.reference import FILES
from segue.broker.settings.tree import SECTIONS

ROOT = Path(__file__).parents[2]
NAMED_KEYS = [key for name, named in NAMED.items() for key in keys_of((name, "NAME"), named.table)]
KEYS = [key for name, section in SECTIONS.items() for key in keys_of((name,), section)]


@pytest.mark.parametrize(("name", "write"), FILES.items(), ids=list(FILES))
def test_a_committed_file_is_what_the_declarations_generate(name: str, write: Callable[[], str]) -> None:
    committed = (ROOT / name).read_text(encoding="utf-8")
    assert committed == write(), "run `python -m segue.broker.settings.reference` and commit what it changes"


def test_the_committed_file_is_valid_as_it_is_and_with_every_comment_sign_taken_away(tmp_path: Path) -> None:
    committed = ROOT / "conf/segue.toml"
    assert load_settings(committed, {}, {}) == Settings()
    every_key = re.sub(r"^#(?=[a-z_]+ = )", "", committed.read_text(encoding="utf-8"), flags=re.MULTILINE)
    every_key = every_key.partition("#[users.alice]")[0]
    given = tmp_path / "segue.toml"
    given.write_text(every_key)
    loaded = load_settings(given, {}, {})
    assert loaded == Settings()
    assert {key.path for key in KEYS} == set(loaded.origins)
    assert {(section, name) for section, table in tomllib.loads(every_key).items() for name in table} == set(
        loaded.origins
    )


@pytest.mark.parametrize("key", KEYS, ids=[".".join(key.path) for key in KEYS])
def test_a_setting_has_a_text_a_unit_in_its_name_and_a_default_within_its_bounds(key: Key) -> None:
    setting = key.setting
    assert setting.text.endswith(".")
    assert len(setting.text) > 15
    key.check_range(key.default)
    match setting.kind:
        case Size():
            assert "bytes" in key.name.split("_")
        case Seconds():
            assert key.name.endswith("_seconds")
        case Count():
            assert key.name.endswith(("_max", "_default"))
            assert setting.kind.unit
        case _:
            assert setting.minimum is None
    if setting.minimum is not None:
        assert setting.minimum < setting.maximum


@pytest.mark.parametrize("key", NAMED_KEYS, ids=[".".join(key.path) for key in NAMED_KEYS])
def test_a_key_of_a_table_with_a_name_has_a_text_and_an_example_that_it_takes(key: Key) -> None:
    assert key.setting.text.endswith(".")
    assert key.setting.kind.remedy
    if key.default is not None:
        key.check_range(key.default)
    elif key.path != ("users", "NAME", "password_hash"):  # a hash that everybody knows is not to be copied
        key.check_range(key.setting.kind.read(tomllib.loads(f"x = {key.setting.kind.example}")["x"]))


def test_every_key_of_a_policy_is_a_flag_of_the_command_that_sets_one() -> None:
    words = build_parser("policy").parse_args(["policy", "set", "p"])
    assert {declared.name for declared in fields(Policy)} - set(vars(words)) == set()


def test_every_setting_is_read_by_the_code_that_it_is_for() -> None:
    sources = [path for folder in ("broker", "protocols", "storage") for path in (ROOT / folder).rglob("*.py")]
    declared_in = ROOT / "broker/settings"
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources if declared_in not in path.parents)
    # Those of `Settings.control_socket` are read by way of it.
    unread = [key.path for key in KEYS if f".{key.name}" not in code and key.path != ("control", "socket")]
    assert unread == []


@pytest.mark.parametrize("section", NAMED)
def test_every_key_of_a_table_with_a_name_is_explained_and_shown(section: str, tmp_path: Path) -> None:
    page = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8").partition(f"## [{section}.NAME]")[2]
    example = (ROOT / "conf/segue.toml").read_text(encoding="utf-8").partition(f"#[{section}.")[2]
    for key in keys_of((section, "NAME"), NAMED[section].table):
        assert f"### `{key.name}`" in page
        assert f"\n#{key.name} = " in example
        assert " ".join(key.setting.text.split()) in " ".join(page.split())


def test_the_policy_that_is_shown_can_be_used(tmp_path: Path) -> None:
    shown = (ROOT / "conf/segue.toml").read_text(encoding="utf-8").partition("\n#[policies.orders]")
    given = tmp_path / "segue.toml"
    given.write_text(re.sub(r"^#(?=[a-z_]+ = )", "", shown[1].replace("#", "") + shown[2], flags=re.MULTILINE))
    (policy,) = load_settings(given, {}, {}).policies.values()
    assert None not in [getattr(policy, declared.name) for declared in fields(policy)]


def test_a_policy_has_a_key_for_every_option_of_a_queue_and_no_other() -> None:
    of_its_own = {"queues", "priority", "subscriptions"}
    options = {declared.name for declared in fields(QueueOptions)}
    assert {declared.name for declared in fields(Policy)} == options | of_its_own
    assert all(declared.default is None for declared in fields(Policy) if declared.name in options)


def test_sections_are_frozen_and_hold_nothing_but_settings() -> None:
    for section in SECTIONS.values():
        made = section()
        with pytest.raises(AttributeError):
            setattr(made, fields(section)[0].name, None)
        assert not hasattr(made, "__dict__")
