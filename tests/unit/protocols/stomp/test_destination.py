"""What a destination names, in both dialects, and which names there can't be."""

from __future__ import annotations

import pytest

from segue.broker.names import NAME_BYTES_MAX
from segue.protocols.stomp.destination import (
    PREFIXES,
    UNSUPPORTED_PREFIXES,
    Destination,
    DestinationKind,
    Dialect,
    Use,
    check_queue_name,
    parse_destination,
    virtual_topic,
)
from segue.protocols.stomp.errors import ErrorCode, StompProtocolError
from tests.unit.protocols.stomp.reference_page import codes_in, table

QUEUE, TOPIC = DestinationKind.QUEUE, DestinationKind.TOPIC
EITHER_USE = pytest.mark.parametrize("use", Use)
EITHER_DIALECT = pytest.mark.parametrize("dialect", Dialect)


def refusal(text: str, use: Use = Use.SEND, **options: object) -> StompProtocolError:
    with pytest.raises(StompProtocolError) as refused:
        parse_destination(text, use, **options)  # type: ignore[arg-type]
    return refused.value


@EITHER_USE
@EITHER_DIALECT
@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ("/queue/a", Destination(QUEUE, "a")),
        ("/queue/a.b-c_d e", Destination(QUEUE, "a.b-c_d e")),
        ("/queue/c#", Destination(QUEUE, "c#")),
        ("/queue/caf\u00e9", Destination(QUEUE, "caf\u00e9")),
        ("/queue/a%2Fb%2fc", Destination(QUEUE, "a/b/c")),
        ("/topic/a", Destination(TOPIC, "a")),
        ("/topic/a.b", Destination(TOPIC, "a.b")),
        ("/amq/queue/a", Destination(DestinationKind.EXISTING_QUEUE, "a")),
        ("/temp-queue/a", Destination(DestinationKind.TEMP_QUEUE, "a")),
        ("/reply-queue/a", Destination(DestinationKind.REPLY_QUEUE, "a")),
        ("/exchange/amq.topic", Destination(DestinationKind.EXCHANGE, "amq.topic")),
        ("/exchange/amq.topic/a.#", Destination(DestinationKind.EXCHANGE, "amq.topic", "a.#")),
    ],
)
def test_a_prefix_says_what_it_is(text: str, destination: Destination, use: Use, dialect: Dialect) -> None:
    assert parse_destination(text, use, dialect=dialect) == destination


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        ("/queue/a/b", Destination(QUEUE, "a/b")),
        ("/queue//a", Destination(QUEUE, "/a")),
        ("/topic/a/b", Destination(TOPIC, "a/b")),
        ("/exchange/e/a/b", Destination(DestinationKind.EXCHANGE, "e", "a/b")),
        ("a", Destination(QUEUE, "a")),
        ("jms.queue.a", Destination(QUEUE, "jms.queue.a")),
        ("/bah/baz", Destination(QUEUE, "/bah/baz")),
        ("/queues", Destination(QUEUE, "/queues")),
        ("/queue/100%25", Destination(QUEUE, "100%25")),
    ],
)
def test_slashes_and_unknown_prefixes_are_a_part_of_names(text: str, destination: Destination) -> None:
    assert parse_destination(text, Use.SEND) == destination


@pytest.mark.parametrize(
    ("text", "code", "body"),
    [
        ("/queue/bah/baz", ErrorCode.INVALID_DESTINATION, "'/bah/baz' is not a valid queue destination\n"),
        ("/topic/a/b", ErrorCode.INVALID_DESTINATION, "'/a/b' is not a valid topic destination\n"),
        ("/exchange/a/b/c", ErrorCode.INVALID_DESTINATION, "'/a/b/c' is not a valid exchange destination\n"),
        ("/exchange//b", ErrorCode.INVALID_DESTINATION, "'//b' is not a valid exchange destination\n"),
        ("/amq/queue/a/b", ErrorCode.INVALID_DESTINATION, "'/a/b' is not a valid amqqueue destination\n"),
        ("/queue/", ErrorCode.INVALID_DESTINATION, "'' is not a valid queue destination\n"),
        ("/queue", ErrorCode.INVALID_DESTINATION, "'' is not a valid queue destination\n"),
        (
            "/something/interesting",
            ErrorCode.UNKNOWN_DESTINATION,
            (
                "'/something/interesting' is not a valid destination.\nValid destination types are: "
                "/temp-queue, /exchange, /topic, /queue, /amq/queue, /reply-queue/.\n"
            ),
        ),
    ],
)
def test_the_dialect_of_rabbitmq_refuses_as_it_does(text: str, code: ErrorCode, body: str) -> None:
    failure = refusal(text, dialect=Dialect.RABBITMQ)
    assert (failure.code, failure.body) == (code, body)


def test_the_dialect_of_rabbitmq_decodes_every_octet() -> None:
    destination = parse_destination("/queue/100%25%20caf%C3%A9,x", Use.SEND, dialect=Dialect.RABBITMQ)
    assert destination == Destination(QUEUE, "100% caf\u00e9,x")


@pytest.mark.parametrize(
    ("text", "name", "is_pattern"),
    [
        ("/topic/*", "*", True),
        ("/topic/a.*.b", "a.*.b", True),
        ("/topic/a.#", "a.#", True),
        ("/topic/#.a", "#.a", True),
        ("/topic/a.>", "a.#", True),
        ("/topic/>", "#", True),
        ("/topic/c#.net", "c#.net", False),
    ],
)
@EITHER_DIALECT
def test_wildcards_are_words_of_a_topic_for_subscribers(
    text: str, name: str, is_pattern: bool, dialect: Dialect
) -> None:
    assert parse_destination(text, Use.SUBSCRIBE, dialect=dialect) == Destination(TOPIC, name, is_pattern=is_pattern)


