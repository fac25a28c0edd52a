"""The header fields of JMS."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.broker.selector import SelectorError, compile_selector
from segue.broker.selector.fields import FIELDS, REFUSED, is_reserved

PAGE = Path(__file__).parents[4] / "docs/reference/selectors.md"


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_read_from_its_header_of_stomp(name: str) -> None:
    selector = compile_selector(f"{name} IS NOT NULL")
    assert selector.names == {FIELDS[name].header}
    assert selector.matches({FIELDS[name].header: "1"})


def test_only_fields_that_every_message_has_in_jms_have_a_default() -> None:
    assert {name for name in FIELDS if compile_selector(f"{name} IS NOT NULL").matches({})} == {
        "JMSDeliveryMode",
        "JMSExpiration",
        "JMSPriority",
    }


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_changes_from_delivery_to_delivery_can_be_no_part_of_a_selector(name: str) -> None:
    for text in (f'"{name}" IS NULL', f"hyphenated_props:{name} IS NULL"):
        with pytest.raises(SelectorError, match=name):
            compile_selector(text)


def test_names_that_begin_with_jms_are_reserved_but_for_properties() -> None:
    names = ["JMS", "JMSFoo", "JMSPriority", "JMSXState", "JMSXGroupID", "JMSXAppID", "JMS_x", "jmsfoo", "xJMS", "JM"]
    assert [name for name in names if is_reserved(name)] == ["JMS", "JMSFoo", "JMSPriority", "JMSXState"]


def test_every_field_is_in_the_documentation_with_its_header() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `JMS")]
    documented = {row.split("|")[1].strip(" `"): row.split("|")[2].strip(" `") for row in rows}
    assert documented == {name: rule.header for name, rule in FIELDS.items()}
