"""What makes a SEND a repeat, by its headers; and what its RECEIPT says about that."""

from __future__ import annotations

from segue.broker.deduplication import Acceptance, DeduplicationId, Identity, ProducerNumber
from segue.protocols.stomp.headers import SendOptions

__all__ = ["answer", "identity_of"]


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
    if acceptance.last is not None:
        receipt = b"%b\nsequence-id:%d" % (receipt, acceptance.last)
    return receipt + b"\nduplicate:true" if acceptance.repeat else receipt
