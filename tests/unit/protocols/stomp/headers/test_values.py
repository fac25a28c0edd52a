"""What one header says."""

from __future__ import annotations

import pytest

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.headers import required


def test_a_required_header_may_be_empty_but_not_missing() -> None:
    assert required({"transaction": ""}, "transaction", "BEGIN") == ""
    with pytest.raises(StompProtocolError) as refused:
        required({}, "transaction", "BEGIN")
    assert refused.value.code is ErrorCode.MISSING_HEADER
