"""ActiveMQ's queue browser: `browser:true` on SUBSCRIBE reads without taking, and ends with an empty MESSAGE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

from segue.broker.browse import Browser
from segue.broker.errors import UnreadableError
from segue.broker.queue import Queue
from segue.broker.selector import Selector
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError

if TYPE_CHECKING:
    from segue.protocols.stomp.session import StompSession
    from segue.protocols.stomp.subscription import StompSubscription

__all__ = ["browse"]

_CHUNK_BYTES: Final = 256 << 10
_BUFFER_POLL_SECONDS: Final = 0.01


async def browse(stomp: StompSession, queue: Queue, subscription: StompSubscription, selector: Selector | None) -> None:
    """Send what is ready in a queue to a browsing subscription, as fast as it reads, then the end mark or an ERROR."""
    browser = Browser(queue, selector)
    while _goes_on(stomp, subscription):
        if stomp.blocked:
            await trio.sleep(_BUFFER_POLL_SECONDS)
            continue
        try:
            found = await browser.chunk(_CHUNK_BYTES)
        except UnreadableError as failure:
            stomp.frontend.log.error("browse.failed", queue=queue.name, reason=str(failure))
            # The end mark would say that this was all.
            problem = f"What lies on disk of queue '{queue.name}' can't be read"
            stomp.fail(StompProtocolError(ErrorCode.UNREADABLE, problem))
            stomp.node.end_step()
            return
        if not _goes_on(stomp, subscription):
            return
        if not found:
            stomp.put(subscription.end_of_browse())
            stomp.node.end_step()
            return
        stomp.put_frames([subscription.frame(seq, record) for seq, record in found])
        stomp.node.end_step()
        await trio.lowlevel.checkpoint()


def _goes_on(stomp: StompSession, subscription: StompSubscription) -> bool:
    """False once the client has unsubscribed, or is gone."""
    return not stomp.finished and stomp.subscriptions.get(subscription.number) is subscription
