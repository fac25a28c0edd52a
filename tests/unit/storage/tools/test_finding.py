"""Findings: what they say, and what of it is damage."""

import re
from pathlib import Path

from segue.storage.tools.finding import Finding, FindingKind, Meter

PAGE = Path(__file__).parents[4] / "docs/how-to/damaged-store.md"


def test_a_finding_says_where_it_is() -> None:
    finding = Finding(FindingKind.JOURNAL, "journal/0.journal", "damaged", 4096, 8192)
    assert str(finding) == "journal/0.journal, offset 4096, 8192 bytes: damaged"


def test_a_finding_says_which_messages_it_concerns() -> None:
    one = Finding(FindingKind.RECORD, "catalog.db", "damaged", log=3, first=7, last=7)
    more = Finding(FindingKind.MISSING, "catalog.db", "nowhere", log=3, first=7, last=9)
    assert str(one) == "catalog.db, message 7: damaged"
    assert str(more) == "catalog.db, messages 7-9: nowhere"


def test_what_does_not_apply_is_none_in_json() -> None:
    shown = Finding(FindingKind.MODE, "LOCK", "open").as_dict()
    assert (shown["kind"], shown["damage"], shown["offset"], shown["log"]) == ("mode", True, None, None)


def test_what_a_crash_leaves_is_no_damage() -> None:
    assert {kind for kind in FindingKind if not kind.is_damage} == {
        FindingKind.STRAY,
        FindingKind.TORN,
        FindingKind.LOST,
    }


def test_every_kind_is_explained_to_operators() -> None:
    documented = re.findall(r"^\| `([a-z-]+)` \| ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(documented) == sorted(kind.value for kind in FindingKind)


def test_a_meter_adds_up() -> None:
    seen: list[tuple[int, int, str]] = []
    meter = Meter(lambda done, total, what: seen.append((done, total, what)))
    meter.total = 10
    meter.advance(3, "a")
    meter.advance(4, "b")
    assert seen == [(3, 10, "a"), (7, 10, "b")]
    Meter().advance(1, "nobody looks")
