"""Arguments of control requests: every wrong one is named."""

from typing import Any

import pytest

from segue.broker.names import NAME_BYTES_MAX
from segue.protocols.control.arguments import Arguments
from segue.protocols.control.frames import ControlError, ErrorCode


def problem_of(read: Any) -> str:
    with pytest.raises(ControlError) as caught:
        read()
    assert caught.value.code is ErrorCode.BAD_REQUEST
    return str(caught.value)


def test_values_come_out_as_they_are() -> None:
    arguments = Arguments({"t": "x", "f": True, "n": 7, "p": [["a", "b"]], "o": "aGk="})
    assert arguments.text("t") == "x"
    assert arguments.flag("f") is True
    assert arguments.number("n") == 7
    assert arguments.pairs("p") == [("a", "b")]
    assert arguments.octets("o") == b"hi"
    arguments.finish()


def test_what_is_left_out_has_its_default() -> None:
    arguments = Arguments({})
    assert arguments.text("t", "d") == "d"
    assert arguments.flag("f") is False
    assert arguments.number("n", 5) == 5
    assert arguments.pairs("p") == []


def test_an_argument_that_is_missing_is_named() -> None:
    assert "'queue' is missing" in problem_of(lambda: Arguments({}).text("queue"))


@pytest.mark.parametrize(
    ("read", "value"),
    [
        ("text", 1),
        ("flag", "yes"),
        ("number", "1"),
        ("number", True),
        ("number", 1.0),
        ("number", -1),
        ("number", 1 << 63),
        ("pairs", {"a": "b"}),
        ("pairs", [["a"]]),
        ("pairs", [["a", 1]]),
        ("pairs", ["ab"]),
        ("octets", "a"),
        ("octets", "ä==="),
        ("octets", 5),
    ],
)
def test_a_wrong_value_is_named(read: str, value: Any) -> None:
    assert "'it'" in problem_of(lambda: getattr(Arguments({"it": value}), read)("it"))


def test_what_nobody_asks_for_is_refused() -> None:
    arguments = Arguments({"queue": "q", "forse": True})
    arguments.text("queue")
    assert "'forse'" in problem_of(arguments.finish)


@pytest.mark.parametrize("name", ["orders", "a.b", "a/b", "c#", "ünï", "x" * NAME_BYTES_MAX, "two words"])
def test_a_name_may_have_what_a_stomp_destination_may_have(name: str) -> None:
    assert Arguments({"queue": name}).name("queue") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * (NAME_BYTES_MAX + 1),
        "a\0b",
        "a\nb",
        "a\x1b[31m",
        "\u202eabc",
        " a",
        "a ",
        "a..b",
        "*",
        "a.*",
        "#",
        "a.>",
        "a,b",
        "a?consumer.prefetchSize=1",
    ],
)
def test_a_name_that_no_front_end_takes_is_refused(name: str) -> None:
    assert "no name of a queue" in problem_of(lambda: Arguments({"queue": name}).name("queue"))


def test_a_queue_that_is_there_may_be_called_as_it_is() -> None:
    """The dialect `rabbitmq` allows commas, and its queues are to be published to, too."""
    assert Arguments({"queue": "e\u0301,b"}).name("queue", {"\u00e9,b": None}) == "\u00e9,b"
    assert "comma" in problem_of(lambda: Arguments({"queue": "a,c"}).name("queue", {"a,b": None}))


def test_two_spellings_that_look_the_same_are_one_name() -> None:
    assert Arguments({"queue": "e\u0301"}).name("queue") == "\u00e9"
