"""By which names a peer may ask for us."""

from __future__ import annotations

import pytest

from segue.protocols.http.errors import HttpError
from segue.protocols.http.hosts import HostNames


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8080", "10.1.2.3:80", "[::1]", "[::1]:8080", "localhost", "LOCALHOST:8080", "a.localhost",
     "queues.example.org", "Queues.example.org:443", "queues.example.org.:443"],
)  # fmt: skip
def test_addresses_localhost_and_known_names_are_taken(host: str) -> None:
    names = HostNames(["queues.example.org"])
    names.check(host)
    names.check(host)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "", "localhost.evil.example", "127.0.0.1.evil.example"]
)
def test_a_name_that_may_have_been_led_here_is_refused(host: str) -> None:
    """Fault 85."""
    names = HostNames(["queues.example.org"])
    for _ in range(2):
        with pytest.raises(HttpError, match=r"http\.host_names") as refused:
            names.check(host)
        assert refused.value.status == 403


def test_a_star_stands_for_any_name() -> None:
    HostNames(["*"]).check("evil.example")


def test_what_is_remembered_of_names_is_bounded() -> None:
    names = HostNames(["*"])
    for number in range(10_000):
        names.check(f"h{number}")
    assert len(names._known) <= 256
