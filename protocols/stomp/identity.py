"""What makes a SEND a repeat, by its headers; and what its RECEIPT says about that."""

from __future__ import annotations

from collections.abc import Sequence

from segue.broker.deduplication import Acceptance, DeduplicationId, Identity, ProducerNumber
from segue.protocols.stomp.headers import SendOptions

__all__ = ["answer", "answers_to_new", "identity_of"]


def identity_of(options: SendOptions) -> Identity | None:
    """The identity of a message; None when it has none, and every one of its kind is a new one."""
    if options.deduplication_id is not None:
        return DeduplicationId(options.deduplication_id)
    if options.producer_name is not None:
        return ProducerNumber(options.producer_name, options.sequence_id)
    return None


def answer(receipt: bytes, prefix: bytes, acceptance: Acceptance) -> bytes:
    """The `receipt-id` of a RECEIPT with the header lines that stand behind it.

    Args:
        receipt: as it came, still escaped.
        prefix: what the ids of the queue's messages begin with.
        acceptance: what became of the message.
    """
    if acceptance.seq:
        receipt = b"%b\nmessage-id:%b%d" % (receipt, prefix, acceptance.seq)
    if acceptance.schedule_id:
        receipt = b"%b\nschedule-id:%b" % (receipt, acceptance.schedule_id.encode())
    if acceptance.last is not None:
        receipt = b"%b\nsequence-id:%d" % (receipt, acceptance.last)
    return receipt + b"\nduplicate:true" if acceptance.repeat else receipt


def answers_to_new(
    receipts: Sequence[bytes | None], prefix: bytes, seqs: Sequence[int], numbers: Sequence[bytes] | None
) -> list[bytes]:
    """As `answer`, for messages of which none was a repeat; there is none where no receipt is wanted.

    Args:
        receipts: one for each message.
        prefix: see `answer`.
        seqs: their sequence numbers.
        numbers: those that their producer gave them, in digits; None where they have ids.
    """
    if numbers is not None:
        return [
            b"%b\nmessage-id:%b%d\nsequence-id:%d" % (receipt, prefix, seq, int(number))
            for receipt, seq, number in zip(receipts, seqs, numbers, strict=True)
            if receipt is not None
        ]
    return [
        b"%b\nmessage-id:%b%d" % (receipt, prefix, seq)
        for receipt, seq in zip(receipts, seqs, strict=True)
        if receipt is not None
    ]
