"""Tests of segue.broker.jobs.redrive: where a dead letter came from, and what it is without its death."""

from __future__ import annotations

import json

import pytest

from segue.broker.dead_letters import Reason, dead_letter, goes_round
from segue.broker.header_text import escape
from segue.broker.jobs.redrive import origin_of, redriven
from segue.broker.message import decode
from tests.unit.broker.actors import body_of, header, record


def died(message: bytes, queue: str = "orders", reason: Reason = Reason.REJECTED) -> bytes:
    return dead_letter(message, queue=queue, reason=reason, deliveries=3, now_ms=5_000, died_ms=5_000)


def said(**headers: str) -> bytes:
    lines = [f"{name.replace('_', '-')}:{escape(value)}\n" for name, value in headers.items()]
    return record("a", "".join([*lines, "\n"]).encode())


def test_a_dead_letter_comes_from_the_queue_that_it_died_in_last() -> None:
    letter = died(died(record("a", b"\n"), "first"), "second")
    assert origin_of(letter) == "second"


def test_a_history_that_others_wrote_is_read_as_well() -> None:
    deaths = [{"queue": "last", "reason": "expired"}, {"queue": "first"}]
    assert origin_of(said(x_death=json.dumps(deaths), x_first_death_queue="first")) == "last"
    assert origin_of(said(x_first_death_queue="first")) == "first"


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", "[1]", '[{"queue":7}]', "[" * 100_000])
def test_what_is_no_history_tells_nothing(text: str) -> None:
    assert origin_of(said(x_death=text)) == ""


def test_a_redriven_message_is_what_its_sender_sent() -> None:
    sent = record("a", b"destination:/queue/orders\nkind:x\\cy\n\n")
    message = redriven(died(sent), queue="dead", now_ms=9_000)
    there = decode(message)
    assert there.headers == b"redriven-from:dead\nredriven-count:1\n" + decode(sent).headers
    assert (body_of(message), there.accepted_ms) == ("a", 9_000)


def test_it_says_how_often_it_was_redriven() -> None:
    message = redriven(died(record("a", b"\n")), queue="dead", now_ms=0)
    again = redriven(died(message), queue="dead", now_ms=0)
    assert header(decode(again), "redriven-count") == "2"
    strange = redriven(died(said(redriven_count="9" * 5000)), queue="dead", now_ms=0)
    assert header(decode(strange), "redriven-count") == "1"


def test_one_that_expires_where_it_was_redriven_to_is_a_dead_letter_again_and_not_given_up() -> None:
    letter = died(record("a", b"\n"), reason=Reason.EXPIRED)
    assert goes_round(letter, "orders")
    assert not goes_round(redriven(letter, queue="dead", now_ms=0), "orders")
