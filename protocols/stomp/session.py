"""A STOMP connection's session: frames in, calls on the node, frames out. No I/O: a `segue.protocols.tcp.Conversation`.

The loop in `_work` is the way in of every message. Within one read nothing is awaited; receipts of the whole read are
confirmed by one callback, acknowledgements are handed over once, and the step ends behind it all. What is not SEND or a
plain ACK is carried out by `Commands`.

Order of what the peer sees: receipts and the ERROR come in the order of their frames, when everything before them is
on disk; MESSAGEs come as they come.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, cast

from segue.broker.errors import BrokerError
from segue.broker.message import encode
from segue.broker.pending import PendingError
from segue.broker.receiving import SMALL_BYTES
from segue.protocols.stomp.commands import Commands, as_protocol_error
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.events import ACK, FRAME, LARGE_SEND, SEND, Event, FrameEvent, LargeSendEvent, SendEvent
from segue.protocols.stomp.frames import SendHead, Version, error, receipt_frames, single_frames
from segue.protocols.stomp.headers import AckMode
from segue.protocols.stomp.heart_beat import RECEIVE_GRACE, HeartBeat
from segue.protocols.stomp.parser import Parser
from segue.protocols.stomp.route import Route
from segue.protocols.stomp.state import ConnectionState, Signal, State
from segue.protocols.stomp.subscription import StompSubscription
from segue.protocols.stomp.varying_head import VaryingHead
from segue.protocols.stomp.ways import Way

if TYPE_CHECKING:
    from segue.broker.session import Session
    from segue.protocols.stomp.server import StompFrontend
    from segue.protocols.tcp import TcpConnection

__all__ = ["StompSession"]

_BEAT: Final = b"\n"
_BEAT_EARLY: Final = 0.8
"""We beat after this part of the interval, so that a late timer is still in time."""
_EVENT_BYTES: Final = 256
_RUN_MAX: Final = 1024
"""Messages that are published together: a millisecond or two, and their ids have room in one record."""
_BLOCKED_BYTES_MIN: Final = 4096
"""Less than this never fills an output buffer, however much waits for all connections together."""


class StompSession:
    """One connection.

    Attributes:
        finished, login, thirsty: see `segue.protocols.tcp.Conversation`.
        session: the node's session, None before login and after the end.
        version: what was negotiated; 1.2 before that.
        subscriptions: by the number in their ack ids.
        blocked: the output buffer is full; nothing is delivered.
    """

    def __init__(self, frontend: StompFrontend, connection: TcpConnection) -> None:
        self.frontend = frontend
        self.connection = connection
        self.node = frontend.node
        self.finished = False
        self.login: Callable[[], Awaitable[None]] | None = None
        self.session: Session | None = None
        self.session_id = 0
        self.version = Version.V1_2
        self.state = ConnectionState()
        self.beat = HeartBeat(0, 0)
        self.subscriptions: dict[bytes, StompSubscription] = {}
        self._limits = frontend.node.settings.limits
        self._parser = Parser(frontend.limits)
        self._receiving_bytes = 0  # of `_parser`, as they stand in `node.receiving`
        self._commands = Commands(self)
        self._login_until = connection.last_received + self._limits.login_seconds
        self._last_sent = connection.last_progress  # monotonic seconds; whoever carries us may say things of its own
        self._step = 0
        self._failed_receipt: bytes | None = None
        # Confirmations that wait for the disk.
        self._owed = 0
        # Output that waits for the end of the step, its size, and the size of what the kernel has not taken.
        self._out: list[bytes] = []
        self._out_bytes = 0
        self._stuck_bytes = 0
        self._stuck_behind_bytes = 0  # of the output, what is counted because it waits behind something that is stuck
        self._turned_away = False  # a consumer could have been given something, if the buffer had not been full
        # Deliveries that nobody will acknowledge: settled when they are with the kernel.
        self._unasked: dict[StompSubscription, int] = {}
        self._unasked_sending: dict[StompSubscription, int] = {}
        # Receipts that are due for the read in progress, and whether an ERROR was the last word.
        self._receipts: list[bytes] = []
        self._failed = False
        # Events put aside while publishers are held, or until it is known what becomes of the first of them.
        self._pending: PendingError | None = None
        self._at = 0  # of the events of a read, the one that may find that it has to wait so
        self._one_by_one_until = 0  # of these, the first behind a run that can't be taken together
        self._aside: list[Event] = []
        self._aside_bytes = 0

    # -- what the connection asks (Conversation)

    @property
    def thirsty(self) -> bool:
        if self._receiving_bytes > SMALL_BYTES and not self.node.receiving.may_read(self.connection):
            return False
        if not self._aside_bytes:
            return True
        pressure = self.node.pressure
        return self._aside_bytes <= pressure.ration(self._limits.held_bytes_max, pressure.aside_bytes)

    def receive(self, data: bytes) -> None:
        parser = self._parser
        self._process(parser.receive_data(data))
        held = parser.bytes_held
        if held or self._receiving_bytes:
            self._count_receiving(held, completed=held != self._receiving_bytes + len(data))

    def end_of_input(self) -> None:
        self._forget_received()
        self.finished = True
        if self._aside and not any(map(_settles, self._aside)):
            # What is out with it need not wait for publishers to go on.
            for subscription in self.subscriptions.values():
                of_node, subscription.of_node = subscription.of_node, None
                if of_node is not None and self.session is not None:
                    self.session.unsubscribe(of_node)

    def go_on(self) -> None:
        aside = self._aside
        self._forget_aside()
        self._process(aside)

    def take_output(self) -> bytes:
        return b"".join(self._take_out())

    def take_frames(self) -> list[bytes]:
        """As `take_output`, frame by frame; a heart-beat counts as one."""
        return [frame for written in self._take_out() for frame in single_frames(written)]

    def _take_out(self) -> list[bytes]:
        written, self._out = self._out, []
        self._stuck_bytes = self._out_bytes
        self._out_bytes = 0
        if self._stuck_behind_bytes:
            self._count_behind()
        if self._unasked:
            for subscription, count in self._unasked.items():
                self._unasked_sending[subscription] = self._unasked_sending.get(subscription, 0) + count
            self._unasked.clear()
        return written

    def output_sent(self) -> None:
        self._last_sent = self.connection.last_progress
        self._stuck_bytes = 0
        if self._unasked_sending:
            sending, self._unasked_sending = self._unasked_sending, {}
            for subscription, count in sending.items():
                if subscription.of_node is not None:
                    subscription.of_node.consumer.sent(count)
        if self._turned_away:
            self._turned_away = False
            self._resume()

    def output_stuck(self, size: int) -> None:
        self._stuck_bytes = size

    def quiet(self) -> bool:
        return not self._owed and not self._out and not self._aside

    def next_deadline(self, now: float) -> float:
        if self.state.state in (State.CONNECTING, State.LOGIN):
            return self._login_until
        connection, beat = self.connection, self.beat
        moments = [connection.stalled_since + self._limits.write_stall_seconds]
        if beat.send_milliseconds and not self._stuck_bytes:
            moments.append(self._last_sent + beat.send_milliseconds * _BEAT_EARLY / 1000)
        if beat.receive_milliseconds and not self.finished and connection.reading:
            moments.append(connection.last_received + beat.receive_milliseconds * RECEIVE_GRACE / 1000)
        return min(moments)

    def deadline(self, now: float) -> str:
        if self.state.state in (State.CONNECTING, State.LOGIN):
            if now < self._login_until:
                return ""
            self.fail(StompProtocolError(ErrorCode.TIMED_OUT, "No CONNECT frame came in time"))
            return "no CONNECT in time"
        connection, beat = self.connection, self.beat
        if now >= connection.stalled_since + self._limits.write_stall_seconds:
            return "the client does not read"
        dead_at = connection.last_received + beat.receive_milliseconds * RECEIVE_GRACE / 1000
        if beat.receive_milliseconds and now >= dead_at and not self.finished and connection.reading:
            self.fail(StompProtocolError(ErrorCode.HEART_BEAT_MISSED, "Nothing came for twice the agreed time"))
            return "heart-beat missed"
        late = now >= self._last_sent + beat.send_milliseconds * _BEAT_EARLY / 1000
        if beat.send_milliseconds and late and not self._out and not self._stuck_bytes:
            self.put(_BEAT)
        return ""

    def frame_late(self) -> None:
        seconds = self._limits.frame_seconds
        problem = f"Others wait for memory, and this frame has not come within limits.frame_seconds ({seconds:g} s)"
        self.fail(StompProtocolError(ErrorCode.TIMED_OUT, problem))

    def closed_by_node(self, reason: str) -> None:
        code = ErrorCode.SHUTTING_DOWN if self.node.stopping else ErrorCode.CLOSED_BY_OPERATOR
        self.fail(StompProtocolError(code, reason))

    def closed(self, reason: str) -> None:
        self.finished = True
        self._forget_aside()
        self._forget_received()
        self._out.clear()
        self._out_bytes = 0
        self._count_behind()
        if self.state.state is not State.CLOSED:
            self.state.signal(Signal.ENDED)
        self.end_session()
        self.frontend.connection_closed(self, reason)
        # What refers to us: only the garbage collector would free it, after thousands of connections.
        self.login = None
        self._unasked.clear()
        self._unasked_sending.clear()
        del self._commands

    # -- output

    @property
    def blocked(self) -> bool:
        if self.finished:
            return True
        waiting = self._out_bytes + self._stuck_bytes
        if waiting < _BLOCKED_BYTES_MIN or waiting < self.frontend.output_bytes_max:
            return False
        self._turned_away = True
        return True

    def put(self, frame: bytes) -> None:
        """Write this at the end of the step."""
        if not self._out:
            self.node.wrote(self.connection)
        self._out.append(frame)
        self._out_bytes += len(frame)
        if self._stuck_bytes:
            self._count_behind()

    def put_frames(self, frames: list[bytes]) -> None:
        """Write frames at the end of the step."""
        if not self._out:
            self.node.wrote(self.connection)
        self._out += frames
        self._out_bytes += sum(map(len, frames))
        if self._stuck_bytes:
            self._count_behind()

    def sent_unasked(self, subscription: StompSubscription, count: int) -> None:
        """Deliveries of an auto subscription were put out."""
        self._unasked[subscription] = self._unasked.get(subscription, 0) + count

    def fail(self, failure: StompProtocolError) -> None:
        """ERROR, and the end of the connection: nothing that comes behind it is processed."""
        if self.state.state is State.CLOSED:
            return
        self.state.signal(Signal.FAILED)
        self._failed = True
        self.frontend.failed(self, failure)
        self._promise(self._receipts)
        frame = error(failure, self.version if self.session_id else None)
        if self._owed:
            self._owed += 1
            self.node.on_durable(partial(self._say_last, frame), self.connection)
        else:
            self.put(frame)  # with a full disk nothing becomes durable for hours
        self.finish()

    def finish(self) -> None:
        """No more is read; what is owed is written, and the connection closes."""
        self.finished = True
        self._forget_aside()
        self._forget_received()
        self.end_session()

    def end_session(self) -> None:
        """What belongs to the connection ends: messages go back, transactions abort."""
        session, self.session = self.session, None
        for subscription in self.subscriptions.values():
            subscription.of_node = None
        self.subscriptions.clear()
        if session is not None:
            session.close()

    def subscription_cancelled(self, subscription: StompSubscription, reason: str) -> None:
        """The queue of a subscription is gone."""
        self._commands.subscribing.cancelled(subscription, reason)

    def deadline_changed(self) -> None:
        """Heart-beats were agreed."""
        self.connection.deadline_changed()

    def resume_input(self) -> None:
        """The login is through: take what came behind CONNECT."""
        self._process(self._parser.resume(self.version))

    def _say_last(self, frame: bytes) -> None:
        self._owed -= 1
        self.put(frame)

    def _confirm(self, receipt_ids: list[bytes]) -> None:
        self._owed -= 1
        self.put(receipt_frames(receipt_ids))

    def _promise(self, receipts: list[bytes]) -> None:
        """Confirm these when everything done so far is on disk."""
        if receipts:
            self._owed += 1
            self.node.on_durable(partial(self._confirm, receipts.copy()), self.connection)
            receipts.clear()

    def _count_behind(self) -> None:
        """What waits behind output that is stuck is counted with that of all connections."""
        size = self._out_bytes
        self.node.pressure.output_bytes += size - self._stuck_behind_bytes
        self._stuck_behind_bytes = size

    def _resume(self) -> None:
        for subscription in self.subscriptions.values():
            if subscription.of_node is not None:
                consumer = subscription.of_node.consumer
                consumer.dispatcher.queue_up(consumer)
                self.node.touched(consumer.dispatcher)

    # -- input

    def _process(self, events: list[Event]) -> None:
        """Take the events of one read."""
        if self._aside:
            events = self._keep_aside(events)
        if not events or self.state.state is State.CLOSED:
            return
        self._step += 1
        self._failed_receipt = None
        self._one_by_one_until = 0
        receipts = self._receipts = []
        settled: dict[StompSubscription, None] = {}
        stopped_at = len(events)
        failure: StompProtocolError | None = None
        try:
            stopped_at = self._work(events, receipts, settled)
        except PendingError as pending:
            self._pending = pending.with_traceback(None)
            stopped_at = self._at
        except StompProtocolError as error_:
            # Tracebacks lead to this frame, and so to itself: see test_session.
            error_.__context__ = None
            failure = error_.with_traceback(None)
        except BrokerError as error_:
            failure = as_protocol_error(error_)
        self._settle(settled)
        if not self._failed:  # if so, it has promised what came before it
            self._promise(receipts)
        if failure is not None:
            if failure.receipt_id is None:
                failure.receipt_id = self._failed_receipt
            self.fail(failure)
        elif stopped_at < len(events):
            self._put_aside(events[stopped_at:])

    def _work(self, events: list[Event], receipts: list[bytes], settled: dict[StompSubscription, None]) -> int:
        """The path of every message. Returns the index of the first event that has to wait, or how many there are."""
        now_ms = self.node.clock.now_ms()
        step = self._step
        held = self.node.held
        subscriptions = self.subscriptions
        ready = self.state.state is State.CONNECTED
        numbered = enumerate(events)
        for index, event in numbered:
            if event[0] == SEND:
                _, head, receipt, body = event
                self._failed_receipt = receipt
                if held:
                    return index
                if not ready:
                    self.state.receive("SEND")
                route = cast("Route | None", head.route)
                if route is None or route.step != step:
                    route = self._route(head, now_ms)
                if route.way is not None:
                    done = self._send(route, route.way, events, index, receipts)
                    next(islice(numbered, done - 1, done - 1), None)  # these are passed over
                    continue
                common = route.commons.get(len(body)) or route.common(len(body))
                route.publish(encode(common[0], common[1], body))
                if receipt is not None:
                    receipts.append(receipt)
            elif event[0] == ACK:
                _, ack_id, receipt = event
                self._failed_receipt = receipt
                number, _, seq = ack_id.partition(b"-")
                subscription = subscriptions.get(number)
                if subscription is None or subscription.of_node is None:
                    subscription = _browsing(subscription)
                elif subscription.mode is AckMode.CLIENT_INDIVIDUAL and seq.isdigit():
                    subscription.of_node.consumer.acknowledge(int(seq))
                else:
                    subscription.acknowledge(seq)
                settled[subscription] = None
                if receipt is not None:
                    receipts.append(receipt)
            elif event[0] == FRAME:
                frame = event[1]
                self._failed_receipt, self._at = frame.receipt, index
                if held and frame.command == "COMMIT" and self._commands.commit_publishes(frame):
                    return index
                self._settle(settled)  # what came before in this read has happened before
                self._step = step = step + 1  # a queue may go now: destinations are looked up again
                receipt = self._commands.carry_out(self.state.receive(frame.command), frame, receipts)
                if receipt is not None:
                    receipts.append(receipt)
                ready = self.state.state is State.CONNECTED
                if self.finished and self.state.state is State.CLOSED:
                    break
            elif event[0] == LARGE_SEND:
                if held:
                    return index
                self._send_large(event, index, now_ms, receipts)
            else:
                raise event[1]
        return len(events)

    def _send(self, route: Route, way: Way, events: list[Event], index: int, receipts: list[bytes]) -> int:
        """A message that is not plain, and others of its kind behind it. Returns how many events are done."""
        self._at = index
        if way.takes_runs and index >= self._one_by_one_until:
            run = _run(events, index)
            due = way.send_run(route.records(run), run) if run else None
            if due is not None:
                receipts += due
                return len(run)
            self._one_by_one_until = index + len(run)
        _, head, receipt, body = cast("SendEvent", events[index])
        receipt = way.send(route.record(head, body), head, receipt)
        if receipt is not None:
            receipts.append(receipt)
        return 1

    def _send_large(self, event: LargeSendEvent, index: int, now_ms: int, receipts: list[bytes]) -> None:
        """What the loop over a read and `_send` do with others."""
        _, head, receipt, body = event
        self._failed_receipt, self._at = receipt, index
        if self.state.state is not State.CONNECTED:
            self.state.receive("SEND")
        route = self._route(head, now_ms)
        record = route.large_record(body)
        if route.way is None:
            route.publish(record)
        else:
            receipt = route.way.send(record, head, receipt)
        if receipt is not None:
            receipts.append(receipt)

    def _route(self, head: SendHead | VaryingHead, now_ms: int) -> Route:
        route = cast("Route | None", head.route)
        version = self.node.routes_version
        if route is None or not route.target.open or route.version != version:
            route = head.route = self._commands.publishing.find_route(head.shared)
            route.version = version
        route.refresh(self._step, now_ms)
        if route.persistent or route.has_consumers():
            self.node.store.want()  # once a read: a message that nobody waits for goes with the next batch
        return route

    def _settle(self, settled: dict[StompSubscription, None]) -> None:
        for subscription in settled:
            if subscription.of_node is not None:
                subscription.of_node.consumer.settle()
        settled.clear()

    # -- frames that are not whole

    def _count_receiving(self, held: int, *, completed: bool) -> None:
        before, self._receiving_bytes = self._receiving_bytes, held
        self.node.receiving.count(self.connection, before, held, completed=completed)

    def _forget_received(self) -> None:
        self._parser.receive_data(b"")
        if self._receiving_bytes:
            self._count_receiving(0, completed=True)

    # -- while publishers are held

    def _put_aside(self, events: list[Event]) -> None:
        """The first of these has to wait, and so has all that could depend on it; acknowledgements go on."""
        pending, self._pending = self._pending, None
        if pending is None:
            self.node.wait_for_room(self.connection)
        else:
            pending.wait(self.connection)
        self._set_aside(events[:1])
        self._process(events[1:])

    def _keep_aside(self, events: list[Event]) -> list[Event]:
        """Add to what waits; returns the acknowledgements among these."""
        going: list[Event] = []
        waiting: list[Event] = []
        for event in events:
            if event[0] == ACK or (_settles(event) and "transaction" not in cast("FrameEvent", event)[1].headers):
                going.append(event)
            else:
                waiting.append(event)
        self._set_aside(waiting)
        return going

    def _set_aside(self, events: list[Event]) -> None:
        self._aside += events
        size = sum(map(_size_of, events))
        self._aside_bytes += size
        self.node.pressure.aside_bytes += size

    def _forget_aside(self) -> None:
        if self._aside:
            self._aside = []
            self.node.pressure.aside_bytes -= self._aside_bytes
            self._aside_bytes = 0
            self.node.stop_waiting(self.connection)


def _browsing(subscription: StompSubscription | None) -> StompSubscription:
    """A subscription without messages that are out. Whoever browses may acknowledge what he likes; nobody else can."""
    if subscription is None or not subscription.browses:
        raise StompProtocolError(ErrorCode.UNKNOWN_ACK, "No such message is out on this connection")
    return subscription


def _run(events: list[Event], start: int) -> list[SendEvent]:
    """The SENDs from there on that have the same route; an empty list if it is only one."""
    end = start + 1
    if end == len(events) or events[end][0] != SEND:
        return []
    shared = cast("SendEvent", events[start])[1].shared
    last = min(len(events), start + _RUN_MAX)
    while end < last and (event := events[end])[0] == SEND and event[1].shared is shared:
        end += 1
    return cast("list[SendEvent]", events[start:end]) if end > start + 1 else []


def _settles(event: Event) -> bool:
    """True for an ACK or NACK that is not the plain one."""
    return event[0] == FRAME and event[1].command in ("ACK", "NACK")


def _size_of(event: Event) -> int:
    """What an event takes in memory, roughly. SENDs may share a head; then it is too much, which does no harm."""
    if event[0] == SEND:
        return _EVENT_BYTES + len(event[3]) + 2 * len(event[1].block)
    if event[0] == LARGE_SEND:
        return _EVENT_BYTES + event[3].size + 2 * len(event[1].block)
    if event[0] == FRAME:
        frame = event[1]
        return _EVENT_BYTES + len(frame.body) + sum(len(name) + len(value) for name, value in frame.headers.items())
    return _EVENT_BYTES
