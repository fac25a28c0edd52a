"""Header text of stored messages: what is escaped, and that it comes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segue.broker.header_text import escape, unescape
from segue.protocols.stomp.escaping import Version, escape_value
from segue.protocols.stomp.escaping import unescape as unescape_stomp


def test_what_would_end_a_line_or_a_name_is_escaped() -> None:
    assert escape("a:b\nc\rd\\e") == "a\\cb\\nc\\rd\\\\e"


def test_a_sequence_that_is_none_stays_as_it_is() -> None:
    assert unescape("a\\tb\\") == "a\\tb\\"


@given(st.text() | st.text(alphabet="\\:\n\rcnr"))
def test_text_comes_back_and_is_written_as_stomp_1_2_writes_it(text: str) -> None:
    written = escape(text)
    assert unescape(written) == unescape_stomp(written, Version.V1_2) == text
    assert written.replace("\0", " ") == escape_value(text, Version.V1_2)
