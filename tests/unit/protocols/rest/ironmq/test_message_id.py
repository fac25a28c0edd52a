"""Ids: digits that tell a place, and are read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.broker.schedule.scheduled_message import ScheduleId
from segue.protocols.rest.ironmq.message_id import MessageId, id_text, read_id, scheduled_id_text


@given(st.integers(1, 1 << 20), st.integers(1, (1 << 57) - 1))
def test_an_id_is_read_back(log: int, number: int) -> None:
    text = id_text(log, number)
    assert text.isdigit()
    assert read_id(text) == MessageId(log, number)


@given(st.integers(0, 10**14), st.integers(1, 10**9), st.integers(1, 10**14))
def test_the_id_of_a_delayed_message_is_read_back(due_ms: int, log: int, seq: int) -> None:
    identity = ScheduleId(due_ms, log, seq)
    text = scheduled_id_text(identity)
    assert text.isdigit()
    assert read_id(text) == MessageId(0, 0, identity)


@pytest.mark.parametrize("text", ["", "abc", "-1", "1.5", "٣", "9" * 65])
def test_what_is_no_id_is_none(text: str) -> None:
    assert read_id(text) is None
