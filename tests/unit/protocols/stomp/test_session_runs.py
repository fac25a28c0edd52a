"""SENDs that come one behind the other with heads that differ in values: taken together, they do what each would do."""

from __future__ import annotations

from segue.broker.message import decode
from segue.broker.queue_options import REFUSE, QueueOptions
from tests.helpers.stomp_frames import Frame
from tests.unit.protocols.stomp.actors import Client, StompWorld
from tests.unit.protocols.stomp.session_frames import frame, send

LEARNED = 10
"""Heads after which the parser knows in what they differ."""


def lines_of(world: StompWorld, queue: str = "q") -> list[tuple[str, str]]:
    """Headers, without the length, and body of what is in a queue."""
    found = [decode(record) for record in world.node.queues[queue].log.hot.values()]
    return [(message.headers.decode().partition("content-length")[0], message.body.decode()) for message in found]


def say_ids(client: Client, first: int, end: int, **headers: str) -> None:
    """In one read."""
    client.say(
        *(send(f"{number}", dedup_id=f"i:{number}", receipt=f"r{number}", **headers) for number in range(first, end))
    )


def received(client: Client) -> list[Frame]:
    """The RECEIPTs that have come."""
    found = client.frames()
    assert all(one.command == "RECEIPT" for one in found)
    return found


def receipts(client: Client) -> list[tuple[str, str, bool]]:
    """Id, number of the message, whether it was a repeat."""
    return [
        (found["receipt-id"], found["message-id"].rpartition("-")[2], ("duplicate", "true") in found.headers)
        for found in received(client)
    ]


def test_each_message_keeps_its_own_headers_and_its_place(world: StompWorld, client: Client) -> None:
    say_ids(client, 0, LEARNED)
    say_ids(client, LEARNED, 40)
    expected = [(f"destination:/queue/q\ndedup-id:i\\c{number}\n", f"{number}") for number in range(40)]
    assert lines_of(world) == expected
    assert receipts(client) == [(f"r{number}", f"{number + 1}", False) for number in range(40)]


def test_a_repeat_among_new_messages_is_answered_like_the_first(world: StompWorld, client: Client) -> None:
    say_ids(client, 0, LEARNED)
    received(client)
    twice = [12, 13, 12, 3]
    client.say(*(send("x", dedup_id=f"i:{number}", receipt=f"r{number}") for number in twice))
    assert receipts(client) == [("r12", "11", False), ("r13", "12", False), ("r12", "11", True), ("r3", "4", True)]
    assert len(lines_of(world)) == LEARNED + 2


def test_numbers_of_a_producer_are_answered_each_with_its_own(client: Client) -> None:
    for numbers in (range(1, LEARNED), range(LEARNED, 30), (31, 30, 35)):
        client.say(*(send("x", producer_name="p", sequence_id=number, receipt=number) for number in numbers))
    found = [(answer["receipt-id"], answer["sequence-id"]) for answer in received(client)]
    assert found == [(f"{number}", f"{number}") for number in range(1, 30)] + [("31", "31"), ("30", "31"), ("35", "35")]


def test_frames_that_break_a_run_keep_their_place(world: StompWorld, client: Client) -> None:
    say_ids(client, 0, LEARNED)
    client.commands()
    client.say(
        send("a", dedup_id="a", receipt="1"),
        send("b", dedup_id="b"),
        send("plain", receipt="2"),
        send("c", dedup_id="c", receipt="3"),
        frame("BEGIN", transaction="t", receipt="4"),
        send("d", dedup_id="d", receipt="5"),
        send("e", dedup_id="e", receipt="6"),
    )
    assert [found["receipt-id"] for found in received(client)] == ["1", "2", "3", "4", "5", "6"]
    assert [body for _, body in lines_of(world)][LEARNED:] == ["a", "b", "plain", "c", "d", "e"]


def test_heads_with_values_of_their_own_and_no_identity_are_published_alike(world: StompWorld, client: Client) -> None:
    for first in (0, 20):
        client.say(*(send(f"{number}", trace=f"t{number}", kind="x") for number in range(first, first + 20)))
    expected = [(f"destination:/queue/q\ntrace:t{number}\nkind:x\n", f"{number}") for number in range(40)]
    assert lines_of(world) == expected


def test_replies_go_to_the_queue_of_their_connection_whatever_differs(world: StompWorld, client: Client) -> None:
    for first in (0, 20):
        numbers = range(first, first + 20)
        client.say(*(send("x", reply_to="/temp-queue/r", correlation_id=f"c{number}") for number in numbers))
    heads = [head for head, _ in lines_of(world)]
    assert len({head.partition("reply-to:")[2].partition("\n")[0] for head in heads}) == 1
    assert all("/temp-queue/r" not in head for head in heads)
    assert [f"correlation-id:c{number}\n" in head for number, head in enumerate(heads)] == [True] * 40


def test_a_queue_that_refuses_takes_what_has_room_and_confirms_it(world: StompWorld, client: Client) -> None:
    world.node.declare_queue("q", options=QueueOptions(messages_max=LEARNED + 3, overflow=REFUSE))
    say_ids(client, 0, LEARNED)
    say_ids(client, LEARNED, LEARNED + 6)
    assert client.commands() == [*(f"RECEIPT r{number}" for number in range(LEARNED + 3)), "ERROR limit-reached"]
    assert len(lines_of(world)) == LEARNED + 3


def test_a_run_of_messages_for_later_comes_with_its_own_values(world: StompWorld, client: Client) -> None:
    for first in (0, 20):
        client.say(*(send(f"{number}", trace=f"t{number}", delay="1000") for number in range(first, first + 20)))
    assert world.node.schedule.size == 40


def test_topics_take_runs_too(world: StompWorld, client: Client) -> None:
    reader = world.client()
    reader.say(frame("SUBSCRIBE", destination="/topic/t", id="s"))
    for first in (0, 20):
        client.say(*(send(f"{number}", "/topic/t", dedup_id=f"{number}") for number in range(first, first + 20)))
    assert reader.commands() == [f"MESSAGE {number}" for number in range(40)]
