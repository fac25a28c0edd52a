"""Who comes, by the headers of CONNECT."""

from __future__ import annotations

import pytest

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.frames import Version
from segue.protocols.stomp.headers import ConnectOptions, read_connect


def test_a_connect_says_who_comes() -> None:
    headers = {
        "accept-version": "1.1,1.2",
        "host": "/",
        "login": "guest",
        "passcode": "secret",
        "heart-beat": "1000,0",
        "client-id": "c",
        "request-id": "1",
    }
    assert read_connect(headers) == ConnectOptions(Version.V1_2, "/", "guest", "secret", (1000, 0), "c", "1")


def test_a_connect_may_say_nothing() -> None:
    assert read_connect({}) == ConnectOptions(Version.V1_0, None, None, None, (0, 0), None, None)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [("accept-version", "9", ErrorCode.VERSION_MISMATCH), ("heart-beat", "x", ErrorCode.BAD_HEART_BEAT)],
)
def test_a_connect_that_can_not_be_answered_is_refused(name: str, value: str, code: ErrorCode) -> None:
    with pytest.raises(StompProtocolError) as refused:
        read_connect({name: value})
    assert refused.value.code is code
