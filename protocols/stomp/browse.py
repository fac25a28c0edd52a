"""ActiveMQ's queue browser: `browser:true` on SUBSCRIBE reads without taking, and ends with an empty MESSAGE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from segue.broker.browse import Browser
from segue.broker.errors import UnreadableError
from segue.broker.queue import Queue

if TYPE_CHECKING:
    from segue.protocols.stomp.session import StompSession
    from segue.protocols.stomp.subscription import StompSubscription

__all__ = ["browse"]

_CHUNK_BYTES: Final = 256 << 10
_BUFFER_POLL_SECONDS: Final = 0.01


async def browse(stomp: StompSession, queue: Queue, subscription: StompSubscription) -> None:
    """Send what is ready in a queue to a browsing subscription, as fast as it reads, then the end mark."""
    browser = Browser(queue)
    while not stomp.finished:
        if stomp.blocked:
            await trio.sleep(_BUFFER_POLL_SECONDS)
            continue
        try:
            found = await browser.chunk(_CHUNK_BYTES)
        except UnreadableError as failure:
            stomp.frontend.log.error("browse.failed", queue=queue.name, reason=str(failure))
            break
        if not found:
            break
        stomp.put_frames([subscription.frame(seq, record) for seq, record in found])
        stomp.node.end_step()
        await trio.lowlevel.checkpoint()
    if not stomp.finished:
        stomp.put(subscription.end_of_browse())
        stomp.node.end_step()
