"""The table of every header name that means something to us, on which commands, and what we do about it.

Clients were written for many brokers, and send names that each of these gave a meaning. A name that changes how
messages are delivered is either obeyed or answered with an ERROR; it is never passed over in silence. `headers` reads
by this table, and docs/reference/stomp.md is tested against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError, quote

__all__ = ["MEANINGFUL_ON_SEND", "REPLACED_ON_SEND", "RULES", "Rule", "Treatment", "refuse_unsupported"]


class Treatment(Enum):
    """What we do about a header."""

    OBEYED = "obeyed"
    IGNORED = "ignored"
    """It is a hint that changes nothing about what is delivered."""
    REFUSED = "refused"
    """It would change what is delivered, and we can't do that: the client gets an ERROR."""
    REPLACED = "replaced"
    """It is the broker's to set. What a sender puts there is dropped, or refused in the dialect `rabbitmq`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What we do about one header name on certain commands.

    Attributes:
        name: of the header.
        commands: on which the rule holds; elsewhere the header has no meaning, and on SEND it is passed on.
        treatment: what we do.
        harmless: values, in lower case, that ask for nothing; a header that is refused is taken with these.
    """

    name: str
    commands: tuple[str, ...]
    treatment: Treatment
    harmless: tuple[str, ...] = ()


_SEND: Final = ("SEND",)
_SUBSCRIBE: Final = ("SUBSCRIBE",)
_BOTH: Final = ("SEND", "SUBSCRIBE")
_ON_ACK: Final = ("ACK", "NACK")
_ON_CONNECT: Final = ("CONNECT", "STOMP")
_TRANSACTIONAL: Final = ("SEND", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT")


def _rules(treatment: Treatment, commands: tuple[str, ...], *names: str, harmless: tuple[str, ...] = ()) -> list[Rule]:
    return [Rule(name, commands, treatment, harmless) for name in names]


RULES: Final[tuple[Rule, ...]] = (
    *_rules(Treatment.OBEYED, _ON_CONNECT, "accept-version", "host", "login", "passcode", "heart-beat"),
    *_rules(Treatment.OBEYED, _ON_CONNECT, "client-id", "request-id"),
    *_rules(Treatment.OBEYED, ("SEND", "SUBSCRIBE", "UNSUBSCRIBE"), "destination"),
    *_rules(Treatment.OBEYED, _SEND, "content-length", "persistent", "destination-type", "reply-to"),
    *_rules(Treatment.OBEYED, _SEND, "dedup-id", "_AMQ_DUPL_ID", "expires", "expiration", "priority"),
    *_rules(Treatment.OBEYED, _SEND, "retain"),
    *_rules(Treatment.OBEYED, _SEND, "delay", "x-delay", "AMQ_SCHEDULED_DELAY"),
    *_rules(Treatment.OBEYED, _SEND, "AMQ_SCHEDULED_PERIOD", "AMQ_SCHEDULED_REPEAT", "AMQ_SCHEDULED_CRON"),
    *_rules(Treatment.OBEYED, _SEND, "AMQ_SCHEDULER_ACTION", "scheduledJobId", "ACTION_START_TIME", "ACTION_END_TIME"),
    *_rules(Treatment.OBEYED, _SEND, "deliver-at", "AMQ_SCHEDULED_TIME", "_AMQ_SCHED_DELIVERY"),
    *_rules(Treatment.OBEYED, _SEND, "producer-name", "sequence-id"),
    *_rules(Treatment.OBEYED, _TRANSACTIONAL, "transaction"),
    *_rules(Treatment.OBEYED, ("SUBSCRIBE", "UNSUBSCRIBE", *_ON_ACK), "id"),
    *_rules(Treatment.OBEYED, _ON_ACK, "message-id", "subscription"),
    *_rules(Treatment.OBEYED, ("NACK",), "requeue", "delay"),
    *_rules(Treatment.OBEYED, _SUBSCRIBE, "ack", "prefetch-count", "activemq.prefetchSize", "consumer-window-size"),
    *_rules(Treatment.OBEYED, _SUBSCRIBE, "subscription-type", "x-queue-name", "browser"),
    *_rules(Treatment.OBEYED, _SUBSCRIBE, "no-local", "activemq.noLocal"),
    *_rules(Treatment.OBEYED, _SUBSCRIBE, "selector", "activemq.exclusive", "activemq.priority", "x-priority"),
    *_rules(Treatment.OBEYED, _SEND, "JMSXGroupID", "JMSXGroupSeq", "_AMQ_GROUP_ID"),
    *_rules(Treatment.OBEYED, ("SEND", "SUBSCRIBE", "UNSUBSCRIBE"), "durable"),
    *_rules(Treatment.OBEYED, _BOTH, "auto-delete", "exclusive"),
    *_rules(Treatment.OBEYED, _BOTH, "x-dead-letter-queue", "x-delivery-limit", "x-message-ttl"),
    *_rules(Treatment.OBEYED, _BOTH, "x-max-length", "x-max-length-bytes", "x-overflow", "x-expires"),
    *_rules(Treatment.OBEYED, _BOTH, "x-max-priority"),
    *_rules(Treatment.OBEYED, _BOTH, "x-deduplication-window-ms", "x-deduplication-ids-max"),
    *_rules(Treatment.OBEYED, _BOTH, "x-single-active-consumer"),
    *_rules(Treatment.OBEYED, _BOTH, "x-dead-letter-exchange", "x-dead-letter-routing-key"),
    *_rules(Treatment.OBEYED, ("SUBSCRIBE", "UNSUBSCRIBE"), "activemq.subscriptionName"),
    *_rules(Treatment.OBEYED, ("SUBSCRIBE", "UNSUBSCRIBE"), "durable-subscription-name", "durable-subscriber-name"),
    *_rules(Treatment.REPLACED, _SEND, "message-id", "subscription", "ack"),
    *_rules(Treatment.IGNORED, _SUBSCRIBE, "activemq.retroactive", "activemq.dispatchAsync"),
    *_rules(Treatment.IGNORED, _SUBSCRIBE, "activemq.maximumPendingMessageLimit"),
    *_rules(Treatment.REFUSED, _BOTH, "x-queue-type", harmless=("classic", "quorum")),
    *_rules(Treatment.REFUSED, _BOTH, "x-stream-offset", "x-stream-filter", "x-max-age"),
)

_REFUSED: Final = {
    command: {rule.name: rule for rule in RULES if rule.treatment is Treatment.REFUSED and command in rule.commands}
    for command in _BOTH
}
REPLACED_ON_SEND: Final = tuple(rule.name for rule in RULES if rule.treatment is Treatment.REPLACED)
# What has to be looked at beyond the destination; most messages have none of these.
MEANINGFUL_ON_SEND: Final = frozenset(
    rule.name for rule in RULES if "SEND" in rule.commands and rule.name not in ("destination", "content-length")
)


def refuse_unsupported(headers: Mapping[str, str], command: str) -> None:
    """Answer headers that would change what is delivered, and that we can't obey.

    Raises:
        StompProtocolError: NOT_SUPPORTED, naming the first of them.
    """
    rules = _REFUSED[command]
    for name, value in headers.items():
        if name in rules and value.lower() not in rules[name].harmless:
            problem = f"Segue does not have what '{name}:{quote(value)}' asks for on {command}"
            raise StompProtocolError(ErrorCode.NOT_SUPPORTED, problem)
