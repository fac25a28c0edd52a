"""What refusals of the broker's are in HTTP."""

from __future__ import annotations

import pytest

from segue.broker import errors
from segue.broker.errors import BrokerError
from segue.protocols.http.errors import HttpError
from segue.protocols.http.failures import as_http_error, plain_text


class OwnError(errors.NotFoundError):
    """Somebody's own."""

    code = "own"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.NotFoundError("no"), 404, "not-found"),
        (OwnError("no"), 404, "own"),
        (errors.InUseError("no"), 409, "in-use"),
        (errors.NotHeldError("no"), 409, "not-held"),
        (errors.LimitReachedError("no"), 429, "limit-reached"),
        (errors.ShuttingDownError("no"), 503, errors.ShuttingDownError.code),
        (errors.NotSupportedError("no"), 400, "not-supported"),
    ],
)
def test_an_error_keeps_its_code_and_its_words(error: BrokerError, status: int, code: str) -> None:
    failure = as_http_error(error)
    assert (failure.status, failure.code, str(failure), failure.closes) == (status, code, "no", False)


def test_what_is_wrong_with_a_file_is_for_operators() -> None:
    failure = as_http_error(errors.UnreadableError("segments/7/1-9.db: a checksum is wrong"))
    assert (failure.status, failure.code) == (503, "unreadable")
    assert "segments" not in str(failure)


def test_where_no_interface_has_words_of_its_own_an_error_is_one_line() -> None:
    assert plain_text(HttpError(404, "not-found", "There is nothing")) == b"404 Not Found: There is nothing\n"
