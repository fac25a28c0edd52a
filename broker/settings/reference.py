"""Writes what is known about the settings: conf/segue.toml and docs/reference/settings.md, from their declarations.

    python -m segue.broker.settings.reference        in the root of a checkout

Both files are committed; tests/tidy fails when they differ from what is written here.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from segue.broker.settings.faults import KeyPath
from segue.broker.settings.keys import Key, keys_of
from segue.broker.settings.named import NAMED
from segue.broker.settings.tree import SECTIONS

__all__ = ["FILES", "reference_page", "reference_toml"]

_WIDTH = 119

_TOML_HEAD = """\
# The settings of Segue: each with its default, its unit and what it means. Remove the "#" before a key to change it.
#
# Flags of `segue serve` win over the environment (SEGUE_SECTION__KEY), which wins over this file. Sizes are numbers of
# bytes or strings such as "64 MiB"; durations are numbers of seconds or strings such as "500 ms". `segue config check`
# finds every fault of a file, `segue config show` prints what is in force and where each value comes from.
#
# Written by `python -m segue.broker.settings.reference`; docs/reference/settings.md has the same as a page.
"""

_PAGE_HEAD = """\
# Settings

<!-- Written by `python -m segue.broker.settings.reference`. Change broker/settings/, not this page. -->

Segue takes its settings from four places. The first that has a value wins:

1. flags of `segue serve`: `--data` and `--stomp`;
2. the environment: `SEGUE_SECTION__KEY`, two underscores between section and key, all in upper case. A list is
   written with commas: `SEGUE_STOMP__LISTEN=127.0.0.1:61613,[::1]:61613`;
3. the file that `--config` names, in TOML. [conf/segue.toml](../../conf/segue.toml) is one with every setting in it;
4. the default.

A size is a number of bytes or a string with a unit: `67108864` and `"64 MiB"` are the same. Units are B, KiB, MiB, GiB
and TiB; "MB" is refused, because it means 1000 to some and 1024 to others. A duration is a number of seconds or a
string with ms, s, min, h or d: `0.5` and `"500 ms"` are the same. Where the key ends with `_ms`, a bare number is
one of milliseconds.

`segue config check` reports every fault at once, with file, line and what to do, and ends with
[exit code 3](exit-codes.md). `segue config show` prints the settings in force, and where each comes from.
"""


_PAGE_FOOT = """\
## Other sections

A front-end that another distribution brings may have a section of its own, named by its entry point in the group
`segue.settings`. Its keys are read, checked and shown like those above.
"""


def reference_toml() -> str:
    """Write conf/segue.toml: each key as a comment with its default, so that it holds no later default back."""
    parts = [_TOML_HEAD]
    for name, section in SECTIONS.items():
        text = _comment(_docstring(section))
        parts.append("\n".join([f"{text}\n[{name}]\n", *(_toml_entry(key) for key in keys_of((name,), section))]))
    parts += [_named_toml(name) for name in NAMED]
    return "\n".join(parts)


def reference_page() -> str:
    """Write docs/reference/settings.md."""
    lines = [_PAGE_HEAD]
    for path, section in _tables():
        lines += [f"## [{'.'.join(path)}]", "", _wrap(_docstring(section)), ""]
        for key in keys_of(path, section):
            lines += [f"### `{key.name}`", "", _facts(key), "", _wrap(key.setting.text), ""]
    lines.append(_PAGE_FOOT)
    return "\n".join(lines)


def _tables() -> Iterator[tuple[KeyPath, type[Any]]]:
    for name, section in SECTIONS.items():
        yield (name,), section
    for name, named in NAMED.items():
        yield (name, "NAME"), named.table


def _named_toml(name: str) -> str:
    """An example of a table with a name, all of it a comment."""
    named = NAMED[name]
    path = (name, named.example)
    entries = [_named_entry(key) for key in keys_of(path, named.table)]
    return "\n".join([f"{_comment(_docstring(named.table))}\n#\n#[{'.'.join(path)}]\n", *entries])


def _named_entry(key: Key) -> str:
    kind = key.setting.kind
    example = kind.example if key.default is None else kind.toml(key.default)
    facts = "; ".join(fact for fact in (_need(key), _unit_and_range(key)) if fact)
    return f"{_comment(key.setting.text)}\n# {facts}\n#{key.name} = {example}\n"


def _need(key: Key) -> str:
    if key.default is not None:
        return f"default {key.setting.kind.toml(key.default)}"
    return "must be given" if key.required else "may be left out"


def _toml_entry(key: Key) -> str:
    facts = "; ".join(fact for fact in (_unit_and_range(key), key.environment, key.setting.flag) if fact)
    return f"{_comment(key.setting.text)}\n# {facts}\n#{key.name} = {key.setting.kind.toml(key.default)}\n"


def _facts(key: Key) -> str:
    default = _need(key) if key.default is None else f"default `{key.setting.kind.toml(key.default)}`"
    flag = f"`{key.setting.flag}`" if key.setting.flag else ""
    return " · ".join(fact for fact in (default, _unit_and_range(key), f"`{key.environment}`", flag) if fact)


def _unit_and_range(key: Key) -> str:
    kind = key.setting.kind
    # A size and a duration are shown with their unit; a bare number is not.
    return ", ".join(fact for fact in (kind.unit, key.range_text or kind.choices) if fact)


def _docstring(section: type[Any]) -> str:
    return " ".join(inspect.cleandoc(section.__doc__ or "").split())


def _wrap(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_on_hyphens=False)


def _comment(text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


# What is written where, from the root of a checkout.
FILES: Final = {"conf/segue.toml": reference_toml, "docs/reference/settings.md": reference_page}


if __name__ == "__main__":
    for file_name, write in FILES.items():
        path = Path(file_name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(write(), encoding="utf-8")
