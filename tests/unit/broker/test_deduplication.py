"""The deduplication window: what is a repeat, for how long, and what it costs."""

from __future__ import annotations

from segue.broker.deduplication import DeduplicationWindow


def test_an_id_is_a_repeat_when_it_was_given_before() -> None:
    window = DeduplicationWindow()
    assert [window.is_repeat(1, one, 0.0) for one in ("a", "b", "a", "", "", "b")] == [
        False, False, True, False, True, True,
    ]  # fmt: skip


def test_the_same_id_for_another_queue_is_another_id() -> None:
    window = DeduplicationWindow()
    assert [window.is_repeat(queue, "a", 0.0) for queue in (1, 2, -1, 1 << 40, 1)] == [False, False, False, False, True]


def test_an_id_is_new_again_after_ten_minutes() -> None:
    """FAULTS 34. A repeat does not make it any younger: what counts is when the message was accepted."""
    window = DeduplicationWindow()
    assert not window.is_repeat(1, "a", 0.0)
    assert window.is_repeat(1, "a", 599.9)
    assert not window.is_repeat(1, "a", 600.0)
    assert window.is_repeat(1, "a", 601.0)


def test_the_oldest_ids_go_when_there_are_too_many() -> None:
    window = DeduplicationWindow(ids_max=3)
    for number in range(5):
        assert not window.is_repeat(number, "x", 0.0)
        assert len(window) <= 3
    assert [window.is_repeat(number, "x", 0.0) for number in (4, 3, 2)] == [True, True, True]
    assert not window.is_repeat(1, "x", 0.0)


def test_ids_are_let_go_when_nobody_asks() -> None:
    window = DeduplicationWindow()
    for number in range(10):
        window.is_repeat(1, str(number), float(number))
    window.forget(604.0)
    assert len(window) == 5


def test_an_id_of_any_length_and_of_any_characters_takes_the_same_room() -> None:
    window = DeduplicationWindow()
    for text in ("x" * 100_000, "\ud800", "\0", "日本"):
        assert not window.is_repeat(1, text, 0.0)
        assert window.is_repeat(1, text, 0.0)
    assert {len(key) for key in window._accepted} == {16}
