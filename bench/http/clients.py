"""Publishers and consumers over HTTP, as conversations: what they ask, depending on what they are answered.

A conversation is a generator. It yields requests and is sent the bodies of their answers; when it ends, the client has
no more to say. It looks at `goes_on` before each new piece of work, so it never leaves a message half done.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

from segue.bench.http.door import Door
from segue.bench.http.tally import Tally
from segue.bench.replies import BrokerError

__all__ = ["Conversation", "consuming", "publishing"]

Conversation = Generator[bytes, bytes, None]


def publishing(door: Door, batch: int, tally: Tally, goes_on: Callable[[], bool]) -> Conversation:
    """Publish so many messages a request."""
    encode = door.publishing(batch)
    while goes_on():
        answer = yield encode(tally.numbers(batch))
        tally.confirm(door.published(answer), batch)


def consuming(door: Door, batch: int, tally: Tally, goes_on: Callable[[], bool], *, settled: bool) -> Conversation:
    """Take so many messages a request and settle them, until there are none.

    Args:
        door: the queue.
        batch: messages a request.
        tally: where they are counted.
        goes_on: whether more are to be taken.
        settled: by the request that takes them, not by one of its own.
    """
    taking = door.taking(batch, settled=settled)
    while goes_on():
        taken = door.taken((yield taking))
        if not taken.numbers:
            return
        if taken.settlement and not door.is_settled((yield taken.settlement)):
            raise BrokerError("what was taken could not be settled")
        tally.take(taken.numbers)
