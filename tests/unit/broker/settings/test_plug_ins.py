"""Sections of front-ends from elsewhere are found by entry point, and only looked for when one is needed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from segue.broker.settings import SettingsError, extra_sections, load_settings
from segue.broker.settings.keys import count


@dataclass(frozen=True, slots=True)
class Lines:
    """A front-end from elsewhere."""

    peers_max: int = count(5, "peers", "The most peers.", minimum=1, maximum=9)


def install(directory: Path, monkeypatch: pytest.MonkeyPatch, name: str, target: str) -> None:
    """Put the metadata of a distribution with one entry point onto sys.path."""
    info = directory / "lines_for_segue-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lines-for-segue\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[segue.settings]\n{name} = {target}\n")
    monkeypatch.syspath_prepend(str(directory))


def test_an_installed_section_is_read_without_being_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "lines", f"{__name__}:Lines")
    assert extra_sections() == {"lines": Lines}
    path = tmp_path / "segue.toml"
    path.write_text("[lines]\npeers_max = 7\n")
    assert load_settings(path, {}, {}).section("lines") == Lines(7)
    assert load_settings(None, {"SEGUE_LINES__PEERS_MAX": "8"}, {}).section("lines") == Lines(8)


@pytest.mark.parametrize(
    ("name", "target", "problem"),
    [
        ("lines", "no_such_module_of_ours:Lines", "can't be loaded from no_such_module_of_ours:Lines"),
        ("lines", f"{__name__}:install", "is not a dataclass"),
        ("stomp", f"{__name__}:Lines", "is a section of Segue's own"),
        ("users", f"{__name__}:Lines", "is a section of Segue's own"),
        ("policies", f"{__name__}:Lines", "is a section of Segue's own"),
    ],
)
def test_a_section_that_cant_be_used_is_a_fault_that_names_it(
    name: str, target: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, name, target)
    with pytest.raises(SettingsError, match=problem) as refused:
        load_settings(None, {"SEGUE_LINES__X": "1"}, {})
    assert f"[{name}]" in str(refused.value)


def test_nothing_is_looked_up_for_the_sections_in_the_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "lines", "no_such_module_of_ours:Lines")
    path = tmp_path / "segue.toml"
    path.write_text('[log]\nlevel = "debug"\n')
    loaded = load_settings(path, {"SEGUE_LOG__FORMAT": "json"}, {})
    assert (loaded.log.level, loaded.log.format) == ("debug", "json")
    assert "no_such_module_of_ours" not in sys.modules
