"""The control socket's front-end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import trio

__all__ = ["ControlFrontend"]


class ControlFrontend:
    """A `segue.broker.frontends.FrontEnd`."""

    name = "control"
    settings_section = "control"

    async def serve(self, node: Any, settings: Any, *, task_status: trio.TaskStatus[Sequence[str]]) -> None:
        """See `FrontEnd`."""
        task_status.started([])
        await trio.sleep_forever()
