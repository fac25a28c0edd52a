"""What is printed of a queue: what there is to say of it, and no more."""

from __future__ import annotations

from typing import Any, Final

from segue.broker.cli.queue_text import queue_table, queue_text

RATES: Final = {"publish": 0.0, "deliver": 0.0, "acknowledge": 0.0}
CONSUMER: Final = {
    "connection": 7, "user": "u", "peer": "p", "prefetch": None, "in_flight": 0, "output_full": False,
    "stands_by": False, "exclusive": False, "rank": 0, "selector": "",
}  # fmt: skip
COUNTS: Final = (
    "ready", "in_flight", "returned", "settled", "bytes", "segments", "consumers", "delayed", "dead_lettered",
    "discarded", "expired", "dropped", "remembered_ids", "remembered_producers", "passed_over", "groups", "created_ms",
)  # fmt: skip


def queue(**members: Any) -> dict[str, Any]:
    """One that is like any other but for these members."""
    row: dict[str, Any] = dict.fromkeys(COUNTS, 0)
    row |= {"name": "q", "oldest_age_seconds": None, "rates": RATES, "auto_delete": False, "log": 1, "fault": ""}
    row |= {"exclusive_to": None, "bindings": [], "levels": [], "waiting_bytes": None, "options": {}, "set_aside": []}
    row |= {"look_ahead_full": False, "paused": False, "consumed_by": []}
    return row | members


def lines(**members: Any) -> list[str]:
    """What is printed of it."""
    return queue_text(queue(**members)).splitlines()


def details(**members: Any) -> dict[str, str]:
    """What stands behind each name."""
    return {name: value.strip() for name, _, value in (line.partition("  ") for line in lines(**members))}


def test_of_a_plain_queue_nothing_is_said_that_is_nothing() -> None:
    assert list(details())[-3:] == ["created", "deleted with its last consumer", "log"]


def test_what_there_is_besides_is_said() -> None:
    shown = details(
        remembered_ids=1200, expired=3, bindings=["a.*", "b"], waiting_bytes=1024, options={"bytes_max": 1 << 20}
    )
    assert shown["deduplication ids"] == "1,200"
    assert shown["expired"] == "3"
    assert shown["bound to topics"] == "a.*, b"
    assert shown["waiting"] == "1.0 KiB of 1.0 MiB"
    assert "dead letters" not in shown


def test_what_keeps_messages_from_going_out_is_in_capitals() -> None:
    shown = details(look_ahead_full=True, paused=True, fault="a checksum", passed_over=5, groups=2)
    assert {"LOOK-AHEAD FULL", "PAUSED", "FAULT"} <= shown.keys()
    assert (shown["passed over"], shown["groups that are busy"]) == ("5", "2")


def test_a_consumer_that_is_not_like_others_says_how() -> None:
    consumer = CONSUMER | {"stands_by": True, "rank": 3, "selector": "a = 1\n", "output_full": True}
    plain, other = lines(consumed_by=[CONSUMER, consumer])[-2:]
    assert plain.endswith(" 0")
    assert other.endswith(" 0  full; stands by; rank 3; selects a = 1\\n")


def test_in_a_list_the_last_column_says_what_keeps_messages_from_going_out() -> None:
    rows = [queue(), queue(paused=True), queue(paused=True, look_ahead_full=True)]
    header, *found = queue_table(rows).splitlines()
    assert header.endswith("  consumers  state")
    states = [line[header.index("state") :] for line in found]
    assert states == ["", "paused", "paused, look-ahead full"]
