"""Where the answer to a request goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["Answer", "Result"]

Result = Mapping[str, Any]


class Answer(Protocol):
    """Where the parts of an answer go before its result. Both wait until the client takes them."""

    async def items(self, items: list[Mapping[str, Any]]) -> None:
        """A part of a list."""

    async def progress(self, done: int, total: int) -> None:
        """How far it has come."""
