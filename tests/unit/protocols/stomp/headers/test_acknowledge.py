"""Which message the headers of ACK and NACK name."""

from __future__ import annotations

import pytest

from segue.protocols.stomp.errors import StompProtocolError
from segue.protocols.stomp.frames import Version
from segue.protocols.stomp.headers import AckOptions, read_ack


@pytest.mark.parametrize(
    ("version", "headers", "options"),
    [
        (Version.V1_2, {"id": "a", "transaction": "t"}, AckOptions("a", None, None, "t", True)),
        (Version.V1_1, {"message-id": "m", "subscription": "s"}, AckOptions(None, "m", "s", None, True)),
        (Version.V1_0, {"message-id": "m"}, AckOptions(None, "m", None, None, True)),
        (
            Version.V1_0,
            {"message-id": "m", "subscription": "s", "requeue": "false"},
            AckOptions(None, "m", "s", None, False),
        ),
    ],
)
def test_an_ack_names_its_message_as_its_version_does(
    version: Version, headers: dict[str, str], options: AckOptions
) -> None:
    assert read_ack(headers, version, "NACK") == options


@pytest.mark.parametrize(
    ("version", "headers", "missing"),
    [
        (Version.V1_2, {"message-id": "m", "subscription": "s"}, "id"),
        (Version.V1_1, {"id": "a", "subscription": "s"}, "message-id"),
        (Version.V1_1, {"message-id": "m"}, "subscription"),
        (Version.V1_0, {"id": "a"}, "message-id"),
    ],
)
def test_fault_68_an_ack_without_id_is_refused(version: Version, headers: dict[str, str], missing: str) -> None:
    with pytest.raises(StompProtocolError) as refused:
        read_ack(headers, version, "ACK")
    assert refused.value.message == "Missing header"
    assert refused.value.body == f'"ACK" must include the "{missing}" header'
