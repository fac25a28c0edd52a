"""What the error queue of a push queue is told of a message that could not be delivered."""

from __future__ import annotations

import json

from segue.broker.headers import header_block
from segue.broker.message import encode, prefix
from segue.protocols.push.message import PushMessage
from segue.protocols.push.options import PushOptions
from segue.protocols.push.tries import Tries

__all__ = ["error_letter"]


def error_letter(message: PushMessage, tries: Tries, options: PushOptions, now_ms: int) -> bytes:
    """A record for the error queue, whose body is IronMQ's."""
    urls = {subscriber.name: subscriber.url for subscriber in options.subscribers}
    letter = {
        "source_msg_id": message.id,
        "body": message.body.decode(errors="replace"),
        "headers": dict(message.headers),
        "subscribers": [
            {"name": name, "url": urls.get(name, ""), "code": one.status_code, "msg": one.text}
            for name, one in tries.failed(options).items()
        ],
    }
    body = json.dumps(letter, ensure_ascii=False).encode()
    common, crc = prefix(now_ms, header_block([("content-type", "application/json")], len(body)))
    return encode(common, crc, body)
