"""What the clients of IronMQ need of the wire that are not run here (Go, Java, Ruby, PHP), each fact by itself.

The clients of Python and node are run: tests/interop.
"""

from __future__ import annotations

import json

import pytest

from tests.helpers.http_client import request
from tests.helpers.iron_client import PROJECT
from tests.integration.rest.conftest import Connect

__all__: list[str] = []

_QUEUES = f"/3/projects/{PROJECT}/queues"
_TOKEN = "Authorization: OAuth guest"


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (request("/3/nothing", _TOKEN), 404),
        (request(f"{_QUEUES}/q/nothing", _TOKEN), 404),
        (request(f"{_QUEUES}/q/messages", _TOKEN, method="PATCH"), 405),
        (request(f"{_QUEUES}/a%2Fb", _TOKEN), 400),
        (request(_QUEUES, _TOKEN, host="elsewhere.example"), 403),
        (request(f"{_QUEUES}/q/messages", _TOKEN, "Content-Encoding: gzip", method="POST", body=b"x"), 415),
        (request(_QUEUES, _TOKEN, "A : b"), 400),
        (request(_QUEUES, _TOKEN, "Content-Length: 3", "Transfer-Encoding: chunked", method="POST"), 400),
        (request(f"{_QUEUES}/{'a' * 10_000}", _TOKEN), 414),
        (request(_QUEUES, _TOKEN, "A: " + "b" * 20_000), 431),
        (request(_QUEUES, _TOKEN, method="BREW"), 501),
        (request(f"{_QUEUES}/q/messages", _TOKEN, "Content-Length: 99999999", method="POST"), 413),
        (request(f"{_QUEUES}/q/messages", "Authorization: OAuth wrong", method="POST"), 401),
        (request(f"{_QUEUES}/q/messages", _TOKEN, method="POST", body=b"{"), 400),
    ],
)
def test_every_error_is_json_whose_length_is_known(connect: Connect, wire: bytes, status: int) -> None:
    """Java reads `msg` only behind exactly this type, and a Content-Length; node tells its callers nothing else."""
    answer = connect().ask(wire)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert answer.headers["transfer-encoding"] is None
    assert set(json.loads(answer.body)) == {"msg"}
