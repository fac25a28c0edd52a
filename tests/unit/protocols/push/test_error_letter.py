"""What the error queue is told."""

from __future__ import annotations

import json

from segue.broker.headers import Headers
from segue.broker.message import decode
from segue.protocols.push.error_letter import error_letter
from segue.protocols.push.message import PushMessage
from segue.protocols.push.options import PushOptions, PushType, Subscriber
from segue.protocols.push.outcome import Outcome
from segue.protocols.push.tries import Tries

OPTIONS = PushOptions(PushType.MULTICAST, (Subscriber("a", "http://a/"), Subscriber("b", "http://b/")), retries=0)


def test_it_names_the_message_and_who_has_not_got_it() -> None:
    tries = Tries.begin("7", ["a", "b"])
    tries.take_due(OPTIONS, 0)
    tries.ended("a", Outcome.answered(200), OPTIONS, 0, 0)
    tries.ended("b", Outcome(0, "No answer within 10 s"), OPTIONS, 0, 0)
    letter = error_letter(PushMessage("7", b"caf\xe9", {"X": "y"}), tries, OPTIONS, 1_000)
    assert Headers(letter).get("content-type") == "application/json"
    assert decode(letter).accepted_ms == 1_000
    assert json.loads(decode(letter).body) == {
        "source_msg_id": "7",
        "body": "caf\N{REPLACEMENT CHARACTER}",
        "headers": {"X": "y"},
        "subscribers": [{"name": "b", "url": "http://b/", "code": 0, "msg": "No answer within 10 s"}],
    }
