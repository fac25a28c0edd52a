"""Targets taken apart: what a path means is the same for whoever reads it."""

from __future__ import annotations

import pytest

from segue.protocols.http.errors import HttpError
from segue.protocols.http.request import Request, split_target


@pytest.mark.parametrize(
    ("target", "segments", "query"),
    [
        ("/", [], {}),
        ("/a/b", ["a", "b"], {}),
        ("/a/b/", ["a", "b"], {}),
        ("/a%20b/c+d/e:f/%C3%A9", ["a b", "c+d", "e:f", "é"], {}),
        ("/a?b=c&d=%20+e&f&b=2", ["a"], {"b": "2", "d": "  e", "f": ""}),
        ("/a?b=c/../d", ["a"], {"b": "c/../d"}),
    ],
)
def test_a_target_is_taken_apart_before_it_is_decoded(target: str, segments: list[str], query: dict[str, str]) -> None:
    assert split_target(target)[1:] == (segments, query)


@pytest.mark.parametrize(
    "target",
    [
        "//a", "/a//b", "/../a", "/a/..", "/./a", "/%2e%2e/a", "/a%2fb", "/a%2Fb", "/a%00b",
        "/a%0ab", "/a%7f", "/a%", "/a%2", "/a%zz", "/a%ff", "/a?b=%zz", "/a?b=%ff",
    ],
)  # fmt: skip
def test_a_path_that_may_mean_something_else_is_refused(target: str) -> None:
    """Fault 88."""
    with pytest.raises(HttpError) as refused:
        split_target(target)
    assert (refused.value.status, refused.value.code) == (400, "bad-target")


def test_headers_have_one_value_each_and_names_in_lower_case() -> None:
    request = Request("GET", "/a?b", [(b"accept", b"a"), (b"x", b"\xe9"), (b"accept", b"b")])
    assert request.headers == {"accept": "a, b", "x": "é"}
    assert (request.method, request.path, request.parameters) == ("GET", "/a", {})
