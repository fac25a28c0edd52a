"""The text format, read back by Prometheus's own parser."""

from __future__ import annotations

from segue.protocols.admin.openmetrics import END, Family
from tests.unit.protocols.admin.scrape import families_of


def test_a_family_says_its_kind_its_unit_and_what_it_means() -> None:
    assert Family("a_seconds", "counter", 'Say "hello".').head().splitlines() == [
        "# TYPE a_seconds counter",
        "# UNIT a_seconds seconds",
        '# HELP a_seconds Say \\"hello\\".',
    ]
    assert "UNIT" not in Family("a_queues", "gauge", "").head()


def test_what_is_written_is_read_as_it_was_meant() -> None:
    families = [
        Family("a_bytes", "gauge", "Some."),
        Family("b", "counter", 'Say "hello" \\ twice.'),
        Family("c", "info", "It."),
    ]
    label, values = 'a "b" \\ c\nd', [1.5, 1, 1]
    text = "".join([one.head() + one.sample(value, {"q": label}) for one, value in zip(families, values, strict=True)])
    read = families_of(text + END)
    assert [(one.name, one.type, one.documentation) for one in read] == [tuple(family) for family in families]
    samples = [(sample.name, sample.labels, sample.value) for one in read for sample in one.samples]
    assert samples == [("a_bytes", {"q": label}, 1.5), ("b_total", {"q": label}, 1), ("c_info", {"q": label}, 1)]


def test_yes_and_no_are_numbers() -> None:
    family = Family("held", "gauge", "")
    assert [family.sample(value) for value in (True, False)] == ["held 1\n", "held 0\n"]
