"""What travels: the frames that clients send, as the parser hands them over, and the bytes of the frames that we send.

A message keeps its sender's header lines as bytes from the socket to the disk and out again. They form its *block*: the
lines in the escaping of STOMP 1.2, each ended by LF, without those that are not the receiver's business (`receipt`,
`transaction`, `content-length`) and without those that only a broker may set. A MESSAGE frame is

    MESSAGE LF  subscription, message-id, ack, redelivered, x-delivery-count    (MessageHead, for each delivery)
    block  content-length:N LF  LF  body                                        (the payload: the same for all)
    NUL

so that a delivery to a 1.2 client writes the payload out as it came. For 1.1 and 1.0, `recode_payload` rewrites a block
that has an escape sequence in it; one without reads the same in every version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from segue.protocols.stomp.escaping import Version, escape_name, escape_value, unescape

__all__ = [
    "BROKER_HEADERS",
    "CLIENT_COMMANDS",
    "SERVER_COMMANDS",
    "Frame",
    "MessageHead",
    "SendHead",
    "Version",
    "connected",
    "encode_block",
    "error",
    "leave_out",
    "negotiate",
    "payload_prefix",
    "read_block",
    "receipt_frames",
    "recode_block",
    "recode_payload",
    "replace_header",
    "single_frames",
]

CLIENT_COMMANDS: Final = frozenset(
    {"CONNECT", "STOMP", "SEND", "SUBSCRIBE", "UNSUBSCRIBE", "ACK", "NACK", "BEGIN", "COMMIT", "ABORT", "DISCONNECT"}
)
SERVER_COMMANDS: Final = frozenset({"CONNECTED", "MESSAGE", "RECEIPT", "ERROR"})

# What a sender may not put on the MESSAGE that others receive: they would take it for the broker's word.
BROKER_HEADERS: Final = frozenset(
    {"message-id", "subscription", "ack", "redelivered", "x-delivery-count", "receipt-id", "browser", "retained-topic"}
)
# What is said to the broker alone.
_SENDER_HEADERS: Final = frozenset({"receipt", "transaction", "content-length"})
_RECEIPT: Final = b"RECEIPT\nreceipt-id:%b\n\n\0"
_LEFT_OUT: Final = BROKER_HEADERS | _SENDER_HEADERS


class Frame:
    """A client's frame other than SEND.

    Attributes:
        command: the first line, one of CLIENT_COMMANDS or SERVER_COMMANDS.
        headers: decoded; of a repeated header the first (STOMP 1.2, "Repeated Header Entries").
        body: octets; of the client's commands only SEND has one that means anything.
        receipt: the `receipt` header as it came on the wire, still escaped, to be echoed.
    """

    __slots__ = ("body", "command", "headers", "receipt")

    def __init__(self, command: str, headers: dict[str, str], body: bytes, receipt: bytes | None = None) -> None:
        self.command = command
        self.headers = headers
        self.body = body
        self.receipt = receipt

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frame):
            return NotImplemented
        return (self.command, self.headers, self.body, self.receipt) == (
            other.command,
            other.headers,
            other.body,
            other.receipt,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Frame({self.command!r}, {self.headers!r}, {self.body!r}, {self.receipt!r})"


class SendHead:
    """The head of a SEND frame, shared by all SENDs of a connection that differ only in receipt and body.

    Never changed once made, but for `route`.

    Attributes:
        destination: decoded.
        headers: decoded, the first of repeated ones; without `receipt` and `content-length`, which differ among the
            frames that share this head.
        block: see the module.
        transaction: the transaction's name, decoded.
        route: free for the session, to remember what it found for the destination.
    """

    __slots__ = ("block", "destination", "headers", "route", "transaction")

    def __init__(self, headers: dict[str, str], block: bytes) -> None:
        self.destination: Final = headers["destination"]
        self.headers: Final = headers
        self.block: Final = block
        self.transaction: Final = headers.get("transaction")
        self.route: object | None = None

    @property
    def shared(self) -> SendHead:
        """What it has in common with other heads: all of it. See `IdentifiedHead`."""
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SendHead):
            return NotImplemented
        return self.headers == other.headers and self.block == other.block

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"SendHead({self.headers!r}, {self.block!r})"


def payload_prefix(block: bytes, body_length: int) -> bytes:
    """Return what stands before the body in a message's payload: its block, the length, and a blank line."""
    return b"%bcontent-length:%d\n\n" % (block, body_length)


class MessageHead:
    """What we put before the payload in the MESSAGEs of one subscription.

    Args:
        version: the receiver's.
        subscription_id: the subscription's id, decoded; None for a 1.0 subscription without one.
        acknowledged: the subscription's ack mode is `client` or `client-individual`, so that each MESSAGE to a 1.2
            client carries an `ack` header.
    """

    __slots__ = ("_first", "_later", "_with_ack")

    def __init__(self, version: Version, subscription_id: str | None, acknowledged: bool) -> None:
        start = b"MESSAGE\n"
        if subscription_id is not None:
            start += b"subscription:%b\n" % escape_value(subscription_id, version).encode()
        self._with_ack = acknowledged and version is Version.V1_2
        pattern = start.replace(b"%", b"%%") + b"message-id:%b\n" + (b"ack:%b\n" if self._with_ack else b"")
        self._first = pattern + b"redelivered:false\nx-delivery-count:1\n"
        self._later = pattern + b"redelivered:%b\nx-delivery-count:%d\n"

    def encode(self, message_id: bytes, ack_id: bytes, delivery_count: int, redelivered: bool) -> bytes:
        """Return the head of one delivery; the payload and a NUL complete the frame.

        Args:
            message_id: for the `message-id` header; no octet in it may need escaping.
            ack_id: for the `ack` header, likewise; not used where there is none.
            delivery_count: which delivery of the message this is, from 1.
            redelivered: the receiver may have seen the message before.
        """
        ids = (message_id, ack_id) if self._with_ack else (message_id,)
        if delivery_count == 1 and not redelivered:
            return self._first % ids
        return self._later % (*ids, b"true" if redelivered else b"false", delivery_count)


