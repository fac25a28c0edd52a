"""Which parser reads heads."""

from __future__ import annotations

import pytest

from segue.broker.frontends import FrontEndError
from segue.protocols.http.head_parsers import head_parser
from tests.unit.protocols.http.parsers import PARSERS


@pytest.mark.parametrize(("name", "parser"), [("auto", "httptools"), ("h11", "h11"), ("httptools", "httptools")])
def test_the_fastest_parser_is_taken_unless_one_is_named(name: str, parser: str) -> None:
    assert head_parser(name) is PARSERS[parser]


def test_what_is_not_installed_is_not_taken_and_missed_where_it_is_named() -> None:
    assert head_parser("auto", lambda name: None) is PARSERS["h11"]
    with pytest.raises(FrontEndError, match="pip install httptools"):
        head_parser("httptools", lambda name: None)
