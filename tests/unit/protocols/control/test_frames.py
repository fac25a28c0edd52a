"""The control protocol's codec: what goes in comes out, however it is cut, and bad lines are answered."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.protocols.control.frames import (
    ControlError,
    ErrorCode,
    Reply,
    ReplyReader,
    Request,
    RequestReader,
    error_line,
    items_line,
    progress_line,
    request_line,
    result_line,
)

LINE_MAX = 10_000
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 60), 1 << 60) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ids = st.integers(-(1 << 60), 1 << 60) | st.text(max_size=20)


def read_requests(data: bytes, line_bytes_max: int = LINE_MAX) -> list[Request | ControlError]:
    return RequestReader(line_bytes_max).receive_data(data)


def refused(line: bytes) -> ControlError:
    (found,) = read_requests(line + b"\n")
    assert isinstance(found, ControlError)
    return found


@given(ids, st.text(max_size=20), st.dictionaries(st.text(max_size=8), json_values, max_size=4))
def test_a_request_is_read_as_it_was_written(request_id: int | str, do: str, arguments: dict[str, Any]) -> None:
    assert read_requests(request_line(request_id, do, arguments)) == [Request(request_id, do, arguments)]


def test_requests_are_the_same_wherever_the_stream_is_cut() -> None:
    stream = request_line(1, "status", {}) + b"\r\n" + request_line("é", "queue.show", {"queue": "ü"}) + b"oops\n"
    whole = read_requests(stream)
    assert [type(part) for part in whole] == [Request, Request, ControlError]
    for cut in range(len(stream) + 1):
        reader = RequestReader(LINE_MAX)
        parts = reader.receive_data(stream[:cut]) + reader.receive_data(stream[cut:])
        assert list(map(repr, parts)) == list(map(repr, whole))


def test_requests_are_the_same_octet_by_octet() -> None:
    stream = request_line(1, "status", {}) + request_line(2, "queue.list", {})
    reader = RequestReader(LINE_MAX)
    found = [part for at in range(len(stream)) for part in reader.receive_data(stream[at : at + 1])]
    assert found == [Request(1, "status", {}), Request(2, "queue.list", {})]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "JSON object"),
        (b"[]", "JSON object"),
        (b"1", "JSON object"),
        (b"\xff{}", "JSON object"),
        (b"[" * 9000, "JSON object"),
        (b'{"do": "status"}', "'id'"),
        (b'{"id": null, "do": "status"}', "'id'"),
        (b'{"id": true, "do": "status"}', "'id'"),
        (b'{"id": 1.5, "do": "status"}', "'id'"),
        (b'{"id": "' + b"x" * 201 + b'", "do": "status"}', "'id'"),
        (b'{"id": ' + b"9" * 5000 + b', "do": "status"}', "JSON object"),
        (b'{"id": 1}', "'do'"),
        (b'{"id": 1, "do": 2}', "'do'"),
        (b'{"id": 1, "do": "status", "with": []}', "'with'"),
        (b'{"id": 1, "do": "status", "when": "now"}', "'when'"),
    ],
)
def test_a_line_that_is_no_request_is_answered_with_what_is_wrong(line: bytes, problem: str) -> None:
    error = refused(line)
    assert (error.code, error.ends_connection) == (ErrorCode.BAD_REQUEST, False)
    assert problem in str(error)


def test_an_error_names_the_request_where_its_id_can_be_read() -> None:
    assert refused(b'{"id": "a-7", "do": 2}').id == "a-7"
    assert refused(b"{").id is None


def test_what_follows_a_bad_line_is_read() -> None:
    found = read_requests(b"oops\n" + request_line(2, "status", {}))
    assert found[1:] == [Request(2, "status", {})]


def test_empty_lines_mean_nothing() -> None:
    assert read_requests(b"\n\r\n  \n") == []


@pytest.mark.parametrize("ended", [b"\n", b""])
def test_a_line_that_is_too_long_ends_the_connection(ended: bytes) -> None:
    (found,) = read_requests(b"x" * 101 + ended, line_bytes_max=100)
    assert isinstance(found, ControlError)
    assert (found.code, found.ends_connection) == (ErrorCode.LINE_TOO_LONG, True)


def test_requests_before_a_line_that_is_too_long_are_kept() -> None:
    found = read_requests(request_line(1, "status", {}) + b"x" * 101, line_bytes_max=100)
    assert found[0] == Request(1, "status", {})
    assert isinstance(found[1], ControlError)


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_whatever_comes_only_requests_and_errors_come_out(chunks: list[bytes]) -> None:
    reader = RequestReader(100)
    for chunk in chunks:
        found = reader.receive_data(chunk)
        assert all(isinstance(part, Request | ControlError) for part in found)
        if any(isinstance(part, ControlError) and part.ends_connection for part in found):
            return


@given(ids, json_values)
def test_every_kind_of_reply_is_read_as_it_was_written(request_id: int | str, value: Any) -> None:
    stream = (
        items_line(request_id, [{"a": value}])
        + progress_line(request_id, 5, 7)
        + result_line(request_id, {"b": value})
        + error_line(ControlError(ErrorCode.IN_USE, "why"), request_id)
    )
    assert ReplyReader(LINE_MAX).receive_data(stream) == [
        Reply(request_id, "items", [{"a": value}]),
        Reply(request_id, "progress", {"done": 5, "total": 7}),
        Reply(request_id, "result", {"b": value}),
        Reply(request_id, "error", {"code": "in-use", "message": "why"}),
    ]


@pytest.mark.parametrize("line", [b"HTTP/1.1 400 Bad Request", b"{}", b'{"id": 1}', b"[1]"])
def test_a_client_notices_that_it_talks_to_something_else(line: bytes) -> None:
    with pytest.raises(ControlError):
        ReplyReader(LINE_MAX).receive_data(line + b"\n")


def test_a_line_is_one_line_whatever_is_in_it() -> None:
    line = result_line(1, {"text": "a\nb\r\u2028\ud800"})
    assert line.count(b"\n") == 1
    assert json.loads(line)["result"]["text"].startswith("a\nb\r\u2028")


def test_codes_of_errors_are_words_with_dashes() -> None:
    assert all(code.value.replace("-", "").isalpha() and code.value.islower() for code in ErrorCode)
