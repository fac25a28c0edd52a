"""Which addresses may be connected to. Fault 102."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from segue.protocols.push.networks import AddressRules


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"), ("127.255.255.254", "loopback"), ("::1", "loopback"),
        ("0.0.0.0", "unspecified"), ("0.1.2.3", "unspecified"), ("::", "unspecified"),
        ("10.0.0.1", "private"), ("172.16.0.1", "private"), ("172.31.255.255", "private"), ("192.168.1.1", "private"),
        ("fd00:ec2::254", "private"), ("fec0::1", "private"),
        ("169.254.169.254", "link-local"), ("fe80::1", "link-local"), ("fe80::1%lo", "link-local"),
        ("100.64.0.1", "shared"), ("100.100.100.200", "shared"), ("100.127.255.255", "shared"),
        ("224.0.0.1", "multicast"), ("239.255.255.255", "multicast"), ("ff02::1", "multicast"),
        ("192.0.2.1", "documentation"), ("198.51.100.1", "documentation"), ("203.0.113.1", "documentation"),
        ("2001:db8::1", "documentation"), ("3fff::1", "documentation"),
        ("192.0.0.192", "protocol"), ("192.88.99.1", "protocol"), ("2001::1", "protocol"),
        ("198.18.0.1", "benchmark"), ("198.19.255.255", "benchmark"),
        ("240.0.0.1", "reserved"), ("255.255.255.255", "reserved"),
        ("168.63.129.16", "metadata"),
        ("4000::1", "reserved"), ("100::1", "reserved"), ("64:ff9b:1::1", "reserved"), ("::127.0.0.1", "reserved"),
        ("5f00::1", "reserved"), ("::ffff:0:127.0.0.1", "reserved"),
    ],
)  # fmt: skip
def test_an_address_that_not_everybody_can_reach_is_refused(address: str, kind: str) -> None:
    assert AddressRules(()).refusal(address) == kind


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:127.0.0.1",
        "64:ff9b::127.0.0.1",
        "2002:7f00:1::1",
        "2002:7f00:1:1:1:1:1:1",
    ],
)
def test_an_address_is_judged_by_the_one_that_it_carries(address: str) -> None:
    assert AddressRules(()).refusal(address) == "loopback"
    assert AddressRules([ip_network("127.0.0.0/8")]).refusal(address) is None


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0",
     "169.253.255.255", "223.255.255.255", "168.63.129.15", "2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1",
     "64:ff9b::1.1.1.1", "2002:101:101::1"],
)  # fmt: skip
def test_an_address_of_the_internet_is_taken(address: str) -> None:
    assert AddressRules(()).refusal(address) is None


def test_networks_that_are_allowed_are_taken_and_no_others() -> None:
    rules = AddressRules([ip_network("10.1.0.0/16"), ip_network("fd00:1::/32"), ip_network("64:ff9b::/96")])
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5", "64:ff9b::127.0.0.1"):
        assert rules.refusal(address) is None, address
    for address in ("10.2.0.1", "127.0.0.1", "fd00:2::5", "::1", "::ffff:10.2.0.1"):
        assert rules.refusal(address) is not None, address
