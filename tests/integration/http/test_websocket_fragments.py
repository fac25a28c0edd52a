"""However a client cuts and frames it, the same conversation takes place: in the manner of the Autobahn test suite."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.events import BytesMessage, Event, Ping, Pong, TextMessage

from tests.helpers.broker_process import BrokerProcess
from tests.helpers.stomp_frames import encode_frame
from tests.helpers.websocket_client import WebSocketClient

BODIES = st.lists(
    st.one_of(st.binary(max_size=40), st.text(max_size=20).map(str.encode), st.just(b"x" * 70_000)), max_size=4
)
SIZES = st.lists(st.integers(0, 60), max_size=12)
CONTROLS = st.sampled_from([None, None, None, Ping(payload=b"p"), Pong(payload=b"q")])
_queues = itertools.count(1)


def conversation(queue: str, bodies: Sequence[bytes]) -> list[bytes]:
    """Log in, publish, consume, publish in a transaction, and leave; each frame asks for a receipt."""
    login = {"accept-version": "1.2", "login": "guest", "passcode": "guest"}
    frames = [encode_frame("CONNECT", login.items()), b"\n"]
    publish = [
        {"destination": queue, "receipt": f"p-{number}", "content-length": str(len(body))}
        for number, body in enumerate(bodies)
    ]
    frames += [encode_frame("SEND", headers.items(), body) for headers, body in zip(publish, bodies, strict=True)]
    frames.append(encode_frame("SUBSCRIBE", {"destination": queue, "id": "größe", "receipt": "s"}.items()))
    frames.append(encode_frame("BEGIN", {"transaction": "t"}.items()))
    frames.append(encode_frame("SEND", {"destination": queue, "transaction": "t"}.items(), "größer".encode()))
    frames.append(encode_frame("COMMIT", {"transaction": "t", "receipt": "c"}.items()))
    return frames


def messages(frames: list[bytes], sizes: list[int], data: st.DataObject) -> list[Event]:
    """The octets of the frames as messages: of any size, of one fragment or many, pings and pongs in between."""
    octets, events = b"".join(frames), []
    cuts = [*itertools.accumulate(sizes, initial=0), len(octets)]
    for start, end in itertools.pairwise(cuts):
        whole = octets[start:end]
        fragments = data.draw(st.integers(1, 3))
        step = len(whole) // fragments + 1
        pieces = [whole[at * step : (at + 1) * step] for at in range(fragments)]
        is_text = is_text_everywhere(pieces) and data.draw(st.booleans())
        for number, piece in enumerate(pieces):
            finished = number == fragments - 1
            message: Event = BytesMessage(piece, message_finished=finished)
            if is_text:
                message = TextMessage(piece.decode(), message_finished=finished)
            events += [message, control] if (control := data.draw(CONTROLS)) else [message]
    return events


def is_text_everywhere(pieces: list[bytes]) -> bool:
    """Wsproto's client wants text in whole characters."""
    try:
        for piece in pieces:
            piece.decode()
    except UnicodeDecodeError:
        return False
    return True


@settings(max_examples=60)
@given(bodies=BODIES, sizes=SIZES, reads=SIZES, data=st.data())
def test_any_fragments_are_the_same_conversation(
    module_broker: BrokerProcess, bodies: list[bytes], sizes: list[int], reads: list[int], data: st.DataObject
) -> None:
    queue = f"/queue/fragments-{next(_queues)}"
    with socket.create_connection(module_broker.http_address, timeout=60) as connected:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = WebSocketClient(connected)
        events = messages(conversation(queue, bodies), sizes, data)
        octets = b"".join([client.wsproto.send(event) for event in events])
        for start, end in itertools.pairwise([*itertools.accumulate(reads, initial=0), len(octets)]):
            client.write(octets[start:end])
        heard = [client.frame() for _ in range(2 * len(bodies) + 4)]
    assert [frame["receipt-id"] for frame in heard if frame.command == "RECEIPT"] == [
        *[f"p-{number}" for number in range(len(bodies))],
        "s",
        "c",
    ]
    assert [frame.body for frame in heard if frame.command == "MESSAGE"] == [*bodies, "größer".encode()]
    assert heard[0].command == "CONNECTED"
