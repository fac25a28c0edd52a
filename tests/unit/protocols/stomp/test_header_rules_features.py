"""The table of what queues do has every header about queues, and every option that a policy can give."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from segue.broker.queue_options import QueueOptions
from segue.protocols.stomp.header_rules import RULES
from tests.unit.protocols.stomp.reference_page import codes_in

PAGE = Path(__file__).parents[4] / "docs/reference/queue-features.md"
POLICY_KEY = 4

# What belongs to a connection or a frame, and not to what a queue does.
OF_THE_WIRE = {
    *("accept-version", "host", "login", "passcode", "heart-beat", "request-id"),
    *("content-length", "transaction", "id", "message-id", "subscription"),
}


def rows() -> list[list[str]]:
    """The cells of each feature."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[1:]]


def headers() -> set[str]:
    """The names in the columns of the three kinds of brokers, without destinations and commands."""
    codes = (code for row in rows() for cell in row[1:POLICY_KEY] for code in codes_in(cell))
    return {code for code in codes if not code.startswith(("/", "segue "))}


def test_every_feature_has_all_columns() -> None:
    assert {len(row) for row in rows()} == {6}
    assert all(row[0] and row[-1] for row in rows())


def test_every_header_of_the_table_means_something() -> None:
    assert sorted(headers() - {rule.name for rule in RULES}) == []


def test_every_header_about_queues_is_in_the_table() -> None:
    assert sorted({rule.name for rule in RULES} - headers() - OF_THE_WIRE) == []


def test_every_option_of_a_queue_has_its_policy_key_in_the_table() -> None:
    keys = [code for row in rows() for code in codes_in(row[POLICY_KEY])]
    assert sorted(keys) == sorted(option.name for option in fields(QueueOptions))
