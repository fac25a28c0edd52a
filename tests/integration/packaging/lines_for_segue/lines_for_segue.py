"""A front-end that is not Segue's: each line that a peer sends is a message, answered with `stored` when it is on disk.

It knows of Segue what any other distribution may know: the Node, how a message is made, and how settings are declared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import trio

from segue.broker.message import encode, prefix
from segue.broker.node import Node
from segue.broker.settings.address import ListenAddress
from segue.broker.settings.keys import addresses

__all__ = ["LinesFrontend", "LinesSettings"]

_QUEUE = "lines"
_READ_BYTES = 4096
# A peer that sends no line end may not fill the memory.
_LINE_BYTES_MAX = 65536


@dataclass(frozen=True, slots=True)
class LinesSettings:
    """Lines over TCP."""

    listen: tuple[ListenAddress, ...] = addresses((ListenAddress("127.0.0.1", 0),), "The addresses to listen on.")


class LinesFrontend:
    """See the module."""

    name: str = "lines"
    settings_section: str | None = "lines"

    async def serve(self, node: Node, settings: LinesSettings, *, task_status: trio.TaskStatus[Sequence[str]]) -> None:
        """Listen and serve until cancelled."""
        listeners: list[trio.SocketListener] = []
        for address in settings.listen:
            listeners += await trio.open_tcp_listeners(address.port, host=address.host)
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(trio.serve_listeners, partial(take_lines, node), listeners))
            task_status.started(["{}:{}".format(*listener.socket.getsockname()) for listener in listeners])


async def take_lines(node: Node, stream: trio.SocketStream) -> None:
    """Publish what one peer sends, a line a message, until it closes or a line gets too long."""
    unfinished = b""
    async with stream:
        while len(unfinished) < _LINE_BYTES_MAX and (data := await stream.receive_some(_READ_BYTES)):
            *lines, unfinished = (unfinished + data).split(b"\n")
            await store(node, lines)
            await stream.send_all(b"stored\n" * len(lines))


async def store(node: Node, lines: Sequence[bytes]) -> None:
    """Put messages onto the queue and return when they are on disk."""
    queue = node.queue(_QUEUE)
    for line in lines:
        headers = b"destination:/queue/%b\ncontent-length:%d\n\n" % (_QUEUE.encode(), len(line))
        queue.publish(encode(*prefix(node.clock.now_ms(), headers), line))
    durable = trio.Event()
    node.on_durable(durable.set)
    node.end_step()
    await durable.wait()
