"""The sections that front-ends from elsewhere bring: found by entry point, like the front-ends themselves.

    [options.entry_points]
    segue.settings =
        lines = lines_for_segue:LinesSettings

The name is the section's, `[lines]`; the object is a dataclass declared as in segue.broker.settings.keys.
"""

from __future__ import annotations

from dataclasses import is_dataclass
from typing import Any

from segue.broker.settings.faults import Fault, SettingsError, show_table
from segue.broker.settings.named import NAMED
from segue.broker.settings.tree import SECTIONS

__all__ = ["GROUP", "extra_sections"]

GROUP = "segue.settings"


def extra_sections() -> dict[str, type[Any]]:
    """Import the section of every installed front-end that has one.

    Raises:
        SettingsError: one can't be imported, is not a dataclass, or has the name of a section in the box.
    """
    # 20 ms, of the 150 that a control command has; so this is called only where a section is unknown without it.
    from importlib.metadata import entry_points

    sections: dict[str, type[Any]] = {}
    for point in entry_points(group=GROUP):
        try:
            found: object = point.load()
        except Exception as error:  # a stranger's module may raise anything when it is imported
            raise _refused(point.name, f"can't be loaded from {point.value}: {error}") from error
        if not (isinstance(found, type) and is_dataclass(found)):
            raise _refused(point.name, f"is not a dataclass: {point.value}")
        if point.name in SECTIONS or point.name in NAMED:
            raise _refused(point.name, f"is a section of Segue's own, and is claimed by {point.value}")
        sections[point.name] = found
    return sections


def _refused(name: str, problem: str) -> SettingsError:
    fault = Fault(
        f"entry point {GROUP}", show_table((name,)), problem, "remove or mend the distribution that brings it"
    )
    return SettingsError([fault])
