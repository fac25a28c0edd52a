"""The text format of OpenMetrics 1.0: families of metrics, and their samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

__all__ = ["CONTENT_TYPE", "END", "Family", "Kind", "Value"]

CONTENT_TYPE: Final = b"application/openmetrics-text; version=1.0.0; charset=utf-8"
END: Final = "# EOF\n"
_UNITS: Final = ("bytes", "seconds")
_SUFFIXES: Final = {"counter": "_total", "gauge": "", "info": "_info"}

Kind: TypeAlias = Literal["counter", "gauge", "info"]
Value: TypeAlias = int | float | bool


class Family(NamedTuple):
    """Metrics that differ by their labels alone.

    Attributes:
        name: without the suffix that samples of its kind have; a unit comes last.
        kind: what may be done with the values.
        help: one sentence.
    """

    name: str
    kind: Kind
    help: str

    @property
    def sample_name(self) -> str:
        """What its samples are called, and what one asks for."""
        return self.name + _SUFFIXES[self.kind]

    def head(self) -> str:
        """The lines before its samples."""
        unit = self.name.rpartition("_")[2]
        lines = [f"# TYPE {self.name} {self.kind}\n"]
        if unit in _UNITS:
            lines.append(f"# UNIT {self.name} {unit}\n")
        return "".join([*lines, f"# HELP {self.name} {_escape(self.help)}\n"])

    def sample(self, value: Value, labels: Mapping[str, str] | None = None) -> str:
        """One line."""
        pairs = ",".join([f'{name}="{_escape(text)}"' for name, text in (labels or {}).items()])
        number = repr(float(value)) if isinstance(value, float) else str(int(value))
        return f"{self.sample_name}{{{pairs}}} {number}\n" if pairs else f"{self.sample_name} {number}\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
