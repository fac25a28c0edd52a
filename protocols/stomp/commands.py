"""What STOMP frames other than plain SEND and ACK do: login, transactions, rarer acknowledgements."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from segue.broker.errors import BrokerError
from segue.broker.users import AuthenticationFailed, User
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, quote
from segue.protocols.stomp.failures import as_protocol_error
from segue.protocols.stomp.frames import Frame, Version, connected
from segue.protocols.stomp.headers import (
    AckMode,
    AckOptions,
    ConnectOptions,
    read_ack,
    read_connect,
    required,
)
from segue.protocols.stomp.heart_beat import negotiate_heart_beat
from segue.protocols.stomp.publishing import Publishing
from segue.protocols.stomp.state import Action, Signal
from segue.protocols.stomp.subscribing import Subscribing
from segue.protocols.stomp.subscription import StompSubscription, read_delivery
from segue.protocols.stomp.targets import Targets
from segue.protocols.stomp.transactions import open_transaction

if TYPE_CHECKING:
    from segue.broker.session import Session
    from segue.protocols.stomp.session import StompSession

__all__ = ["Commands", "as_protocol_error"]


class Commands:
    """The commands of one connection.

    Attributes:
        subscribing: SUBSCRIBE and UNSUBSCRIBE.
        publishing: SEND beyond the plain case.
    """

    def __init__(self, stomp: StompSession) -> None:
        self._stomp = stomp
        self._node = stomp.node
        targets = Targets(stomp)
        self.subscribing: Final[Subscribing] = Subscribing(stomp, targets)
        self.publishing = Publishing(stomp, targets, self.subscribing)

    def carry_out(self, action: Action, frame: Frame, receipts: list[bytes]) -> bytes | None:
        """Do what a frame asks; returns the receipt that is due for it now, if any.

        Raises:
            StompProtocolError, BrokerError: it can't be done.
        """
        if action in (Action.ACKNOWLEDGE, Action.RETURN):
            return self._acknowledge(frame, returning=action is Action.RETURN)
        if action is Action.COMMIT:
            receipts += self._session.commit(self._transaction_name(frame)).receipts
        else:
            _ACTIONS[action](self, frame)
        return frame.receipt

    def commit_publishes(self, frame: Frame) -> bool:
        """True when a COMMIT would add messages, and not only settle some."""
        name = frame.headers.get("transaction", "")
        return self._session.has_transaction(name) and self._session.transaction(name).publishes

    @property
    def _session(self) -> Session:
        session = self._stomp.session
        assert session is not None
        return session

    # -- login

    def _log_in(self, frame: Frame) -> None:
        options = read_connect(frame.headers)
        if options.host is not None and options.host.startswith("/") and options.host != "/":
            raise StompProtocolError(ErrorCode.BAD_CONNECT, f"Virtual host '{quote(options.host)}' access denied")
        stomp = self._stomp
        stomp.version = options.version
        login, passcode = options.login or "", options.passcode or ""
        user = stomp.frontend.users.recall(login, passcode, peer_is_loopback=stomp.connection.peer_is_loopback)
        if user is None:
            stomp.login = partial(self._authenticate, options, login, passcode)
        else:
            self._accept(options, user.name)

    async def _authenticate(self, options: ConnectOptions, login: str, passcode: str) -> None:
        stomp = self._stomp
        users, is_loopback = stomp.frontend.users, stomp.connection.peer_is_loopback

        def check() -> User | None:
            try:
                return users.authenticate(login, passcode, peer_is_loopback=is_loopback)
            except AuthenticationFailed:
                return None  # an error that is raised again in the task refers to itself by its traceback

        user = await trio.to_thread.run_sync(check, limiter=stomp.frontend.login_limiter)
        if user is None:
            stomp.fail(StompProtocolError(ErrorCode.BAD_CONNECT, f"Access refused for user '{quote(login)}'"))
            return
        try:
            self._accept(options, user.name)
        except BrokerError as failure:
            stomp.fail(as_protocol_error(failure))

    def _accept(self, options: ConnectOptions, user: str) -> None:
        stomp = self._stomp
        if stomp.finished:
            return
        session = self._node.open_session(user, stomp.connection.peer, "stomp", stomp.connection)
        session.client_id = options.client_id or ""
        self.subscribing.client_id = options.client_id
        stomp.session, stomp.session_id = session, session.id
        stomp.state.signal(Signal.ACCEPTED)
        stomp.frontend.logged_in(stomp)
        minimum, maximum = stomp.frontend.heart_beat_bounds
        # STOMP 1.0 has no heart-beats; clients that speak all versions send the header before they know.
        offered = (0, 0) if options.version is Version.V1_0 else options.heart_beat
        stomp.beat = negotiate_heart_beat(offered, minimum, maximum)
        stomp.put(
            connected(
                options.version,
                session=f"{session.id}",
                server=stomp.frontend.server_name,
                heart_beat=(minimum, minimum) if offered != (0, 0) else (0, 0),
                response_id=options.request_id,
            )
        )
        stomp.deadline_changed()
        stomp.resume_input()

    # -- acknowledgements

    def _acknowledge(self, frame: Frame, *, returning: bool) -> bytes | None:
        options = read_ack(frame.headers, self._stomp.version, frame.command)
        transaction = None if options.transaction is None else open_transaction(self._session, options.transaction)
        sink, seq, delivery = self._find_message(options)
        of_node = sink.of_node
        if of_node is None or not sink.settles:
            return frame.receipt  # harmless: nothing waits for it
        consumer = of_node.consumer
        seqs = consumer.up_to(seq, delivery) if sink.mode is AckMode.CLIENT else consumer.just(seq, delivery)
        if transaction is not None:
            if returning and options.requeue:
                if options.delay_ms:
                    self._session.open_redelivery(consumer)
                transaction.reject(consumer, seqs, options.delay_ms)
            elif returning:
                transaction.refuse(consumer, seqs)
            else:
                transaction.acknowledge(consumer, seqs)
            if frame.receipt is not None:
                transaction.receipts.append(frame.receipt)
            return None
        if returning and options.requeue:
            self._session.give_back(consumer, seqs, options.delay_ms)
        elif returning:
            self._session.refuse(consumer, seqs)
        else:
            consumer.acknowledge_all(seqs)
            consumer.settle()
        return frame.receipt

    def _find_message(self, options: AckOptions) -> tuple[StompSubscription, int, int]:
        """The subscription, the sequence number and which delivery of it; 0 where the client can't say."""
        if options.ack_id is not None:
            number, _, rest = options.ack_id.partition("-")
            sink = self._stomp.subscriptions.get(number.encode())
            if sink is not None:
                return (sink, 0, 0) if sink.browses else (sink, *read_delivery(rest.encode()))
        elif options.message_id is not None:
            for sink in self.subscribing.candidates(options):
                if sink.holds(options.message_id):
                    return sink, int(options.message_id.rpartition("-")[2]) if sink.settles else 0, 0
        what = options.ack_id if options.ack_id is not None else options.message_id
        raise StompProtocolError(ErrorCode.UNKNOWN_ACK, f"Message '{quote(what or '')}' is not out on this connection")

    # -- transactions

    def _begin(self, frame: Frame) -> None:
        name = self._transaction_name(frame)
        if self._session.has_transaction(name):
            raise StompProtocolError(ErrorCode.DUPLICATE_TRANSACTION, f"Transaction '{quote(name)}' is open already")
        self._session.begin(name)

    def _abort(self, frame: Frame) -> None:
        self._session.abort(self._transaction_name(frame))

    def _transaction_name(self, frame: Frame) -> str:
        name = required(frame.headers, "transaction", frame.command)
        if frame.command != "BEGIN":
            open_transaction(self._session, name)
        return name

    # -- the end

    def _say_goodbye(self, frame: Frame) -> None:
        self._stomp.connection.reason = "disconnected"
        self._stomp.finish()

    def _ignore(self, frame: Frame) -> None:
        """Nothing that comes behind the last word is acted on."""


# Not bound methods in each connection's own table: those refer back to it, so that only the garbage collector, which
# comes by seldom, would free a connection that is gone; and they are a KiB for each that is idle.
_ACTIONS: Final[dict[Action, Callable[[Commands, Frame], None]]] = {
    Action.LOG_IN: Commands._log_in,
    Action.SUBSCRIBE: lambda commands, frame: commands.subscribing.subscribe(frame),
    Action.UNSUBSCRIBE: lambda commands, frame: commands.subscribing.unsubscribe(frame),
    Action.BEGIN: Commands._begin,
    Action.ABORT: Commands._abort,
    Action.SAY_GOODBYE: Commands._say_goodbye,
    Action.IGNORE: Commands._ignore,
}
