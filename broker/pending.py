"""What is not refused, and can't be done yet: the call is to be made again when it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from segue.broker.errors import BrokerError

if TYPE_CHECKING:
    from segue.broker.node import Output

__all__ = ["PendingError"]


class PendingError(BrokerError):
    """It can't be said yet what becomes of a call: nothing has happened; it is to be made again.

    Ordering: what the same peer has sent behind it must wait, too.

    Attributes:
        wait: have this output's `let_go` called when the call can be made again and publishers are not held.
    """

    code = "pending"

    def __init__(self, text: str, wait: Callable[[Output], None]) -> None:
        super().__init__(text)
        self.wait = wait
