"""The parser library is loaded with the first selector, not with the broker."""

from __future__ import annotations

import subprocess
import sys


def test_a_broker_that_sees_no_selector_never_loads_the_parser_library() -> None:
    program = (
        "import sys; import segue.broker.selector as s; s.header_match(True, {'a': 1}).matches({});"
        "before = 'lark' in sys.modules; s.load_parser(); print(before, 'lark' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
