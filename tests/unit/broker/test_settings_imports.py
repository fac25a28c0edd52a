"""Reading the settings loads nothing heavy: control commands do it at every start."""

from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "trio",
    "trio_asyncio",
    "asyncio",
    "cryptography",
    "sqlite3",
    "aiosqlite",
    "importlib.metadata",
    "difflib",
    "ssl",
)


def test_loading_settings_imports_none_of_the_heavy_modules() -> None:
    program = (
        "import sys; before = set(sys.modules); import segue.broker.settings as s; s.load_settings(None, {}, {});"
        f"print(sorted(set({HEAVY!r}) & (set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
