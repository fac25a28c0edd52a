"""Standard Webhooks."""

from __future__ import annotations

import base64

import pytest

from segue.protocols.push.signing import InvalidSecretError, read_secret, signed_headers

# The worked example that the libraries of Standard Webhooks are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SECONDS = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_is_signed_as_the_specification_says() -> None:
    assert signed_headers([read_secret(SECRET)], MESSAGE_ID, SECONDS, BODY) == {
        "webhook-id": MESSAGE_ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_while_secrets_change_a_message_is_signed_with_each() -> None:
    newer = read_secret("whsec_" + base64.b64encode(b"n" * 32).decode())
    alone = signed_headers([newer], MESSAGE_ID, SECONDS, BODY)["webhook-signature"]
    both = signed_headers([newer, read_secret(SECRET)], MESSAGE_ID, SECONDS, BODY)["webhook-signature"]
    assert alone != SIGNATURE
    assert both.split(" ") == [alone, SIGNATURE]


@pytest.mark.parametrize("changed", ["id", "seconds", "body", "key"])
def test_a_signature_is_of_the_id_the_time_the_body_and_the_secret(changed: str) -> None:
    headers = signed_headers(
        [b"k" * 32 if changed == "key" else read_secret(SECRET)],
        "msg_other" if changed == "id" else MESSAGE_ID,
        SECONDS + (changed == "seconds"),
        BODY + b" " if changed == "body" else BODY,
    )
    assert headers["webhook-signature"] != SIGNATURE


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        "whsec_not base64",
        "whsec_é",
        SECRET.removeprefix("whsec_"),
        "whsec_" + base64.b64encode(b"k" * 23).decode(),
        "whsec_" + base64.b64encode(b"k" * 65).decode(),
    ],
)
def test_what_is_no_secret_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(InvalidSecretError) as refused:
        read_secret(text)
    assert len(text) < 7 or text not in str(refused.value)


def test_secrets_have_24_to_64_octets() -> None:
    for length in (24, 64):
        assert read_secret("whsec_" + base64.b64encode(b"k" * length).decode()) == b"k" * length
