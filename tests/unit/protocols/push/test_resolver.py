"""From names to addresses."""

from __future__ import annotations

from socket import AF_INET, AF_INET6

import pytest

from segue.protocols.push.resolver import Endpoint, SystemResolver


@pytest.mark.parametrize(
    ("host", "endpoint"),
    [
        ("127.0.0.1", Endpoint(AF_INET, ("127.0.0.1", 80))),
        ("127.1", Endpoint(AF_INET, ("127.0.0.1", 80))),
        ("0x7f000001", Endpoint(AF_INET, ("127.0.0.1", 80))),
        ("2130706433", Endpoint(AF_INET, ("127.0.0.1", 80))),
        ("::1", Endpoint(AF_INET6, ("::1", 80, 0, 0))),
        ("::ffff:127.0.0.1", Endpoint(AF_INET6, ("::ffff:127.0.0.1", 80, 0, 0))),
    ],
)
async def test_odd_forms_of_an_address_are_that_address(host: str, endpoint: Endpoint) -> None:
    assert await SystemResolver()(host, 80) == [endpoint]


@pytest.mark.parametrize("host", ["x" * 64 + ".example", "a..b"])
async def test_what_is_no_name_is_refused_in_one_of_two_ways(host: str) -> None:
    with pytest.raises((OSError, UnicodeError)):
        await SystemResolver()(host, 80)
