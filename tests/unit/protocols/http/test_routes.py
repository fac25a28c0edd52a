"""The table of routes."""

from __future__ import annotations

import pytest

from segue.protocols.http.errors import HttpError
from segue.protocols.http.exchange import Exchange
from segue.protocols.http.routes import Route, Routes


def handle(exchange: Exchange) -> None: ...


def render(exchange: Exchange, error: HttpError) -> None: ...


def table(*entries: tuple[str, str]) -> Routes:
    routes = Routes()
    for method, path in entries:
        routes.add(Route(method, path, handle, render))
    return routes


def test_a_request_finds_its_route_and_the_values_of_its_parameters() -> None:
    routes = table(("GET", "/q/{queue}"), ("POST", "/q/{queue}/messages/{id}"), ("GET", "/q"))
    assert routes.find("GET", ["q", "a b"])[1] == {"queue": "a b"}
    route, parameters = routes.find("POST", ["q", "a", "messages", "7"])
    assert (route.path, parameters) == ("/q/{queue}/messages/{id}", {"queue": "a", "id": "7"})
    assert [route.path for route in routes] == ["/q/{queue}", "/q/{queue}/messages/{id}", "/q"]


def test_what_is_written_out_goes_before_a_parameter() -> None:
    routes = table(("GET", "/q/{queue}"), ("GET", "/q/all"))
    assert routes.find("GET", ["q", "all"])[0].path == "/q/all"
    assert routes.find("GET", ["q", "any"])[0].path == "/q/{queue}"


def test_head_is_served_by_get() -> None:
    assert table(("GET", "/q")).find("HEAD", ["q"])[0].method == "GET"


@pytest.mark.parametrize("segments", [[], ["r"], ["q", "a"], ["q", "a", "messages", "x"]])
def test_nothing_is_found_where_nothing_is_served(segments: list[str]) -> None:
    with pytest.raises(HttpError) as refused:
        table(("GET", "/q"), ("GET", "/q/{queue}/messages")).find("GET", segments)
    assert refused.value.status == 404


def test_another_method_is_refused_with_those_that_are_possible() -> None:
    routes = table(("GET", "/q"), ("PUT", "/q"))
    with pytest.raises(HttpError) as refused:
        routes.find("DELETE", ["q"])
    assert (refused.value.status, refused.value.headers) == (405, [(b"allow", b"GET, HEAD, OPTIONS, PUT")])
    assert routes.allowed(["q"]) == ["GET", "HEAD", "OPTIONS", "PUT"]


def test_who_refuses_is_who_serves_below_the_same_first_segment() -> None:
    routes = table(("GET", "/q/{queue}"))
    assert routes.renderer("/q?a/b") is render
    assert routes.renderer("/q/a/b") is render
    assert routes.renderer("/r/q") is None
