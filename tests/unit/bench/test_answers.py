"""Answers are cut where they end, however they come in, and a refusal is an error."""

import pytest

from segue.bench.answers import AnswerCutter, body_of, end_of_answer
from segue.bench.replies import BrokerError

ANSWER = b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{"ids": [1]}'


@pytest.mark.parametrize("cut", range(1, len(ANSWER)))
def test_an_answer_is_whole_wherever_it_was_cut(cut: int) -> None:
    cutter = AnswerCutter()
    assert cutter.feed(ANSWER[:cut]) == b""
    assert cutter.feed(ANSWER[cut:]) == ANSWER


def test_one_answer_after_the_other_is_cut() -> None:
    cutter = AnswerCutter()
    assert [cutter.feed(ANSWER), cutter.feed(ANSWER)] == [ANSWER, ANSWER]


def test_the_name_of_the_length_is_in_any_case() -> None:
    assert AnswerCutter().feed(ANSWER.lower()) == ANSWER.lower()


def test_an_answer_that_begins_further_on_is_found() -> None:
    assert end_of_answer(ANSWER * 2, len(ANSWER)) == 2 * len(ANSWER)


def test_more_than_was_asked_for_is_an_error() -> None:
    with pytest.raises(BrokerError, match="more was answered"):
        AnswerCutter().feed(ANSWER + b"HTTP/1.1 200 OK\r\n")


def test_an_answer_without_an_end_is_an_error() -> None:
    with pytest.raises(BrokerError, match="more than 16777216 octets"):
        AnswerCutter().feed(bytes((16 << 20) + 1))


def test_the_body_is_what_stands_behind_the_head() -> None:
    assert body_of(ANSWER) == b'{"ids": [1]}'


@pytest.mark.parametrize("status", ["100 Continue", "302 Found", "404 Not Found", "503 Service Unavailable"])
def test_a_status_that_is_no_yes_is_an_error_with_its_text(status: str) -> None:
    answer = f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno".encode()
    with pytest.raises(BrokerError, match=f"^HTTP/1.1 {status}: no$"):
        body_of(answer)
