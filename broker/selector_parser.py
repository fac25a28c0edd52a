"""The parser of selectors, as the broker uses it: loaded when the first one comes, and not by the event loop.

That takes a tenth of a second. So a thread does it, and the first selector waits meanwhile, with its connection alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from segue.broker.pending import PendingError
from segue.broker.selector import Selector, compile_selector, load_parser

if TYPE_CHECKING:
    from segue.broker.node import Node, Output

__all__ = ["ParserPendingError", "SelectorParser"]


class ParserPendingError(PendingError):
    """The parser is being loaded: nothing has happened; the call is to be made again."""

    code = "parser-pending"

    def __init__(self, parser: SelectorParser) -> None:
        super().__init__("the broker has to load its parser of selectors", parser.wait)


class SelectorParser:
    """See the module."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._loaded = False
        self._wanted = trio.Event()
        self._waiting: dict[Output, None] = {}

    def compile(self, text: str) -> Selector:
        """See `compile_selector`.

        Raises:
            SelectorError: it is none.
            ParserPendingError: it can't be said yet.
        """
        if not self._loaded:
            self._wanted.set()
            raise ParserPendingError(self)
        return compile_selector(text)

    def wait(self, output: Output) -> None:
        """Tell this connection when the parser is there."""
        if self._loaded:
            self._node.wait_for_room(output)
        else:
            self._waiting[output] = None

    async def serve(self) -> None:
        """Load it when it is asked for."""
        await self._wanted.wait()
        await trio.to_thread.run_sync(load_parser)
        self._loaded = True
        waiting, self._waiting = self._waiting, {}
        for output in waiting:
            self._node.wait_for_room(output)
        self._node.end_step()
