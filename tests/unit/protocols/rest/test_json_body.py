"""Bodies in JSON: what is taken, and where those are wrong that are not (fault 89)."""

from __future__ import annotations

import msgspec
import pytest

from segue.protocols.rest.json_body import BodyError, read_json


class Part(msgspec.Struct):
    body: str
    delay: int = 0


class Whole(msgspec.Struct):
    parts: list[Part] = []


DECODER = msgspec.json.Decoder(Whole)


def refused(body: bytes) -> BodyError:
    with pytest.raises(BodyError) as caught:
        read_json(body, DECODER)
    assert caught.value.status == 400
    return caught.value


def test_members_that_nobody_knows_are_passed_over() -> None:
    assert read_json(b'{"parts": [{"body": "\xc3\xa4", "x": [null]}], "y": 1}', DECODER) == Whole([Part("ä")])


def test_no_body_is_an_empty_object() -> None:
    assert read_json(b"", DECODER) == Whole()


def test_a_wrong_type_is_named_with_its_place() -> None:
    error = refused(b'{"parts": [{"body": "a"}, {"body": 1}]}')
    assert (error.code, error.pointer) == ("invalid-body", "/parts/1/body")
    assert str(error) == "Expected `str`, got `int`, at /parts/1/body"


def test_a_missing_member_is_named_with_the_place_of_its_object() -> None:
    error = refused(b'{"parts": [{}]}')
    assert (str(error), error.pointer) == ("Object missing required field `body`, at /parts/0", "/parts/0")


def test_a_wrong_body_as_a_whole_has_no_place() -> None:
    assert (refused(b"[]").pointer, refused(b"null").code) == ("", "invalid-body")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"parts": []} x',
        b'{"x": NaN}',
        b'{"x": "\xff"}',
        b'{"parts": [{"body": "\\ud800"}]}',
        b'{"x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"x": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_or_too_much_of_it_is_refused(body: bytes) -> None:
    assert refused(body).code == "bad-json"


@pytest.mark.parametrize("body", [b'{"parts": [], "parts": []}', b'{"parts": [{"body": "a", "\\u0062ody": "b"}]}'])
def test_a_member_that_comes_twice_is_refused(body: bytes) -> None:
    assert "twice in one object" in str(refused(body))


def test_a_number_beyond_all_bounds_is_refused() -> None:
    assert refused(b'{"parts": [{"body": "a", "delay": 1e400}]}').code == "invalid-body"
