"""Networks of addresses in the settings."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from segue.broker.settings.networks import Networks

LOOPBACK, ONE = ip_network("127.0.0.0/8"), ip_network("::1/128")


def test_networks_and_single_addresses_are_read() -> None:
    assert Networks().read(["127.0.0.0/8", "::1"]) == (LOOPBACK, ONE)
    assert Networks().read([]) == ()
    assert Networks().read_text(" 127.0.0.0/8, ::1 ") == (LOOPBACK, ONE)
    assert Networks().read_text(" ") == ()


def test_they_are_written_so_that_they_are_read_again() -> None:
    assert Networks().toml((LOOPBACK, ONE)) == '["127.0.0.0/8", "::1/128"]'
    assert Networks().plain((LOOPBACK, ONE)) == ["127.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ("127.0.0.0/8", "not a list of networks"),
        (None, "not a list of networks"),
        ([1], "has 1, not a network"),
        ([True], "not a network"),
        (["localhost"], "not a network"),
        (["127.0.0.1/8"], "not a network"),
        (["10.0.0.0/33"], "not a network"),
        ([""], "not a network"),
    ],
)
def test_what_is_no_network_is_refused(raw: object, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Networks().read(raw)
