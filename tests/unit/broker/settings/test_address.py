"""Addresses to listen on: how they are written, and which of them other machines can reach."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.broker.settings.address import ListenAddress


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:61613", "127.0.0.1", 61613),
        ("localhost:0", "localhost", 0),
        ("broker-1.example.org:65535", "broker-1.example.org", 65535),
        ("[::1]:61613", "::1", 61613),
        ("[2001:DB8::0:1]:1", "2001:db8::1", 1),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert ListenAddress.parse(text) == ListenAddress(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "61613",
        ":61613",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:1 ",
        "::1:61613",
        "[127.0.0.1:1",
        "a b:1",
        "a\nb:1",
        "*:1",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not HOST:PORT"):
        ListenAddress.parse(text)


@pytest.mark.parametrize("text", ["[:::]:1", "[1.2.3.4]:1", "[12345::]:1"])
def test_brackets_must_hold_an_ipv6_address(text: str) -> None:
    with pytest.raises(ValueError, match="no valid IPv6 address"):
        ListenAddress.parse(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "localhost"])
def test_loopback_addresses_are_for_this_machine_only(host: str) -> None:
    assert ListenAddress(host, 1).is_loopback


# 127.1 is 127.0.0.1 to some resolvers, and 0x7f000001 too; who writes that can write it plainly.
@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.1", "127.1", "0x7f000001", "localhost.example.org", "127.0.0.1.example.org"]
)
def test_everything_else_counts_as_reachable_from_other_machines(host: str) -> None:
    assert not ListenAddress(host, 1).is_loopback


@given(
    st.one_of(st.ip_addresses().map(str), st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)), st.integers(0, 65535)
)
def test_what_is_written_is_read_as_the_same_address(host: str, port: int) -> None:
    address = ListenAddress(host, port)
    assert ListenAddress.parse(str(address)) == address
