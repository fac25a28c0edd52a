"""The ways of SENDs that are not plain: in a transaction, at most once, later, to be retained, or as an order.

Which one a head takes is found once (publishing.py). Whoever sends thousands of messages one behind the other sends
them on one way; where it can, a way takes a run of them together, for half of what they cost one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeAlias

from segue.broker.deduplication import Acceptance, Identity, OnceSend, OnceTarget
from segue.broker.errors import BrokerError
from segue.broker.queue import Queue
from segue.broker.retained.retaining_topic import RetainingTopic
from segue.broker.schedule.delayed import Delayed
from segue.broker.transaction import Target
from segue.protocols.stomp.events import SendEvent
from segue.protocols.stomp.failures import as_protocol_error
from segue.protocols.stomp.frames import SendHead, receipt_frames
from segue.protocols.stomp.identity import answer, answers_to_new
from segue.protocols.stomp.scheduler_management import SchedulerManagement
from segue.protocols.stomp.transactions import open_transaction
from segue.protocols.stomp.varying_head import VaryingHead

if TYPE_CHECKING:
    from segue.protocols.stomp.session import StompSession

__all__ = ["Directly", "InTransaction", "Later", "Once", "Ordering", "Retaining", "Way"]

_Head: TypeAlias = SendHead | VaryingHead


class Way(Protocol):
    """See the module."""

    def send(self, record: bytes, head: _Head, receipt: bytes | None) -> bytes | None:
        """Send one message.

        Args:
            record: the message.
            head: of its frame.
            receipt: as it came; None if none is wanted.

        Returns:
            The receipt with the header lines that stand behind it; None if none is due with what was done so far.

        Raises:
            BrokerError, StompProtocolError: it can't be accepted.
            RecallPendingError: nothing has happened; the same call is to be made again.
        """

    @property
    def takes_runs(self) -> bool:
        """True when `send_run` may be tried."""

    def send_run(self, records: list[bytes], run: Sequence[SendEvent]) -> list[bytes] | None:
        """Send several messages that came one behind the other.

        Returns:
            The receipts that are due; None if they have to be sent one by one, and nothing has happened.

        Raises:
            BrokerError, RecallPendingError: as `send`; nothing has happened.
        """


class _OneByOne:
    """A way that has nothing to gain from runs."""

    __slots__ = ()
    takes_runs = False

    def send_run(self, records: list[bytes], run: Sequence[SendEvent]) -> list[bytes] | None:
        """See `Way`."""
        return None


class Directly:
    """To the target, as a plain message: only the head is not plain, as it has values of its own."""

    __slots__ = ("_publish", "takes_runs")

    def __init__(self, publish: Callable[[bytes], object], *, refuses: bool) -> None:
        """`refuses`: the target may refuse a message, so that it has to be known which one it was."""
        self._publish = publish
        self.takes_runs = not refuses

    def send(self, record: bytes, head: _Head, receipt: bytes | None) -> bytes | None:
        """See `Way`."""
        self._publish(record)
        return receipt

    def send_run(self, records: list[bytes], run: Sequence[SendEvent]) -> list[bytes] | None:
        """See `Way`."""
        for record in records:
            self._publish(record)
        return [receipt for _, _, receipt, _ in run if receipt is not None]


class Once:
    """To a target that knows repeats."""

    __slots__ = ("_identity", "_message_prefix", "_target")

    def __init__(self, target: OnceTarget, identity: Identity, message_prefix: bytes) -> None:
        """`identity`: of the head, or of its kind; `message_prefix`: what ids of the target's messages begin with."""
        self._target = target
        self._identity = identity
        self._message_prefix = message_prefix

    def send(self, record: bytes, head: _Head, receipt: bytes | None) -> bytes | None:
        """See `Way`."""
        acceptance = self._target.publish_once(identity_in(head, self._identity), record)
        return None if receipt is None else answer(receipt, self._message_prefix, acceptance)

    @property
    def takes_runs(self) -> bool:
        """See `Way`."""
        return isinstance(self._target, Queue) and not self._target.refuses

    def send_run(self, records: list[bytes], run: Sequence[SendEvent]) -> list[bytes] | None:
        """See `Way`."""
        shared = run[0][1]
        if not isinstance(shared, VaryingHead) or shared.shared.identity_at < 0:
            return None  # each is a repeat of the one before
        assert isinstance(self._target, Queue)
        at = shared.shared.identity_at
        values = [head.values[at] for _, head, _, _ in run if isinstance(head, VaryingHead)]
        seqs = self._target.publish_new(self._identity, values, records)
        if seqs is None:
            return None
        receipts = [receipt for _, _, receipt, _ in run]
        return answers_to_new(receipts, self._message_prefix, seqs, values if self._identity.is_numbered else None)


