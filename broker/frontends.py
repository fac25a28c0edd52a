"""The port by which front-ends are plugged in: what one has to be, and how those that are installed are found.

A front-end brings the broker to its peers by one protocol: STOMP, the control socket, or one that somebody else wrote.
Any installed distribution may offer some, as entry points of the group `segue.frontends`:

    [options.entry_points]
    segue.frontends =
        lines = lines_for_segue:LinesFrontend

One that has settings brings their section too, as an entry point of the group `segue.settings`
(segue.broker.settings.plug_ins). The daemon makes one object of each class, with no arguments, and runs its `serve` in
a task of its own. Nothing in the broker imports a front-end by name, so one that comes in the box has no way in that a
stranger's has not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    import trio

    from segue.broker.node import Node

__all__ = ["GROUP", "FrontEnd", "FrontEndError", "load_frontends"]

GROUP = "segue.frontends"


class FrontEndError(Exception):
    """An installed front-end can't be used; the text names it and the distribution that brought it."""

    code = "front-end"


class FrontEnd(Protocol):
    """What a front-end has to be.

    Attributes:
        name: the name it is known by in the log and in `segue status`: lower case, and the same as its entry point's.
        settings_section: the section of the configuration that is meant for it, or None when it has none.
    """

    name: str
    settings_section: str | None

    async def serve(self, node: Node, settings: Any, *, task_status: trio.TaskStatus[Sequence[str]]) -> None:
        """Open listeners, call `task_status.started` with their addresses, and serve until cancelled.

        Args:
            node: the broker. It is all that a front-end may call of Segue's.
            settings: the section named by `settings_section`, as its own dataclass; None when that is None.
            task_status: `started` is called once, with every address as a person would write it
                (`["127.0.0.1:61613"]`), when peers can connect to all of them.

        Raises:
            OSError: an address can't be listened on. The daemon then doesn't start.

        Cancellation: means that the daemon stops. Close the listeners first, give open connections the time that the
        settings allow, and return. An exception that leaves `serve` after `started` stops the daemon.
        """
        ...


def load_frontends(points: Iterable[EntryPoint] | None = None) -> dict[str, type[FrontEnd]]:
    """Import every installed front-end.

    Args:
        points: the entry points to load; those of every installed distribution when left out.

    Returns:
        The classes by the names of their entry points, in the order of these names.

    Raises:
        FrontEndError: one can't be imported, is not a front-end, or two distributions offer the same name. A front-end
            that was left out in silence would look like a network that is down.
    """
    classes: dict[str, type[FrontEnd]] = {}
    found = entry_points(group=GROUP) if points is None else points
    for name, point in sorted(_points_by_name(found).items()):
        classes[name] = _load(point)
    return classes


def _points_by_name(points: Iterable[EntryPoint]) -> dict[str, EntryPoint]:
    by_name: dict[str, EntryPoint] = {}
    for point in points:
        # A distribution that is found twice on sys.path (a checkout and its installed copy) says the same twice.
        first = by_name.setdefault(point.name, point)
        if first.value != point.value:
            raise FrontEndError(f"two front-ends are called {point.name!r}: {_describe(first)} and {_describe(point)}")
    return by_name


def _load(point: EntryPoint) -> type[FrontEnd]:
    try:
        found: object = point.load()
    except Exception as error:  # a stranger's module may raise anything when it is imported
        raise FrontEndError(f"front-end {point.name!r} can't be loaded: {_describe(point)}: {error}") from error
    if not isinstance(found, type):
        raise FrontEndError(f"front-end {point.name!r} is not a class: {_describe(point)}")
    missing = [name for name in ("name", "settings_section", "serve") if not hasattr(found, name)]
    if missing:
        raise FrontEndError(f"front-end {point.name!r} has no {', '.join(missing)}: {_describe(point)}")
    frontend = cast("type[FrontEnd]", found)
    if frontend.name != point.name:
        raise FrontEndError(f"front-end {point.name!r} calls itself {frontend.name!r}: {_describe(point)}")
    return frontend


def _describe(point: EntryPoint) -> str:
    distribution = f" of {point.dist.name}" if point.dist else ""
    return f"{point.value}{distribution}"
