"""Problems: each word that a request can be refused with has a type with the same status."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.broker import errors
from segue.broker.errors import BrokerError
from segue.protocols import http
from segue.protocols.http.failures import as_http_error
from segue.protocols.rest import v1
from segue.protocols.rest.v1.problems import PROBLEMS
from tests.unit.protocols.rest.v1.v1_world import V1World

# What is refused before it is known whom a request is for, is refused in plain text.
BEFORE_THE_PATH = {
    "ambiguous-length",
    "bad-chunk",
    "bad-head",
    "bad-length",
    "bad-line-end",
    "bad-request",
    "chunk-head-too-large",
    "head-too-large",
    "http-version",
    "no-host",
    "target-too-long",
    "unknown-method",
}


def refusals() -> Iterator[tuple[int, str]]:
    """Status and code of all that the server, and the broker, may refuse a request with."""
    for source in Path(http.__path__[0]).glob("*.py"):
        for status, code in re.findall(r'HttpError\((\d+), "([a-z-]+)"', source.read_text()):
            yield int(status), code
    for kind in BrokerError.__subclasses__():
        if kind.__module__ == errors.__name__ and kind is not errors.TransactionError:
            error = as_http_error(kind("..."))
            yield error.status, error.code


def test_every_refusal_of_server_and_broker_has_a_type_with_its_status() -> None:
    found = {(code, status) for status, code in refusals() if code not in BEFORE_THE_PATH | {"peer-gone"}}
    assert found - {(code, kind.status) for code, kind in PROBLEMS.items()} == set()


def test_every_type_is_used() -> None:
    folders = [Path(http.__path__[0]), Path(v1.__path__[0]), Path(v1.__path__[0]).parent]
    texts = [path.read_text() for folder in folders for path in folder.glob("*.py") if path.name != "problems.py"]
    used = {code for text in texts for code in re.findall(r'Error\(\s*(?:\d+, )?"([a-z-]+)"', text)}
    assert PROBLEMS.keys() - used - {code for _, code in refusals()} == set()


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not-found"),
        ("POST", "/v1/queues", 405, "method-not-allowed"),
        ("QUERY", "/v1/queues", 405, "method-not-allowed"),
        ("GET", "/v1/queues/a%2Fb", 400, "bad-target"),
        ("GET", "/v1?x=%", 400, "bad-target"),
    ],
)
def test_what_is_not_served_is_refused_in_the_words_of_the_api(
    world: V1World, method: str, path: str, status: int, code: str
) -> None:
    refused = world.ask(method, path)
    assert (refused.status, refused.body["type"]) == (status, f"/problems/{code}")
