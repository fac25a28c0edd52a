"""The parts of a subscriber's URL."""

from __future__ import annotations

import pytest

from segue.protocols.push.target import InvalidTargetError, Target


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("http://a.example", Target(False, "a.example", 80, "/"), "a.example"),
        ("https://a.example/", Target(True, "a.example", 443, "/"), "a.example"),
        ("HTTP://A.Example:8080/P?q=1", Target(False, "a.example", 8080, "/P?q=1"), "a.example:8080"),
        ("https://a.example:443/p", Target(True, "a.example", 443, "/p"), "a.example"),
        ("https://a.example:80/p", Target(True, "a.example", 80, "/p"), "a.example:80"),
        ("http://a.example?q", Target(False, "a.example", 80, "/?q"), "a.example"),
        ("http://a.example/p#part", Target(False, "a.example", 80, "/p"), "a.example"),
        ("http://a.example/%20;x=y", Target(False, "a.example", 80, "/%20;x=y"), "a.example"),
        ("http://a.example/@b", Target(False, "a.example", 80, "/@b"), "a.example"),
        ("http://[::1]:81/", Target(False, "::1", 81, "/"), "[::1]:81"),
        ("http://0x7f000001/", Target(False, "0x7f000001", 80, "/"), "0x7f000001"),
    ],
)
def test_the_parts_of_a_url(url: str, target: Target, authority: str) -> None:
    assert Target.parse(url) == target
    assert target.authority == authority


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "neither"),
        ("a.example", "neither"),
        ("//a.example/", "neither"),
        ("file:///etc/passwd", "neither"),
        ("ftp://a.example/", "neither"),
        ("gopher://a.example/", "neither"),
        ("ironmq:///queue", "neither"),
        ("http://user:password@a.example/", "Authorization"),
        ("http://user@a.example/", "Authorization"),
        ("http://a.example@127.0.0.1/", "Authorization"),
        ("http:///path", "no host"),
        ("http://:80/", "no host"),
        ("http://a.example:0/", "no host"),
        ("http://%61.example/", "no host"),
        ("http://a.example:65536/", "malformed"),
        ("http://a.example:x/", "malformed"),
        ("http://[::1/", "malformed"),
        ("http://a.example\\@b.example/", "encoded"),
        ("http://a.example/\r\nHost: b", "encoded"),
        ("http://a.example/ b", "encoded"),
        ("ht\ttp://a.example/", "encoded"),
        (" http://a.example/", "encoded"),
        ("http://ä.example/", "encoded"),
        ("http://a.example/" + "x" * 9000, "8192"),
    ],
)
def test_what_is_no_url_of_http_is_refused(url: str, why: str) -> None:
    with pytest.raises(InvalidTargetError, match=why):
        Target.parse(url)
