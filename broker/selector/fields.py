"""The header fields of JMS, and which header of a STOMP message each of them is.

A selector of JMS may refer to six fields (Jakarta Messaging 3.1, section 3.8.1.1); ActiveMQ knows some more, of which
those are taken that a message has from its publisher. What changes from one delivery to the next is refused: a selector
chooses among messages that wait, and a message that matches only after somebody else had it would be found by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = ["FIELDS", "REFUSED", "FieldRule", "is_reserved"]


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How a field is read.

    Attributes:
        header: the name in STOMP.
        default: what a message without that header has.
        convert: from STOMP's value to JMS's; None if they are the same.
    """

    header: str
    default: str | None = None
    convert: Callable[[str], str] | None = None


def _delivery_mode(persistent: str) -> str:
    return "NON_PERSISTENT" if persistent.lower() == "false" else "PERSISTENT"


# The defaults are those that a message has in JMS (priority, expiration) and in Segue (persistent).
FIELDS: Final[Mapping[str, FieldRule]] = MappingProxyType(
    {
        "JMSCorrelationID": FieldRule("correlation-id"),
        "JMSDeliveryMode": FieldRule("persistent", default="true", convert=_delivery_mode),
        "JMSDestination": FieldRule("destination"),
        "JMSExpiration": FieldRule("expires", default="0"),
        "JMSPriority": FieldRule("priority", default="4"),
        "JMSReplyTo": FieldRule("reply-to"),
        "JMSTimestamp": FieldRule("timestamp"),
        "JMSType": FieldRule("type"),
    }
)

REFUSED: Final = frozenset(
    {
        *("JMSDeliveryTime", "JMSMessageID", "JMSRedelivered"),
        *("JMSXConsumerTXID", "JMSXDeliveryCount", "JMSXRcvTimestamp", "JMSXState"),
        *("message-id", "redelivered", "x-delivery-count"),
    }
)
"""Fields and headers that are set at a delivery, or that no message of STOMP has: to select by them would select
nothing, without a word. The message id is among them, as it says by which queue or subscription a message came."""


def is_reserved(name: str) -> bool:
    """Whether a name is not simply a header's. `JMSX…` and `JMS_…` are properties, named alike in STOMP."""
    return name in REFUSED or (name.startswith("JMS") and not name.startswith(("JMSX", "JMS_")))
