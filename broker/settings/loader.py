"""Reading the settings: flags win over the environment, it wins over the file, and that over the defaults.

Every value of every source is checked, also one that is overridden, and every fault is reported in one go: an operator
who mends a file should have to do it once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from segue.broker.settings.faults import (
    Fault,
    KeyPath,
    SettingsError,
    did_you_mean,
    show_key,
    show_table,
    show_value,
    show_word,
)
from segue.broker.settings.keys import ENVIRONMENT_PREFIX, Key, keys_of
from segue.broker.settings.named import NAMED
from segue.broker.settings.plug_ins import extra_sections as installed_sections
from segue.broker.settings.rules import RULES, Rule
from segue.broker.settings.sources import Given, TomlFile, from_environment, from_flags, read_toml
from segue.broker.settings.tree import SECTIONS, Origin, Settings

__all__ = ["load_settings"]


def load_settings(
    path: Path | None,
    environ: Mapping[str, str],
    flags: Mapping[str, object],
    extra_sections: Mapping[str, type[Any]] | None = None,
) -> Settings:
    """Read the settings from all sources.

    Args:
        path: the TOML file; None for none.
        environ: the environment; what does not begin with SEGUE_ is not looked at.
        flags: values by dotted key, `{"storage.data_directory": "data", "stomp.listen": "127.0.0.1:0"}`; None for a
            flag that was not used. Text is read as in the environment.
        extra_sections: sections of front-ends from elsewhere, dataclasses by name (see `extra_sections()`). None looks
            them up, but only when the file or the environment has a section that is not in the box; so the daemon,
            which wants their defaults too, passes them, and control commands, which have to be quick, do not.

    Raises:
        SettingsError: with all faults of all sources.
    """
    file = TomlFile("", {}, {}) if path is None else read_toml(path)
    if extra_sections is None:
        extra_sections = installed_sections() if _has_strange_section(file.tables, environ) else {}
    reader = _Reader(file, extra_sections)
    reader.read_file()
    reader.read_environment(environ)
    reader.read_flags(flags)
    return reader.finish()


def _has_strange_section(tables: Mapping[str, Any], environ: Mapping[str, str]) -> bool:
    known = {*SECTIONS, *NAMED}
    if not known.issuperset(tables):
        return True
    heads = {name.removeprefix(ENVIRONMENT_PREFIX) for name in environ if name.startswith(ENVIRONMENT_PREFIX)}
    return not known.issuperset(head.partition("__")[0].lower() for head in heads if "__" in head)


class _Reader:
    """Gathers values, their origins and faults, then makes the settings of them.

    `_values` and `_origins` have the same keys; a path is in `_at_fault` when any source gave it a bad value.
    """

    def __init__(self, file: TomlFile, extra_sections: Mapping[str, type[Any]]) -> None:
        self._file = file
        self._sections = {**SECTIONS, **extra_sections}
        self._keys = {key.path: key for name, section in self._sections.items() for key in keys_of((name,), section)}
        self._values: dict[KeyPath, Any] = {}
        self._origins: dict[KeyPath, Origin] = {}
        self._at_fault: set[KeyPath] = set()
        self._faults = list(file.faults)
        # The tables `[users.NAME]` that any source has, with the place where it does, in order of their appearance.
        self._named: dict[KeyPath, str] = {}

    def read_file(self) -> None:
        for name, raw in self._file.tables.items():
            if name in NAMED and isinstance(raw, dict):
                self._read_named(name, raw)
            elif name in self._sections and isinstance(raw, dict):
                self._take_all(self._file.section((name,), raw))
            else:
                self._report_strange_table(name, raw)

    def read_environment(self, environ: Mapping[str, str]) -> None:
        variables = [key.environment for key in self._keys.values()]
        given, faults = from_environment(environ, [*self._sections, *NAMED], variables)
        self._faults += faults
        self._take_all(given)

    def read_flags(self, flags: Mapping[str, object]) -> None:
        names = {path: key.setting.flag for path, key in self._keys.items() if key.setting.flag}
        self._take_all(from_flags(flags, names))

    def finish(self) -> Settings:
        # Half a file has half of a user's keys: to miss the others would only distract from the fault of syntax.
        if not self._file.faults:
            self._check_named()
        settings = self._settings()
        if not self._file.faults:
            self._check_rules(settings)
        if self._faults:
            raise SettingsError(sorted(self._faults, key=self._order))
        return settings

    def _read_named(self, section: str, tables: Mapping[str, object]) -> None:
        for name, table in tables.items():
            path = (section, name)
            if isinstance(table, dict):
                self._named[path] = self._file.place(path)
                self._take_all(self._file.section(path, table))
            else:
                # It is not shown: it may well be a password.
                needed = next(key.name for key in self._keys_at(path) if key.required)
                remedy = f'write {show_table(path)} on a line of its own, and {needed} = "..." below it'
                self._report_table(self._file.place(path), path, "is not a table", remedy)

    def _take_all(self, given: Iterable[Given]) -> None:
        for one in given:
            self._take(one)

    def _take(self, given: Given) -> None:
        if given.path[0] in NAMED:
            self._named.setdefault(given.path[:-1], given.origin.place)
        key = self._key(given.path)
        if key is None:
            self._report(given.origin.place, given.path, "is no setting", self._where_it_belongs(given.path))
            return
        kind = key.setting.kind
        try:
            value = kind.read_text(given.raw) if given.is_text and isinstance(given.raw, str) else kind.read(given.raw)
            key.check_range(value)
        except ValueError as fault:
            self._report(given.origin.place, given.path, str(fault), _example(key, given.is_text))
        else:
            self._values[given.path] = value
            self._origins[given.path] = given.origin

    def _key(self, path: KeyPath) -> Key | None:
        if path[0] not in NAMED:
            return self._keys.get(path)
        return next((key for key in self._keys_at(path[:-1]) if key.path == path), None)

    def _keys_at(self, path: KeyPath) -> list[Key]:
        """The keys of a section, or of a table of a user."""
        return list(keys_of(path, NAMED[path[0]].table if path[0] in NAMED else self._sections[path[0]]))

    def _report(self, place: str, path: KeyPath, problem: str, remedy: str) -> None:
        self._at_fault.add(path)
        self._faults.append(Fault(place, show_key(path), problem, remedy))

    def _report_table(self, place: str, path: KeyPath, problem: str, remedy: str) -> None:
        self._at_fault.add(path)
        self._faults.append(Fault(place, show_table(path), problem, remedy))

    def _report_strange_table(self, name: str, raw: object) -> None:
        place = self._file.place((name,))
        near = did_you_mean(name, [*self._sections, *NAMED])
        if name in self._sections or name in NAMED:
            remedy = f"write {show_table((name,))} {'in single brackets' if isinstance(raw, list) else 'by itself'}"
            self._report_table(place, (name,), f"is {show_value(raw)}, not a section", remedy)
        elif isinstance(raw, dict):
            known = f"there are {', '.join([*self._sections, *NAMED])}, and those of front-ends that are installed"
            self._report_table(place, (name,), "is no section", f"did you mean [{near}]?" if near else known)
        else:
            remedy = self._move(name) or "move it below the section that it belongs to"
            self._faults.append(Fault(place, show_word(name), "stands outside of any section", remedy))

    def _where_it_belongs(self, path: KeyPath) -> str:
        near = did_you_mean(path[-1], [key.name for key in self._keys_at(path[:-1])])
        guess = f"did you mean {near}?" if near else None
        return self._move(path[-1]) or guess or "remove it; `segue config show` lists all there are"

    def _move(self, name: str) -> str | None:
        """Tell where a key belongs that stands in the wrong section."""
        for path in self._keys:
            if path[-1] == name:
                return f"move it below [{path[0]}]"
        return None

    def _check_named(self) -> None:
        for path, place in self._named.items():
            section, name = path
            try:
                NAMED[section].check_name(name)
            except ValueError as fault:
                self._report_table(place, path, str(fault), "give it another name")
            for key in self._missing(path):
                if key.path not in self._at_fault:
                    self._report_table(place, path, f"has no {key.name}", key.setting.kind.remedy)

    def _missing(self, path: KeyPath) -> list[Key]:
        return [key for key in self._keys_at(path) if key.required and key.path not in self._values]

    def _settings(self) -> Settings:
        made = {name: self._make((name,), section) for name, section in self._sections.items()}
        named: dict[str, Any] = {section: MappingProxyType(self._tables(section)) for section in NAMED}
        return Settings(
            **{name: made[name] for name in SECTIONS},
            **named,
            plugged_in=MappingProxyType({name: made[name] for name in made if name not in SECTIONS}),
            origins=MappingProxyType(self._origins),
        )

    def _tables(self, section: str) -> dict[str, Any]:
        complete = [path for path in self._named if path[0] == section and not self._missing(path)]
        return {path[1]: self._make(path, NAMED[section].table) for path in complete}

    def _make(self, path: KeyPath, section: type[Any]) -> Any:
        given = {key.name: self._values[key.path] for key in keys_of(path, section) if key.path in self._values}
        return section(**given)

    def _check_rules(self, settings: Settings) -> None:
        for rule in RULES:
            if self._is_at_fault(rule):
                continue
            broken = rule.check(settings)
            if broken is not None:
                path = next((path for path in rule.keys if path in self._origins), rule.keys[0])
                self._faults.append(Fault(settings.origin(path).place, show_key(path), broken.problem, broken.remedy))

    def _is_at_fault(self, rule: Rule) -> bool:
        # A rule that names ("users",) reads all of them.
        return any(bad[: len(path)] == path for path in rule.keys for bad in self._at_fault)

    def _order(self, fault: Fault) -> tuple[bool, int]:
        name, _, line = fault.place.rpartition(":")
        is_of_file = name == self._file.name and line.isdecimal()
        return (not is_of_file, int(line) if is_of_file else 0)


def _example(key: Key, is_text: bool) -> str:
    kind = key.setting.kind
    if key.required:
        return kind.remedy
    example = kind.example if key.default is None else kind.toml(key.default)
    # In the environment a value stands without TOML's quotes and brackets.
    return f"write for example {example.strip('[]').replace(chr(34), '') if is_text else example}"
