"""Which handler a request is for: one table for all that is served, by path and method."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from segue.protocols.http.errors import HttpError

if TYPE_CHECKING:
    import trio

    from segue.protocols.http.exchange import Exchange

__all__ = ["Handler", "Renderer", "Route", "Routes", "Service"]

Handler = Callable[["Exchange"], None]
"""Answers a request, now or later. What it raises is answered by the route's renderer."""
Renderer = Callable[["Exchange", HttpError], None]
"""Answers with an error, in the words of the interface that the route belongs to."""


class Service(Protocol):
    """Runs for as long as requests are served, and is cancelled then."""

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None: ...


class Route(NamedTuple):
    """One entry of the table.

    Attributes:
        method: upper case.
        path: segments; `{name}` stands for any one.
        handler: see `Handler`.
        renderer: see `Renderer`.
        body_in_pieces: the handler is called when the head has come, and reads the body (`Exchange.read`), which may be
            of any size.
    """

    method: str
    path: str
    handler: Handler
    renderer: Renderer
    body_in_pieces: bool = False


class _Place:
    """Where the segments of a path lead."""

    __slots__ = ("any", "by_name", "methods", "parameter")

    def __init__(self) -> None:
        self.by_name: dict[str, _Place] = {}
        self.any: _Place | None = None
        self.parameter = ""
        self.methods: dict[str, Route] = {}


class Routes:
    """See the module. A segment that is written out goes before a `{name}`.

    Attributes:
        services: what interfaces do beside answering requests.
    """

    def __init__(self) -> None:
        self._root: Final = _Place()
        self._routes: list[Route] = []
        self._renderers: dict[str, Renderer] = {}
        self.services: list[Service] = []

    def add(self, route: Route) -> None:
        """Serve a path by a method; a later one for the same takes its place."""
        place = self._root
        for segment in filter(None, route.path.split("/")):
            if segment.startswith("{"):
                place.any = place.any or _Place()
                place.any.parameter = segment[1:-1]
                place = place.any
            else:
                place = place.by_name.setdefault(segment, _Place())
        place.methods[route.method] = route
        self._routes.append(route)
        self._renderers.setdefault(_interface(route.path), route.renderer)

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def find(self, method: str, segments: Sequence[str]) -> tuple[Route, dict[str, str]]:
        """The route of a request, and the values of its parameters. HEAD is served by GET.

        Raises:
            HttpError: 404, or 405 with what is allowed.
        """
        methods, parameters = self._served(segments)
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            allowed = allowed_methods(methods)
            text = f"{method} is not possible here, but {', '.join(allowed)}"
            raise HttpError(405, "method-not-allowed", text, headers=[(b"allow", ", ".join(allowed).encode())])
        return route, parameters

    def renderer(self, target: str) -> Renderer | None:
        """Who says errors where nothing is served: the interface with the same first segment; None if there is none."""
        return self._renderers.get(_interface(target))

    def allowed(self, segments: Sequence[str]) -> list[str]:
        """The methods that a path is served by. Raises HttpError: 404."""
        methods, _ = self._served(segments)
        return allowed_methods(methods)

    def _served(self, segments: Sequence[str]) -> tuple[dict[str, Route], dict[str, str]]:
        """What is served at a path, and the values of its parameters. Raises HttpError: 404."""
        place: _Place | None = self._root
        parameters: dict[str, str] = {}
        for segment in segments:
            assert place is not None
            named = place.by_name.get(segment)
            if named is None and place.any is not None:
                named = place.any
                parameters[named.parameter] = segment
            place = named
            if place is None:
                break
        if place is None or not place.methods:
            raise HttpError(404, "not-found", f"There is nothing at /{'/'.join(segments)}")
        return place.methods, parameters


def allowed_methods(methods: dict[str, Route]) -> list[str]:
    """What `Allow` says."""
    return sorted({*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])})


def _interface(target: str) -> str:
    return target.partition("?")[0][1:].partition("/")[0]
