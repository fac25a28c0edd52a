"""Writing the settings that are in force: as TOML and as JSON, with where each value came from, and without secrets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from segue.broker.settings.faults import KeyPath
from segue.broker.settings.keys import Key, keys_of
from segue.broker.settings.kinds import quote
from segue.broker.settings.named import NAMED
from segue.broker.settings.tree import Settings

__all__ = ["render_json", "render_toml"]

# Values are short; a long one just pushes its own comment to the right.
_COMMENT_COLUMN = 60


def render_toml(settings: Settings, with_origin: bool = True) -> str:
    """Write all settings as a TOML document, each with a comment that says where it came from.

    Hashes of passwords are not written, so a document with users can't be read back as it is.
    """
    lines: list[str] = []
    for path, section in settings.tables():
        lines.append(f"[{'.'.join(_toml_key(part) for part in path)}]")
        for key, value in _values(path, section):
            line = f"{key.name} = {key.setting.kind.toml(value)}"
            if with_origin:
                line = f"{line:<{_COMMENT_COLUMN}}  # {_printable(str(settings.origin(key.path)))}"
            lines.append(line)
        lines.append("")
    return "\n".join(lines)


def render_json(settings: Settings, with_origin: bool = True) -> str:
    """Write all settings as one JSON object: `{"log": {"level": {"value": "info", "origin": "default"}}}`.

    Sizes are bytes and durations are seconds. Without origin a key has its bare value.
    """
    import json

    tree: dict[str, object] = {section: {} for section in NAMED}
    for path, section in settings.tables():
        table: dict[str, object] = {}
        for key, value in _values(path, section):
            plain = key.setting.kind.plain(value)
            table[key.name] = {"value": plain, "origin": str(settings.origin(key.path))} if with_origin else plain
        _place(tree, path, table)
    return json.dumps(tree, indent=2)


def _values(path: KeyPath, section: Any) -> Iterator[tuple[Key, Any]]:
    """Every key with its value, without those that may be left out and are."""
    for key in keys_of(path, type(section)):
        value = getattr(section, key.name)
        if value is not None:
            yield key, value


def _place(tree: dict[str, object], path: KeyPath, table: dict[str, object]) -> None:
    if len(path) == 1:
        tree[path[0]] = table
    else:
        outer = tree[path[0]]
        assert isinstance(outer, dict)
        outer[path[1]] = table


def _toml_key(part: str) -> str:
    is_bare = part.isascii() and part.replace("_", "").replace("-", "").isalnum()
    return part if is_bare else quote(part)


def _printable(text: str) -> str:
    """Keep a comment on its line: a file may have any name."""
    return quote(text)[1:-1] if not text.isprintable() else text
