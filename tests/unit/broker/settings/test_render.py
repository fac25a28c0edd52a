"""Settings in force, written as TOML and JSON: complete, with origins, without secrets."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path

from segue.broker.settings import Settings, load_settings, render_json, render_toml
from segue.broker.settings.keys import size

HASH = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + "B" * 42 + "A"


@dataclass(frozen=True, slots=True)
class Lines:
    """A front-end from elsewhere."""

    line_bytes_max: int = size(4096, "The longest line.", minimum=80, maximum=65536)


def test_what_is_rendered_as_toml_loads_as_the_same_settings(tmp_path: Path) -> None:
    given = load_settings(None, {"SEGUE_LOG__LEVEL": "debug"}, {"stomp.listen": "", "limits.login_seconds": "1.5"})
    for with_origin in (True, False):
        path = tmp_path / "shown.toml"
        path.write_text(render_toml(given, with_origin))
        assert load_settings(path, {}, {}) == given


def test_each_line_of_toml_says_where_its_value_came_from() -> None:
    lines = render_toml(
        load_settings(None, {"SEGUE_LOG__LEVEL": "debug"}, {"storage.data_directory": "x"})
    ).splitlines()
    shown = {line.split(" = ")[0]: line for line in lines}
    assert shown["level"].split("  #")[0].rstrip() == 'level = "debug"'
    assert shown["level"].endswith("# SEGUE_LOG__LEVEL")
    assert shown["data_directory"].endswith("# --data")
    assert shown["body_bytes_max"].endswith("# default")


def test_no_hash_is_rendered() -> None:
    given = load_settings(None, {"SEGUE_USERS__Al ice__PASSWORD_HASH": HASH}, {})
    toml, as_json = render_toml(given), render_json(given)
    assert tomllib.loads(toml)["users"] == {"Al ice": {"password_hash": "(hidden)"}}
    assert json.loads(as_json)["users"]["Al ice"]["password_hash"]["value"] == "(hidden)"
    assert "argon2id" not in toml + as_json


def test_a_policy_is_rendered_with_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    given = load_settings(
        None, {"SEGUE_POLICIES__all__QUEUES": 'a"*', "SEGUE_POLICIES__all__MESSAGE_TTL_MS": "2 s"}, {}
    )
    path = tmp_path / "shown.toml"
    path.write_text(render_toml(given))
    assert load_settings(path, {}, {}) == given
    bare = json.loads(render_json(given, with_origin=False))
    assert bare["policies"] == {"all": {"queues": 'a"*', "priority": 0, "message_ttl_ms": 2000}}


def test_a_name_in_the_origin_cant_break_out_of_its_comment(tmp_path: Path) -> None:
    path = tmp_path / "a\nlevel = 1 #.toml"
    path.write_text('[log]\nlevel = "debug"\n')
    assert tomllib.loads(render_toml(load_settings(path, {}, {})))["log"]["level"] == "debug"


def test_json_has_values_in_their_units_with_or_without_origin() -> None:
    given = load_settings(None, {"SEGUE_LOG__LEVEL": "debug"}, {}, {"lines": Lines})
    with_origin = json.loads(render_json(given))
    assert with_origin["log"]["level"] == {"value": "debug", "origin": "SEGUE_LOG__LEVEL"}
    assert with_origin["limits"]["body_bytes_max"] == {"value": 16777216, "origin": "default"}
    bare = json.loads(render_json(given, with_origin=False))
    assert bare["stomp"]["listen"] == ["127.0.0.1:61613"]
    assert bare["limits"]["login_seconds"] == 10.0
    assert bare["lines"] == {"line_bytes_max": 4096}
    assert bare["users"] == bare["policies"] == {}


def test_both_forms_have_every_setting() -> None:
    keys = {key.path for key, _ in Settings().values()}
    for tree in (tomllib.loads(render_toml(Settings())), json.loads(render_json(Settings()))):
        assert {(section, key) for section, table in tree.items() for key in table} == keys
