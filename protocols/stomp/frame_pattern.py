"""A pattern for whole SEND frames that come one behind the other: what makes a run of them cheap."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

__all__ = ["RUN_BODY_BYTES_MAX", "FramePattern", "whole_frames"]

RUN_BODY_BYTES_MAX: Final = 16 << 10
"""With longer bodies the head does not count for much."""

FramePattern: TypeAlias = Callable[[bytes, int], Iterator[re.Match[bytes]]]
"""To be called with what has come and where a frame begins. The match at which the run ends has no body."""


def whole_frames(head: bytes, length: int) -> FramePattern:
    """Frames, the last group of which is the body, with the ends of lines that may stand behind them.

    Args:
        head: a pattern for the lines, each with its LF, without the blank line.
        length: of the bodies; -1 where a NUL ends them.
    """
    body = rb"(.{%d})" % length if length >= 0 else rb"([^\0]{0,%d})" % RUN_BODY_BYTES_MAX
    # The empty alternative ends a run: it matches where no such frame begins, so that nothing is searched for.
    return re.compile(head + b"\n" + body + rb"\0[\n\r\0]*|", re.DOTALL).finditer
