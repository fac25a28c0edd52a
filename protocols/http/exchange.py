"""One request and its answer, which may come later: what handlers are given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from segue.broker.errors import BrokerError
from segue.protocols.http.errors import Header, HttpError, PeerGoneError
from segue.protocols.http.failures import as_http_error, plain_text

if TYPE_CHECKING:
    from segue.broker.node import Node
    from segue.protocols.http.conversation import HttpConversation
    from segue.protocols.http.request import Request
    from segue.protocols.http.routes import Renderer
    from segue.protocols.tcp import Conversation, TcpConnection

__all__ = ["JSON", "TEXT", "Exchange", "plain_error"]

JSON: Final = b"application/json"
TEXT: Final = b"text/plain; charset=utf-8"


class Exchange:
    """See the module. Exactly one of `answer`, `fail`, `end` and `upgrade` ends it; what comes behind that is ignored.

    Attributes:
        request: what is asked; without its body, where the route takes that in pieces.
        node: the broker.
        renderer: says errors in the words of the interface that the request is for.
        begun: a part of the answer is written.
        over: it was answered, or nobody waits for the answer any more.
    """

    __slots__ = (
        "_conversation", "_when_drained", "_when_ending", "_when_lost", "begun", "node", "over", "renderer", "request",
    )  # fmt: skip

    def __init__(self, conversation: HttpConversation, request: Request, renderer: Renderer) -> None:
        self._conversation = conversation
        self.node: Node = conversation.node
        self.request = request
        self.renderer = renderer
        self.begun = False
        self.over = False
        self._when_drained: Callable[[], None] | None = None
        self._when_lost: Callable[[], None] | None = None
        self._when_ending: Callable[[], None] | None = None

    @property
    def peer(self) -> str:
        """Who asks: `host:port`."""
        return self._conversation.connection.peer

    @property
    def peer_is_loopback(self) -> bool:
        """True when the peer is on this machine."""
        return self._conversation.connection.peer_is_loopback

    def authenticated(self) -> None:
        """The peer has proved who it is: its connection no longer counts as a stranger's."""
        self._conversation.connection.authenticated()

    def answer(
        self, status: int, body: bytes = b"", *, content_type: bytes = JSON, headers: Sequence[Header] = ()
    ) -> None:
        """Answer with a whole body, now."""
        if not self.over:
            self.over = True
            self._conversation.answer(self, status, [(b"content-type", content_type), *headers], body)

    def fail(self, error: HttpError | BrokerError) -> None:
        """Answer with an error. What is written of an answer can't be taken back: then the connection breaks off."""
        if self.over:
            return
        failure = error if isinstance(error, HttpError) else as_http_error(error)
        self._conversation.note_failure(self, failure)
        if self.begun:
            self._conversation.connection.abandon(f"an answer failed: {failure}")
        else:
            self.renderer(self, failure)

    # -- an answer in pieces

    def begin(self, status: int, *, content_type: bytes = JSON, headers: Sequence[Header] = ()) -> None:
        """Begin an answer that comes in pieces. One to HEAD is over with that."""
        if not self.over:
            self.begun = True
            self._conversation.begin_answer(status, [(b"content-type", content_type), *headers])
            if self.request.method == "HEAD":
                self.end()

    def write(self, piece: bytes) -> None:
        """The next piece. Whoever writes much looks at `full`."""
        if not self.over:
            self._conversation.write(piece)

    def end(self) -> None:
        """The answer is whole."""
        if not self.over:
            self.over = True
            self._conversation.end_answer(self)

    @property
    def full(self) -> bool:
        """True when the peer does not read: nothing more should be written until it does."""
        return self._conversation.output_full

    def when_drained(self, then: Callable[[], None]) -> None:
        """While it is `full`: call back, once, when the kernel has all that was written, or the peer is gone."""
        self._when_drained = then

    async def drained(self) -> None:
        """Let others have their turn, and wait as long as it is `full`. Raises PeerGoneError."""
        self.node.end_step()
        if self.full:
            drained = trio.Event()
            self.when_drained(drained.set)
            await drained.wait()
        else:
            await trio.lowlevel.checkpoint()
        if self.over:
            raise PeerGoneError

    # -- a request in pieces

    async def read(self) -> bytes:
        """What has come of the body since the last call, or the next to come; nothing at the end of the body.

        Nothing more is read from a peer that sends faster than this is called. `Expect: 100-continue` is answered by
        the first call.

        Raises:
            HttpError: the rest will not come.
        """
        return await self._conversation.read_body(self)

    # -- what comes of it

    def attempt(self, work: Callable[[], None]) -> None:
        """Do something whose errors are the answer."""
        try:
            work()
        except (HttpError, BrokerError) as error:
            self.fail(error)

    def upgrade(
        self, protocol: bytes, headers: Sequence[Header], make: Callable[[TcpConnection], Conversation]
    ) -> None:
        """Answer that the connection goes on in another protocol, which the peer has asked for in `Upgrade`.

        Args:
            protocol: its name, for `Upgrade`.
            headers: what the answer says besides.
            make: makes the conversation that carries the connection from now on. It is called when the kernel has the
                answer, and the conversation gets what has come behind the request.
        """
        if not self.over:
            self.over = True
            self._conversation.upgrade(self, [(b"upgrade", protocol), (b"connection", b"upgrade"), *headers], make)

    def when_durable(self, then: Callable[[], None]) -> None:
        """Go on when all that was done so far is on disk; `then` may answer."""
        self.node.store.want()
        self.node.on_durable(partial(self.attempt, then), self._conversation.connection)

    def when_lost(self, then: Callable[[], None]) -> None:
        """Call back if the peer is gone before the kernel has the whole answer, or shows at once that it was gone."""
        self._when_lost = then

    def when_ending(self, then: Callable[[], None]) -> None:
        """Call back if the peer closes its side, or the broker stops: who only waits answers now, with what he has."""
        self._when_ending = then

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        """Go on in a task, which answers in the end."""
        self._conversation.connection.start(partial(self._run, task))

    async def _run(self, task: Callable[[], Awaitable[None]]) -> None:
        try:
            await task()
        except (HttpError, BrokerError) as error:
            self.fail(error)
        self.node.end_step()

    # -- called by the conversation

    def taken(self) -> None:
        """The kernel has all that was written."""
        when_drained, self._when_drained = self._when_drained, None
        if when_drained is not None:
            when_drained()

    def arrived(self) -> Callable[[], None] | None:
        """The kernel has the whole answer. Returns whom it concerns if the peer does not read it."""
        when_lost, self._when_lost = self._when_lost, None
        return when_lost

    def ending(self) -> None:
        """See `when_ending`."""
        when_ending, self._when_ending = self._when_ending, None
        if when_ending is not None and not self.over:
            when_ending()

    def lost(self) -> None:
        """The connection is gone."""
        self.over = True
        when_lost, self._when_lost = self._when_lost, None
        if when_lost is not None:
            when_lost()
        self.taken()


def plain_error(exchange: Exchange, error: HttpError) -> None:
    """A `Renderer` for what belongs to no interface: one line of text."""
    exchange.answer(error.status, plain_text(error), content_type=TEXT, headers=error.headers)
