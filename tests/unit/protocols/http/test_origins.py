"""Whose pages may connect."""

from __future__ import annotations

import pytest

from segue.protocols.http import HttpError
from segue.protocols.http.origins import AllowedOrigins

ALLOWED = AllowedOrigins(["https://Shop.example", "http://[2001:db8::1]:8080"])


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "queues.example"),
        ("http://queues.example", "queues.example"),
        ("http://queues.example:8080", "Queues.example:8080"),
        ("https://queues.example", "queues.example"),  # a proxy in front of us ends TLS
        ("https://shop.example", "queues.example"),
        ("http://[2001:db8::1]:8080", "queues.example"),
        ("http://localhost", "queues.example"),
        ("http://localhost:3000", "127.0.0.1:8080"),
        ("http://app.localhost", "127.0.0.1:8080"),
        ("http://127.0.0.1:5173", "localhost:8080"),
        ("http://[::1]:5173", "localhost:8080"),
    ],
)
def test_who_is_no_browser_or_no_stranger_may_connect(origin: str | None, host: str) -> None:
    ALLOWED.check(origin, host)


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://evil.example",
        "http://shop.example",  # another scheme, and so another page
        "https://shop.example:444",
        "http://queues.example",  # another port
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://localhost@evil.example",
        "http://[::1",
        "file://",
        "file://localhost",
        "http://queues.example:8080, http://evil.example",
    ],
)
def test_pages_of_others_may_not(origin: str) -> None:
    with pytest.raises(HttpError, match=r"http\.allowed_origins") as refused:
        ALLOWED.check(origin, "queues.example:8080")
    assert (refused.value.status, refused.value.closes) == (403, True)


def test_all_may_connect_where_that_is_said() -> None:
    AllowedOrigins(["*"]).check("null", "queues.example")
    AllowedOrigins(["null"]).check("null", "queues.example")
