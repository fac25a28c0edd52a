"""Once-only publishing: what queues remember of their publishers, so that whoever repeats himself adds nothing."""

from segue.broker.deduplication.acceptance import LATER, Acceptance, RecallPendingError
from segue.broker.deduplication.identity import DeduplicationId, Identity, OnceSend, OnceTarget, ProducerNumber
from segue.broker.deduplication.memory import COMPANION_KIND, DeduplicationMemory
from segue.broker.deduplication.queue import QueueDeduplication

__all__ = [
    "COMPANION_KIND",
    "LATER",
    "Acceptance",
    "DeduplicationId",
    "DeduplicationMemory",
    "Identity",
    "OnceSend",
    "OnceTarget",
    "ProducerNumber",
    "QueueDeduplication",
    "RecallPendingError",
]
