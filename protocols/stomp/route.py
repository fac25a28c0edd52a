"""What a session remembers of a SEND head: where such messages go, and how their records begin.

A producer sends thousands of messages with the same head. The first one finds the destination and builds the bytes
that all have in common; the rest cost a lookup.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from segue.broker.expiry import NEVER
from segue.broker.message import PERSISTENT, encode, encode_pieces, prefix
from segue.broker.transaction import Target as TransactionTarget
from segue.protocols.stomp.body import LargeBody
from segue.protocols.stomp.events import SEND, SendEvent
from segue.protocols.stomp.frames import SendHead, payload_prefix
from segue.protocols.stomp.varying_head import GAP, VaryingHead, escaped

if TYPE_CHECKING:
    from segue.protocols.stomp.ways import Way

__all__ = ["Route", "Target"]

_COMMONS_MAX = 256


class Target(TransactionTarget, Protocol):
    """A queue, a topic, or a list of these."""

    def note_expiring(self) -> None:
        """A message with a deadline is about to be published."""

    def note_grouped(self) -> None:
        """A message that belongs to a group is about to be published."""

    def publish(self, record: bytes) -> object:
        """Accept a message."""


class Route:
    """For one head on one connection.

    Attributes:
        step: the read that it was last looked at in: a target may be deleted between two reads, not within one.
        version: of the node's routes, when it was found: a target may have begun to refuse since.
        publish: takes a record.
        way: how messages get there for which it is not enough to publish a `record`; None for plain ones.
        commons: for each length of body, what `segue.broker.message.encode` wants; valid for one `now_ms`.
        visible_ms: when a message that is accepted at a time can be delivered; None for at once.
    """

    __slots__ = (
        "_block",
        "_expires_ms",
        "_flags",
        "_lives_ms",
        "_now_ms",
        "_varying",
        "commons",
        "persistent",
        "publish",
        "step",
        "target",
        "version",
        "visible_ms",
        "way",
    )

    def __init__(
        self,
        target: Target,
        publish: Callable[[bytes], object],
        block: bytes,
        *,
        persistent: bool = True,
        expires_ms: int = 0,
        lives_ms: int | None = None,
    ) -> None:
        """`expires_ms`: when these messages expire, 0 for never; `lives_ms`: how long they live when visible."""
        self.target = target
        self.publish = publish
        self.way: Way | None = None
        self.persistent = persistent
        self.visible_ms: Callable[[int], int] | None = None
        self.step = 0
        self.version = 0
        self.commons: dict[int, tuple[bytes, int]] = {}
        self._varying: dict[tuple[int, int], tuple[bytes, int, bytes, bytes]] = {}
        self._block = block
        self._flags = PERSISTENT if persistent else 0
        self._now_ms = 0
        self._expires_ms = expires_ms
        self._lives_ms = lives_ms

    def refresh(self, step: int, now_ms: int) -> None:
        """A new read has begun."""
        self.step = step
        if now_ms != self._now_ms:
            self._now_ms = now_ms
            self.commons.clear()
            self._varying.clear()

    def has_consumers(self) -> bool:
        """True when somebody may wait for these messages."""
        dispatcher = getattr(self.target, "dispatcher", None)
        return dispatcher is None or bool(dispatcher.consumers)

    def record(self, head: SendHead | VaryingHead, body: bytes) -> bytes:
        """A message with one of the heads that have this route. The session's loop makes plain ones by itself."""
        return self.records([(SEND, head, None, body)])[0]

    def records(self, run: Sequence[SendEvent]) -> list[bytes]:
        """Messages with such heads that came one behind the other; either all of these heads vary, or none does."""
        records: list[bytes] = []
        if run and not isinstance(run[0][1], VaryingHead):
            for _, _, _, body in run:
                common, crc = self.commons.get(len(body)) or self.common(len(body))
                records.append(encode(common, crc, body))
            return records
        known = self._varying.get
        for _, head, _, body in run:
            values: tuple[bytes, ...] = head.values  # type: ignore[union-attr]
            filled = values[0] if len(values) == 1 else b"".join(values)
            if b":" in filled:
                values = tuple(map(escaped, values))
                filled = b"".join(values)
            start, crc, rest, template = known((len(filled), len(body))) or self._vary(len(filled), len(body))
            if template:
                records.append(encode(start, crc, template % values + body))
            else:
                records.append(encode(start, crc, filled + rest + body))
        return records

    def large_record(self, body: LargeBody) -> bytes:
        """A message with a large body, which is copied once for it."""
        common, crc = self.common(body.size)
        return encode_pieces(common, crc, body.pieces, body.crc)

    def common(self, body_length: int) -> tuple[bytes, int]:
        """The bytes that messages with this head and length of body have in common, and the checksum over them."""
        if len(self.commons) >= _COMMONS_MAX:
            self.commons.clear()
        common = self.commons[body_length] = self._prefix(payload_prefix(self._block, body_length))
        return common

    def _vary(self, values_length: int, body_length: int) -> tuple[bytes, int, bytes, bytes]:
        """What stands before the first value in a record, and the checksum so far; the other headers.

        These are what follows the value where there is one, or a template for several.
        """
        if len(self._varying) >= _COMMONS_MAX:
            self._varying.clear()
        before, *between = payload_prefix(self._block, body_length).split(GAP)
        start, crc = self._prefix(before, values_length + sum(map(len, between)))
        template = b"".join([b"%b" + piece.replace(b"%", b"%%") for piece in between]) if len(between) > 1 else b""
        common = self._varying[values_length, body_length] = start, crc, between[0], template
        return common

    def _prefix(self, headers: bytes, headers_more: int = 0) -> tuple[bytes, int]:
        visible_ms = self._now_ms if self.visible_ms is None else self.visible_ms(self._now_ms)
        expires_ms = self._expires_ms
        if self._lives_ms is not None:
            expires_ms = min(expires_ms or NEVER, visible_ms + self._lives_ms)
        return prefix(visible_ms, headers, self._flags, expires_ms, headers_more=headers_more)
