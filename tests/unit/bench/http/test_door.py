"""What all doors have in common: requests made ahead of time, with bodies that can be told apart."""

import json

from segue.bench.http.door import BODY_PATTERN, encoder, number_of, request


def test_a_body_has_256_octets_and_says_its_number() -> None:
    body = BODY_PATTERN % 1234
    assert len(body) == 256
    assert number_of(body.decode()) == 1234


def test_a_request_says_how_long_its_body_is() -> None:
    head, _, body = request("DELETE", "/a", "OAuth guest", b"{}").partition(b"\r\n\r\n")
    assert body == b"{}"
    assert head.decode().split("\r\n") == [
        "DELETE /a HTTP/1.1",
        "Host: localhost",
        "Authorization: OAuth guest",
        "Content-Type: application/json",
        "Content-Length: 2",
    ]


def test_made_requests_differ_by_nothing_but_their_numbers() -> None:
    encode = encoder("/a", "OAuth guest", (b"[", b'"%b",' % BODY_PATTERN, b'"%b"' % BODY_PATTERN, b"]"))
    assert encode(7) == request("POST", "/a", "OAuth guest", b"[%b]" % b",".join(map(quoted, (7, 8))))
    assert len(encode(7)) == len(encode(10**12))


def test_a_percent_sign_in_a_path_is_left_alone() -> None:
    assert encoder("/api/%2F/%s", "Basic x", (b"{}",))(1).startswith(b"POST /api/%2F/%s HTTP/1.1\r\n")


def quoted(number: int) -> bytes:
    return json.dumps((BODY_PATTERN % number).decode()).encode()
