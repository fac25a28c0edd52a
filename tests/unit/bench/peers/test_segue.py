"""Segue as a peer: HTTP is served where it is wanted, by the parser that is wanted."""

from pathlib import Path

from segue.bench.peers.segue import Segue


def test_http_is_off_as_long_as_nobody_measures_it(tmp_path: Path) -> None:
    broker = Segue(tmp_path)
    assert (broker.http_port, broker.environment()) == (0, {})
    assert broker.command()[-2:] == ["--http", ""]


def test_http_is_served_on_loopback_by_the_parser_that_is_wanted(tmp_path: Path) -> None:
    broker = Segue(tmp_path, http_parser="h11")
    assert broker.command()[-2:] == ["--http", f"127.0.0.1:{broker.http_port}"]
    assert broker.environment() == {"SEGUE_HTTP__PARSER": "h11"}