@EITHER_DIALECT
@pytest.mark.parametrize(
    "text", ["/topic/*", "/topic/a.*", "/topic/a.#", "/topic/a.>", "/queue/*", "/queue/a.>", "/queue/#", "/queue/a*"]
)
def test_fault_46_a_wildcard_on_send_is_refused(text: str, dialect: Dialect) -> None:
    assert refusal(text, dialect=dialect).code is ErrorCode.INVALID_DESTINATION


@pytest.mark.parametrize(
    "text", ["/queue/*", "/queue/a.>", "/queue/a.#", "/temp-queue/*", "/topic/a*", "/topic/a.>.b", "/topic/a>", "*"]
)
def test_a_pattern_that_could_match_nothing_is_refused(text: str) -> None:
    assert refusal(text, Use.SUBSCRIBE).code is ErrorCode.INVALID_DESTINATION


@EITHER_USE
@EITHER_DIALECT
@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../a",
        "a..b",
        "x" * 2000,
        "a\0b",
        "a\nb",
        "a\x7fb",
        "a\x85b",
        "a\u202eb",
        "\u2066a\u2069",
        "a\u200fb",
        "a\u200bb",
        "\ufeffa",
        "a\u2028b",
        " a",
        "a ",
        "\u00a0",
        "\ud800",
    ],
)
def test_fault_46_a_name_that_misleads_is_refused(name: str, use: Use, dialect: Dialect) -> None:
    for prefix in ("/queue/", "/topic/", "/temp-queue/", "/amq/queue/", "/exchange/"):
        failure = refusal(prefix + name, use, dialect=dialect)
        assert failure.code is ErrorCode.INVALID_DESTINATION
        assert failure.body.replace("\n", "").isprintable()


@EITHER_USE
def test_an_empty_destination_is_refused(use: Use) -> None:
    assert refusal("", use).code is ErrorCode.INVALID_DESTINATION


@pytest.mark.parametrize("text", ["/topic/.a", "/topic/a.", "/topic/."])
def test_a_topic_has_no_empty_words(text: str) -> None:
    assert refusal(text, Use.SUBSCRIBE).code is ErrorCode.INVALID_DESTINATION


@pytest.mark.parametrize("name", ["cafe\u0301", "caf\u00e9"])
def test_fault_46_names_that_are_equal_in_nfc_are_one(name: str) -> None:
    assert parse_destination(f"/queue/{name}", Use.SEND).name == "caf\u00e9"


def test_the_longest_name_passes_and_one_octet_more_is_refused() -> None:
    assert check_queue_name("x" * NAME_BYTES_MAX)
    assert check_queue_name("\u00e9" * (NAME_BYTES_MAX // 2))
    for name in ("x" * (NAME_BYTES_MAX + 1), "\u00e9" * (NAME_BYTES_MAX // 2 + 1)):
        with pytest.raises(StompProtocolError):
            check_queue_name(name)


@pytest.mark.parametrize(
    ("routing_type", "kind"), [("ANYCAST", QUEUE), ("MULTICAST", TOPIC), ("multicast", TOPIC), (None, QUEUE)]
)
def test_a_routing_type_says_what_a_name_without_prefix_is(routing_type: str | None, kind: DestinationKind) -> None:
    assert parse_destination("a.b", Use.SUBSCRIBE, routing_type=routing_type) == Destination(kind, "a.b")


def test_a_routing_type_may_say_the_same_as_the_prefix_but_nothing_else() -> None:
    assert parse_destination("/topic/a", Use.SEND, routing_type="MULTICAST").kind is TOPIC
    assert refusal("/topic/a", routing_type="ANYCAST").code is ErrorCode.INVALID_HEADER
    assert refusal("a", routing_type="BOTH").code is ErrorCode.INVALID_HEADER


@EITHER_USE
@pytest.mark.parametrize(
    "text",
    [
        "/queue/a,/queue/b",
        "/queue/a,b",
        "/temp-topic/a",
        "/remote-temp-queue/a",
        "/remote-temp-topic/a",
        "/queue/a?consumer.prefetchSize=1",
    ],
)
def test_what_other_brokers_have_and_we_do_not_is_an_error(text: str, use: Use) -> None:
    assert refusal(text, use).code is ErrorCode.NOT_SUPPORTED


def test_the_reference_page_has_every_prefix() -> None:
    documented = [codes_in(row[0])[0] for row in table("Destinations")]
    assert sorted(documented) == sorted(["NAME", *(f"{prefix}NAME" for prefix in (*PREFIXES, *UNSUPPORTED_PREFIXES))])


@pytest.mark.parametrize(
    ("queue", "topic"),
    [
        ("Consumer.a.VirtualTopic.orders", "VirtualTopic.orders"),
        ("Consumer.a.VirtualTopic.orders.eu", "VirtualTopic.orders.eu"),
        ("Consumer.a.b.VirtualTopic.orders", None),
        ("Consumer.a.VirtualTopic", None),
        ("Consumer.a.VirtualTopic.", None),
        ("consumer.a.VirtualTopic.orders", None),
        ("VirtualTopic.orders", None),
    ],
)
def test_a_queue_behind_a_virtual_topic_is_known_by_its_name(queue: str, topic: str | None) -> None:
    assert virtual_topic(queue, Dialect.SEGUE) == topic
    assert virtual_topic(queue, Dialect.RABBITMQ) is None
