"""One connection's HTTP: a `segue.protocols.tcp.Conversation`. Requests are carried out one after the other.

Theory of operation. What is read goes to the codec in pieces of 16 KiB, and only as far as the request that is being
carried out: what comes behind it waits in `_unfed`, and when that is much nothing more is read. So answers come in the
order of their requests without being kept, and a peer that sends thousands of requests at once costs a buffer. A few
requests are carried out in one step; then others have their turn.

A body is gathered before its request is carried out, unless its route takes it in pieces: then the request is carried
out and read at the same time, as fast as the handler reads. What can be refused by the head alone is refused before the
body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

import trio

from segue.broker.errors import BrokerError
from segue.broker.receiving import SMALL_BYTES
from segue.protocols.http.body import Body
from segue.protocols.http.codec import Event, RequestHead
from segue.protocols.http.errors import Header, HttpError, PeerGoneError
from segue.protocols.http.exchange import Exchange, plain_error
from segue.protocols.http.request import Request

if TYPE_CHECKING:
    from segue.protocols.http.routes import Renderer, Route
    from segue.protocols.http.server import HttpFrontend
    from segue.protocols.tcp import Conversation, TcpConnection

__all__ = ["HttpConversation"]

_PIECE_BYTES: Final = 16 << 10
_UNFED_BYTES_MAX: Final = 64 << 10
_REQUESTS_A_STEP: Final = 64
_UNREAD_SECONDS: Final = 5.0
"""Who resets a connection so soon after an answer was sent has not read it: he was gone before. Later, a firewall may
have lost an idle connection, and whoever was answered is at work."""
_OUTPUT_BYTES_MAX: Final = 64 << 10
"""Of an answer in pieces that the kernel has not taken; it takes some MiB itself."""
# Why a connection ends at a deadline.
_STALLED: Final = "the client does not read"
_LATE: Final = "the request did not come in time"
_IDLE: Final = "no request for http.idle_seconds"


class HttpConversation:
    """See the module.

    Attributes:
        finished, login, thirsty: see `segue.protocols.tcp.Conversation`.
    """

    def __init__(self, frontend: HttpFrontend, connection: TcpConnection) -> None:
        self.frontend = frontend
        self.connection = connection
        self.node = frontend.node
        self.finished = False
        self.login: Callable[[], Awaitable[None]] | None = None
        self._codec = frontend.new_codec()
        self._unfed = b""
        # Of the request that is being read.
        self._request: Request | None = None
        self._route: Route | None = None
        self._target = ""
        self._body = Body()
        self._leave_due = False  # the peer waits for it before it sends the body
        # The one that is being carried out, and those whose answers are not with the kernel yet.
        self._exchange: Exchange | None = None
        self._answered: list[Exchange] = []
        self._sending: list[Exchange] = []
        # Whom it concerns if the last answers were not read, though the kernel had taken them; and since when it has.
        self._when_unread: list[Callable[[], None]] = []
        self._sent_at = 0.0
        self._out: list[bytes] = []
        self._out_bytes = self._stuck_bytes = 0
        self._successor: Callable[[TcpConnection], Conversation] | None = None  # see `Exchange.upgrade`
        self._working = False
        self._counted_bytes = 0
        self._since = connection.last_received  # a request began to come, or the last one was answered

    # -- what the connection asks (Conversation)

    @property
    def thirsty(self) -> bool:
        if len(self._unfed) >= _UNFED_BYTES_MAX:
            return False
        if self._counted_bytes <= SMALL_BYTES:
            return True
        receiving = self.node.receiving
        # What comes behind a request that is carried out can wait for the answer.
        return receiving.may_read(self.connection) if self._exchange is None else not receiving.crowded

    def receive(self, data: bytes) -> None:
        self._when_unread.clear()
        if not self._codec.begun and self._request is None and not self._unfed:
            self._since = self.node.clock.monotonic()
        self._unfed += data
        self._work()

    def end_of_input(self) -> None:
        self.finished = True
        if self._body.open:
            self._work()  # the rest may be here
        else:
            self._forget_received()
        if self._exchange is not None:
            self._exchange.ending()

    def go_on(self) -> None: ...

    def take_output(self) -> bytes:
        data = b"".join(self._out)
        self._out.clear()
        self._out_bytes = 0
        self._sending += self._answered
        self._answered.clear()
        return data

    def output_sent(self) -> None:
        sending, self._sending = self._sending, []
        self._when_unread += [lost for exchange in sending if (lost := exchange.arrived()) is not None]
        self._sent_at = self.connection.last_progress
        if self._successor is not None and not self._out:
            self.connection.start(self._hand_over)
        elif self._exchange is not None and not self._out:
            self._exchange.taken()

    def output_stuck(self, size: int) -> None:
        self._stuck_bytes = size

    def quiet(self) -> bool:
        return self._exchange is None and not self._out

    def next_deadline(self, now: float) -> float:
        return self._awaited()[0]

    def deadline(self, now: float) -> str:
        until, reason = self._awaited()
        if now < until:
            return ""
        if reason == _IDLE:
            self.finished = True
        elif reason == _LATE:
            self._refuse(HttpError(408, "request-timeout", "The request did not come in time", closes=True))
        return reason

    def frame_late(self) -> None:
        # It is being read, or it would not stand in the line (see `_count_received`).
        text = "Others wait for memory, and this request has not come within limits.frame_seconds"
        self._refuse(HttpError(408, "request-timeout", text, closes=True))

    def closed_by_node(self, reason: str) -> None:
        self._body.break_off(
            HttpError(503, "shutting-down", f"The rest of the body is not read: {reason}", closes=True)
        )
        if self._exchange is not None:
            self._exchange.ending()

    def closed(self, reason: str) -> None:
        self.finished = True
        self._forget_received()
        exchanges = [*self._sending, *self._answered, *([self._exchange] if self._exchange is not None else [])]
        self._exchange = None
        self._sending.clear()
        self._answered.clear()
        self._out.clear()
        for exchange in exchanges:
            exchange.lost()
        unread, self._when_unread = self._when_unread, []
        if self.connection.was_reset and self.node.clock.monotonic() < self._sent_at + _UNREAD_SECONDS:
            for lost in unread:
                lost()
        self._body.break_off(PeerGoneError())

    # -- requests

    def _awaited(self) -> tuple[float, str]:
        """Until when something has to come from the peer, monotonic seconds, and what is wrong if it does not."""
        settings = self.frontend.settings
        stalled = self.connection.stalled_since + self.node.settings.limits.write_stall_seconds, _STALLED
        if self.finished or (self._exchange is not None and not self._body.wanted):
            return stalled
        if self._request is not None:
            # A body may take its time as long as it goes on; a head may not.
            return min(stalled, (max(self._since, self.connection.last_received) + settings.body_seconds, _LATE))
        if self._codec.begun:
            return min(stalled, (self._since + settings.head_seconds, _LATE))
        return min(stalled, (self._since + settings.idle_seconds, _IDLE))

    def _work(self) -> None:
        """Read on, and carry out what is whole, until the answer to something has to be waited for."""
        if self._working:
            return  # an answer came at once: whoever asked for it goes on
        self._working = True
        requests = 0
        while self._reads and self._take_next():
            requests += self._request is None
            if requests >= _REQUESTS_A_STEP:
                self.connection.start(self._go_on_later)
                break
        self._working = False
        self._count_received(completed=requests > 0)
        self.connection.deadline_changed()

    @property
    def _reads(self) -> bool:
        """Something of what has come can be used now."""
        return self._body.has_room if self._exchange is not None else not self.finished

    def _take_next(self) -> bool:
        """Take the next event; False when more has to be read first."""
        try:
            while (event := self._codec.next_event()) is None:
                if not self._unfed:
                    if self.finished:
                        self._body.break_off(HttpError(400, "incomplete-body", "The body is not whole", closes=True))
                    return False
                piece, self._unfed = self._unfed[:_PIECE_BYTES], self._unfed[_PIECE_BYTES:]
                self._codec.receive(piece)
            self._take(event)
        except HttpError as error:
            self._refuse(error)
        return True

    async def _go_on_later(self) -> None:
        await trio.lowlevel.checkpoint()
        if not self.connection.closed:
            self._work()
            self.connection.read_on()
            self.node.end_step()

    def _take(self, event: Event) -> None:
        if isinstance(event, RequestHead):
            self._begin(event)
        elif isinstance(event, bytes):
            self._body.put(event)
            if not self._body.in_pieces:
                self._check_body(self._body.received)
        else:
            self._body.end()
            if not self._body.in_pieces:
                self._carry_out()

    def _begin(self, head: RequestHead) -> None:
        """A head has come. Raises HttpError when nothing more of the request needs to be seen."""
        try:
            self._target = head.target
            self._request = request = Request(head.method, head.target, head.headers)
            self.frontend.check_sender(request)
            if head.method != "OPTIONS":
                self._route, request.parameters = self.frontend.routes.find(head.method, request.segments)
            if request.headers.get("content-encoding", "identity").lower() != "identity":
                raise HttpError(415, "content-encoding", "Bodies with a Content-Encoding are not taken: send it plain")
            self._body = Body(in_pieces=self._route is not None and self._route.body_in_pieces)
            if not self._body.in_pieces:
                self._check_body(head.length or 0)
        except HttpError as error:
            if head.length == 0:
                self._codec.next_event()  # its end: another request may follow
            else:
                error.closes = True  # or the body that is on its way would be read as a request
            raise
        self._leave_due = head.expects_continue
        if not self._body.in_pieces:
            self._give_leave()
            return
        if head.length == 0:
            self._codec.next_event()
            self._body.end()
        self._carry_out()

    def _give_leave(self) -> None:
        if self._leave_due and not self._body.received:
            self._put(self._codec.leave())
        self._leave_due = False

    def _check_body(self, size: int) -> None:
        maximum = self.frontend.limits.body_bytes_max
        if size > maximum:
            raise HttpError(413, "body-too-large", f"The body has more than {maximum} bytes", closes=True)

    def _carry_out(self) -> None:
        request, route = self._request, self._route
        assert request is not None
        request.body = self._body.take()
        exchange = self._exchange = Exchange(self, request, self._renderer())
        try:
            if route is None:
                allowed = ", ".join(self.frontend.routes.allowed(request.segments))
                exchange.answer(204, headers=[(b"allow", allowed.encode())])
            else:
                route.handler(exchange)
        except (HttpError, BrokerError) as error:
            exchange.fail(error)
        except Exception as error:  # noqa: BLE001 - a fault of ours costs this request, and not the listener
            self.node.log.crash("internal.error", error, peer=self.connection.peer)
            if exchange.over or exchange.begun:  # what it wrote of an answer can't be taken back
                self.connection.abandon("internal error")
            exchange.fail(HttpError(500, "internal-error", "An error in Segue: its log has the event internal.error"))

    def _refuse(self, error: HttpError) -> None:
        """Nothing more can be read of the request that is being read."""
        if self._exchange is not None:
            self.finished = True
            self._body.break_off(error)
            return
        request = self._request or Request("GET", "/", ())
        self._exchange = Exchange(self, request, self._renderer())
        self._exchange.fail(error)

    def _renderer(self) -> Renderer:
        """Of the interface that the request is for, as far as that is known."""
        if self._route is not None:
            return self._route.renderer
        return self.frontend.routes.renderer(self._target or self._codec.refused) or plain_error

    # -- called by exchanges

    def note_failure(self, exchange: Exchange, failure: HttpError) -> None:
        """An answer is an error."""
        self.finished = self.finished or failure.closes
        self.frontend.note_failure(self.connection, failure)

    def answer(self, exchange: Exchange, status: int, headers: Sequence[Header], body: bytes) -> None:
        """Write an answer, and go on with what comes behind its request."""
        assert exchange is self._exchange
        self.finished = self.finished or self._body.unread  # or the rest would be read as a request
        self._put(self._codec.answer(status, self._complete(headers), body))
        self._go_on(exchange)

    def begin_answer(self, status: int, headers: Sequence[Header]) -> None:
        """Write the head of an answer that comes in pieces."""
        self._put(self._codec.begin_answer(status, self._complete(headers)))

    def write(self, piece: bytes) -> None:
        """Write a piece of it."""
        self._put(self._codec.go_on(piece))

    def end_answer(self, exchange: Exchange) -> None:
        """It is whole: go on with what comes behind its request."""
        assert exchange is self._exchange
        self._put(self._codec.end_answer())
        self._go_on(exchange)

    @property
    def output_full(self) -> bool:
        """The peer does not read as fast as is written for it."""
        return self._stuck_bytes + self._out_bytes >= _OUTPUT_BYTES_MAX

    def upgrade(
        self, exchange: Exchange, headers: Sequence[Header], make: Callable[[TcpConnection], Conversation]
    ) -> None:
        """Write `101 Switching Protocols`, and hand the connection over when that is with the kernel."""
        assert exchange is self._exchange
        answer, behind = self._codec.switch([*headers, *self.frontend.common_headers()])
        self._put(answer)
        self._answered.append(exchange)
        self._unfed = behind + self._unfed
        self._successor = make

    async def read_body(self, exchange: Exchange) -> bytes:
        """See `Exchange.read`."""
        if exchange is not self._exchange:
            raise PeerGoneError
        body = self._body
        if body.open and not body.held:
            news = body.news()
            self._give_leave()
            self._since = self.node.clock.monotonic()  # until now nobody has waited for it
            self.connection.deadline_changed()
            self.node.end_step()
            await news.wait()
        else:
            await trio.lowlevel.checkpoint()
        if body.failure is not None and not body.held:
            raise body.failure
        piece = body.take()
        self._work()
        self.connection.read_on()
        return piece

    # -- inside

    async def _hand_over(self) -> None:
        """In a task of its own: the next protocol must not begin in the middle of a write."""
        await trio.lowlevel.checkpoint()
        make, received, connection = self._successor, self._unfed, self.connection
        self._exchange = self._successor = None
        if make is None or connection.closed or self.finished:
            connection.read_on()
            return
        self._forget_received()
        conversation = make(connection)
        connection.hand_over(conversation)
        if received:
            conversation.receive(received)
            connection.read_on()
        self.node.end_step()

    def _complete(self, headers: Sequence[Header]) -> list[Header]:
        """The headers of an answer, with those that all have."""
        ending = [(b"connection", b"close")] if self.finished else []
        return [*headers, *self.frontend.common_headers(), *ending]

    def _go_on(self, exchange: Exchange) -> None:
        """The request is answered."""
        self._exchange = self._route = self._request = None
        self._target = ""
        if self._body.open:
            self._body.break_off(PeerGoneError())
        self._body = Body()
        self._answered.append(exchange)
        self._since = self.node.clock.monotonic()
        if self.finished or not self._codec.start_next():
            self.finished = True
            self._forget_received()
        else:
            self._work()
        self.connection.read_on()

    def _put(self, data: bytes) -> None:
        if not data:
            return
        if not self._out:
            self.node.wrote(self.connection)
        self._out.append(data)
        self._out_bytes += len(data)

    def _count_received(self, *, completed: bool) -> None:
        held = self._body.held + len(self._unfed)
        if held or self._counted_bytes:
            before, self._counted_bytes = self._counted_bytes, held
            self.node.receiving.count(self.connection, before, held, completed=completed)
            if self._exchange is not None:
                # It waits for us, not for its peer: nobody should wait for it.
                self.node.receiving.step_aside(self.connection)

    def _forget_received(self) -> None:
        self._unfed = b""
        if self._exchange is None:
            self._request = self._route = None
            self._body = Body()
        self._count_received(completed=True)