def connected(
    version: Version,
    *,
    session: str,
    server: str,
    heart_beat: tuple[int, int],
    response_id: str | None = None,
) -> bytes:
    """Return a CONNECTED frame.

    Args:
        version: what was negotiated.
        session: the session's id.
        server: name and version of the server.
        heart_beat: milliseconds: what we guarantee to send at, what we want to receive at; 0 is "not at all".
        response_id: the client's `request-id` (an extension of ActiveMQ).
    """
    lines = [("version", version.text), ("heart-beat", f"{heart_beat[0]},{heart_beat[1]}")]
    lines += [("session", session), ("server", server)]
    if response_id is not None:
        lines.append(("response-id", response_id))
    # "The CONNECT and CONNECTED frames do not escape" (STOMP 1.2): written as in 1.0, whatever was negotiated.
    return b"CONNECTED\n" + _lines(lines, Version.V1_0) + b"\n\0"


def receipt_frames(receipt_ids: Sequence[bytes]) -> bytes:
    """Return a RECEIPT frame for each `receipt` header as it came, still escaped."""
    return b"".join([_RECEIPT % receipt_id for receipt_id in receipt_ids])


def single_frames(written: bytes) -> list[bytes]:
    """Frames one by one, of what is written in one piece: a frame, or RECEIPTs, which have no body."""
    if not written.startswith(b"RECEIPT\n"):
        return [written]
    return [frame + b"\0" for frame in written[:-1].split(b"\0")]


def error(failure: StompProtocolError, version: Version | None) -> bytes:
    """Return an ERROR frame.

    Args:
        failure: what happened; its texts are the ones that the peer gets.
        version: what was negotiated, None when it has not come to that.
    """
    body = failure.body.encode(errors="replace")
    head = [("message", failure.message), ("error-code", failure.code.code), *failure.headers]
    head += [("content-type", "text/plain"), ("content-length", str(len(body)))]
    receipt_line = b"" if failure.receipt_id is None else b"receipt-id:%b\n" % failure.receipt_id
    lines = _lines(head, Version.V1_0 if version is None else version)
    return b"ERROR\n" + receipt_line + lines + b"\n" + body + b"\0"


def negotiate(accept_version: str | None) -> Version:
    """Choose the highest version that both sides speak.

    Args:
        accept_version: the header of CONNECT: versions separated by commas, in any order; None when there is none,
            which means 1.0 (STOMP 1.1, "Protocol Negotiation").

    Raises:
        StompProtocolError: there is none in common; the ERROR lists ours in its `version` header.
    """
    if accept_version is None:
        return Version.V1_0
    wanted = {item.strip(" \t") for item in accept_version.split(",")}
    common = [version for version in Version if version.text in wanted]
    if common:
        return max(common)
    ours = ",".join(version.text for version in Version)
    raise StompProtocolError(ErrorCode.VERSION_MISMATCH, f"Supported versions are {ours}", headers=(("version", ours),))


def encode_block(headers: Iterable[tuple[str, str]]) -> bytes:
    """Return the block of a message whose headers are given, decoded; what may not travel with it is left out."""
    return _lines([pair for pair in headers if pair[0] not in _LEFT_OUT], Version.V1_2)


def read_block(block: bytes) -> list[tuple[str, str]]:
    """Return the headers in a block, decoded, as (name, value) in their order."""
    lines = block.decode().split("\n")[:-1]
    pairs = (line.partition(":") for line in lines)
    return [(unescape(name, Version.V1_2), unescape(value, Version.V1_2)) for name, _, value in pairs]


def replace_header(block: bytes, name: str, value: str) -> bytes:
    """Return the block with the value of one header changed, or with the header added behind the others."""
    headers = dict(read_block(block))
    headers[name] = value
    return _lines(list(headers.items()), Version.V1_2)


def leave_out(block: bytes, names: Collection[str]) -> bytes:
    """Return the block without some headers."""
    return _lines([header for header in read_block(block) if header[0] not in names], Version.V1_2)


def recode_block(block: bytes, version: Version) -> bytes:
    """Return a block in the escaping of another version.

    What that version cannot say becomes a space: a line feed for 1.0, a carriage return for 1.1 and 1.0, and for 1.0 a
    colon in a name.
    """
    if version is Version.V1_2 or b"\\" not in block:
        return block
    return _lines(read_block(block), version)


def recode_payload(payload: bytes, version: Version) -> bytes:
    """Return a message's payload (block, `content-length`, blank line, body) as a receiver of `version` reads it."""
    if version is Version.V1_2:
        return payload
    head_end = payload.index(b"\n\n") + 1
    if payload.find(b"\\", 0, head_end) < 0:
        return payload
    return recode_block(payload[:head_end], version) + payload[head_end:]


def _lines(headers: Sequence[tuple[str, str]], version: Version) -> bytes:
    text = "".join([f"{name}:{value}\n" for name, value in headers])
    # Nothing to escape, as nearly always, if every line has one colon and there is none of the other octets.
    plain = text.count(":") == text.count("\n") == len(headers)
    if not plain or "\\" in text or "\r" in text or "\0" in text:
        text = "".join([f"{escape_name(name, version)}:{escape_value(value, version)}\n" for name, value in headers])
    return text.encode(errors="replace")
