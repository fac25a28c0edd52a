"""The opening handshake."""

from __future__ import annotations

import pytest

from segue.protocols.http import HttpError, Request
from segue.protocols.websocket.handshake import accept, choose_subprotocol

HEADERS = {
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
NAMES = ("v12", "v11")


def asked(method: str = "GET", **changes: str | None) -> Request:
    headers = HEADERS | {name.replace("_", "-"): value for name, value in changes.items()}
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items() if value is not None]
    return Request(method, "/ws", pairs)


def test_the_answer_to_the_example_of_the_rfc_is_that_of_the_rfc() -> None:
    assert accept(asked(), NAMES) == [(b"sec-websocket-accept", b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")]


def test_what_is_offered_twice_is_as_good_as_in_one_list() -> None:
    request = asked(**{"Sec-WebSocket-Protocol": "v10 , v11,v9"})
    assert accept(request, NAMES)[1:] == [(b"sec-websocket-protocol", b"v11")]


def test_extensions_are_passed_over() -> None:
    request = asked(**{"Sec-WebSocket-Extensions": "permessage-deflate"})
    assert len(accept(request, NAMES)) == 1


@pytest.mark.parametrize(
    ("offered", "chosen"), [("", None), ("v11", "v11"), ("v11, v12", "v12"), ("V12", None), ("v1", None)]
)
def test_the_best_name_wins_and_none_is_no_fault(offered: str, chosen: str | None) -> None:
    assert choose_subprotocol(offered, NAMES) == chosen


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (asked("HEAD"), 426),
        (asked(Upgrade=None), 426),
        (asked(Upgrade="websockets"), 426),
        (asked(Connection="close"), 426),
        (asked(Sec_WebSocket_Version=None), 426),
        (asked(Sec_WebSocket_Version="8"), 426),
        (asked(Sec_WebSocket_Version="13, 13"), 426),
        (asked(Sec_WebSocket_Key=None), 400),
        (asked(Sec_WebSocket_Key=""), 400),
        (asked(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ"), 400),
        (asked(Sec_WebSocket_Key="c2hvcnQ="), 400),
        (asked(Sec_WebSocket_Key="ö" * 24), 400),
    ],
)
def test_what_is_no_handshake_is_told_what_would_be_one(request_: Request, status: int) -> None:
    with pytest.raises(HttpError) as refused:
        accept(request_, NAMES)
    assert refused.value.status == status
    if status == 426:
        assert dict(refused.value.headers)[b"upgrade"] == b"websocket"
        assert dict(refused.value.headers)[b"sec-websocket-version"] == b"13"