class Later:
    """Into the schedule; the receipt names the message there."""

    __slots__ = ("_target",)
    takes_runs = True

    def __init__(self, target: Delayed) -> None:
        self._target = target

    def send(self, record: bytes, head: _Head, receipt: bytes | None) -> bytes | None:
        """See `Way`."""
        slot = self._target.slot()
        seq = slot.accept(record)
        return None if receipt is None else b"%b\nschedule-id:%b%d" % (receipt, slot.names, seq)

    def send_run(self, records: list[bytes], run: Sequence[SendEvent]) -> list[bytes] | None:
        """See `Way`."""
        slot = self._target.slot()
        names, first = slot.names, slot.accept_all(records)
        return [
            b"%b\nschedule-id:%b%d" % (receipt, names, seq)
            for seq, (_, _, receipt, _) in enumerate(run, first)
            if receipt is not None
        ]


class Retaining(_OneByOne):
    """To a topic that keeps the last message, if there is room for that."""

    __slots__ = ("_publish", "_target")

    def __init__(self, target: RetainingTopic, publish: Callable[[bytes], object]) -> None:
        self._target = target
        self._publish = publish

    def send(self, record: bytes, head: _Head, receipt: bytes | None) -> bytes | None:
        """See `Way`."""
        self._target.check_room(1, len(record))
        self._publish(record)
        return receipt


class InTransaction(_OneByOne):
    """Into an open transaction; receipts come with that of its COMMIT, and by then it is known what to say in them."""

    __slots__ = ("_message_prefix", "_once", "_publish", "_stomp", "_target")

    def __init__(
        self,
        stomp: StompSession,
        target: Target,
        publish: Callable[[bytes], object],
        once: tuple[OnceTarget, Identity] | None,
        message_prefix: bytes,
    ) -> None:
        """`once`: the target and the identity, as for `Once`; None where there is no identity."""
        self._stomp = stomp
        self._target = target
        self._publish = publish
        self._once = once
        self._message_prefix = message_prefix

    def send(self, record: bytes, head: _Head, receipt: bytes | None) -> bytes | None:
        """See `Way`."""
        session = self._stomp.session
        assert session is not None
        assert head.transaction is not None
        transaction = open_transaction(session, head.transaction)
        publish, receipts = self._publish, transaction.receipts
        place = len(receipts)

        def tell(acceptance: Acceptance) -> None:
            if receipt is not None:
                receipts[place] = answer(receipt, self._message_prefix, acceptance)

        if self._once is not None:
            target, identity = self._once
            publish = OnceSend(target, identity_in(head, identity), tell)
        transaction.send(self._target, publish, record)
        if receipt is not None:
            receipts.append(receipt)
        return None


class Ordering(_OneByOne):
    """Not a message at all, but an order to the schedule; its receipt comes when it is carried out."""

    __slots__ = ("_stomp", "_target")

    def __init__(self, stomp: StompSession, target: SchedulerManagement) -> None:
        self._stomp = stomp
        self._target = target

    def send(self, record: bytes, head: _Head, receipt: bytes | None) -> bytes | None:
        """See `Way`."""
        self._stomp.connection.start(partial(self._carry_out, receipt))
        return None

    async def _carry_out(self, receipt: bytes | None) -> None:
        """Its receipt may come behind those of later frames: others need not wait for a walk over what is scheduled."""
        try:
            await self._target.carry_out()
        except BrokerError as failure:
            self._stomp.fail(as_protocol_error(failure))
        else:
            if receipt is not None and not self._stomp.finished:
                self._stomp.put(receipt_frames([receipt]))
        self._stomp.node.end_step()


def identity_in(head: _Head, identity: Identity) -> Identity:
    """The identity of one message, of which the head's route knows the kind, or all."""
    if isinstance(head, VaryingHead) and head.shared.identity_at >= 0:
        return identity.another(head.values[head.shared.identity_at])
    return identity
