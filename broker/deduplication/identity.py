"""What makes a message a repeat: an id of its own, or the number that its producer gave it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import lt
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from segue.broker.deduplication.acceptance import Acceptance, repeat_of
from segue.broker.deduplication.entries import digest_of, digest_of_octets

if TYPE_CHECKING:
    from segue.broker.deduplication.queue import QueueDeduplication

__all__ = ["DeduplicationId", "Identity", "OnceSend", "OnceTarget", "ProducerNumber"]

_BESIDE: Final = b"beside"
_Remember: TypeAlias = Callable[[Sequence[int]], None]


class Identity(Protocol):
    """One of the two below."""

    def recall(self, remembered: QueueDeduplication) -> Acceptance | None:
        """The answer to a repeat; None when it is none.

        Raises:
            RecallPendingError: that has to be read from disk.
        """

    def remember(self, remembered: QueueDeduplication, seq: int) -> Acceptance:
        """The message was accepted as number `seq`; the answer to it."""

    def publish(self, remembered: QueueDeduplication, accept: Callable[[bytes], int], record: bytes) -> Acceptance:
        """Both: `accept` is called with the record of a message that is no repeat. On the path of every message."""

    def admit(self, remembered: QueueDeduplication, values: Sequence[bytes]) -> _Remember | None:
        """Ask whether several messages are new, which have `another` value each.

        Returns:
            What is to be told their sequence numbers once they are accepted, in the same step; None when one may be a
            repeat, of one of the others too.

        Raises:
            RecallPendingError: that has to be read from disk.
        """

    def another(self, value: bytes) -> Identity:
        """One of the same kind, of the same producer, with another id or number; in ASCII."""

    @property
    def beside(self) -> Identity:
        """One that no publisher gives: for what has to be remembered of the same message besides."""

    @property
    def is_numbered(self) -> bool:
        """True for numbers of producers: the answer tells the last one."""


class DeduplicationId:
    """An id that the publisher gives to a message, and to every repeat of it; of any length."""

    __slots__ = ("_digest",)
    is_numbered = False

    def __init__(self, text: str) -> None:
        self._digest = digest_of(text)

    def recall(self, remembered: QueueDeduplication) -> Acceptance | None:
        """See `Identity`."""
        seq = remembered.window().find(self._digest)
        return repeat_of(seq) if seq else None

    def publish(self, remembered: QueueDeduplication, accept: Callable[[bytes], int], record: bytes) -> Acceptance:
        """See `Identity`."""
        window = remembered.ids
        if window is None:
            window = remembered.window()
        seq = window.find(self._digest)
        if seq:
            return repeat_of(seq)
        seq = accept(record)
        window.remember(self._digest, seq)
        return Acceptance(seq, False)

    def remember(self, remembered: QueueDeduplication, seq: int) -> Acceptance:
        """See `Identity`."""
        remembered.window().remember(self._digest, seq)
        return Acceptance(seq, False)

    def admit(self, remembered: QueueDeduplication, values: Sequence[bytes]) -> _Remember | None:
        """See `Identity`."""
        window = remembered.window()
        digests = [digest_of_octets(value) for value in values]
        return partial(window.remember_all, digests) if window.are_new(digests) else None

    def another(self, value: bytes) -> DeduplicationId:
        """See `Identity`."""
        other = DeduplicationId.__new__(DeduplicationId)
        other._digest = digest_of_octets(value)
        return other

    @property
    def beside(self) -> DeduplicationId:
        """See `Identity`."""
        return self.another(self._digest + _BESIDE)


class ProducerNumber:
    """The number of a message among those of one producer for one queue; 0 only asks for the last one.

    Numbers rise from 1 on, with gaps as the producer likes; one that is not higher than the last is a repeat.
    """

    __slots__ = ("_digest", "_number")
    is_numbered = True

    def __init__(self, producer: str, number: int) -> None:
        self._digest = digest_of(producer)
        self._number = number

    def recall(self, remembered: QueueDeduplication) -> Acceptance | None:
        """See `Identity`."""
        last, seq = remembered.numbers().last(self._digest)
        if self._number > last:
            return None
        return repeat_of(seq if self._number == last else 0, last)

    def publish(self, remembered: QueueDeduplication, accept: Callable[[bytes], int], record: bytes) -> Acceptance:
        """See `Identity`."""
        return self.recall(remembered) or self.remember(remembered, accept(record))

    def remember(self, remembered: QueueDeduplication, seq: int) -> Acceptance:
        """See `Identity`."""
        remembered.numbers().remember(self._digest, self._number, seq)
        return Acceptance(seq, False, self._number)

    def admit(self, remembered: QueueDeduplication, values: Sequence[bytes]) -> _Remember | None:
        """See `Identity`."""
        producers = remembered.numbers()
        numbers = list(map(int, values))
        last, _ = producers.last(self._digest)
        if not (last < numbers[0] and all(map(lt, numbers, numbers[1:]))):
            return None
        return lambda seqs: producers.remember(self._digest, numbers[-1], seqs[-1])

    def another(self, value: bytes) -> ProducerNumber:
        """See `Identity`."""
        other = ProducerNumber.__new__(ProducerNumber)
        other._digest, other._number = self._digest, int(value)
        return other

    @property
    def beside(self) -> ProducerNumber:
        """See `Identity`."""
        other = ProducerNumber.__new__(ProducerNumber)
        other._digest, other._number = digest_of_octets(self._digest + _BESIDE), self._number
        return other


class OnceTarget(Protocol):
    """A queue, or a list of destinations."""

    def recall(self, identity: Identity) -> Acceptance | None:
        """The answer to a repeat; None when it is none."""

    def publish_once(self, identity: Identity, record: bytes) -> Acceptance:
        """Accept a message unless it is a repeat."""


class OnceSend:
    """How a transaction publishes a message with an identity: `told` hears the answer at the commit."""

    __slots__ = ("_identity", "_repeat", "_target", "_told")

    def __init__(self, target: OnceTarget, identity: Identity, told: Callable[[Acceptance], None]) -> None:
        self._target = target
        self._identity = identity
        self._told = told
        self._repeat: Acceptance | None = None

    def __call__(self, record: bytes) -> None:
        """Publish it, unless `is_repeat` has just found that it is one: room was not asked for."""
        self._told(self._repeat or self._target.publish_once(self._identity, record))

    def is_repeat(self) -> bool:
        """True when it would add nothing now.

        Raises:
            RecallPendingError: that has to be read from disk.
        """
        self._repeat = self._target.recall(self._identity)
        return self._repeat is not None
