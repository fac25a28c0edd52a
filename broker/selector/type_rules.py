"""What may stand where: the rules of the specification on types, as far as they can be told before there is a message.

Strings and booleans can be told apart with `=` and `<>` only; arithmetic is for numbers; LIKE, IN and IS NULL ask for a
header. Headers have no type until a message is there, so they may stand everywhere. Values of different types may be
compared: the specification says that this is false.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from segue.broker.selector.errors import Fault, shown
from segue.broker.selector.tree import (
    Arithmetic,
    Field,
    Header,
    Literal,
    Negative,
    Node,
    Operator,
    Subject,
    start_of,
)

__all__ = ["Kind", "check_comparison", "check_condition", "check_number", "check_subject", "kind_of"]


class Kind(Enum):
    """What a node's value is; the value of the enumeration is how an error calls it."""

    HEADER = "a header"
    TEXT = "a string"
    NUMBER = "a number"
    BOOLEAN = "a condition"


_ORDER: Final = ("<", "<=", ">", ">=")


def kind_of(node: Node) -> Kind:
    """Tell it by the node alone, without a look at what is below."""
    match node:
        case Header() | Field():
            return Kind.HEADER
        case Literal(bool()):
            return Kind.BOOLEAN
        case Literal(str()):
            return Kind.TEXT
        case Literal() | Negative() | Arithmetic():
            return Kind.NUMBER
    return Kind.BOOLEAN


def check_condition(node: Node) -> Node:
    """What AND, OR and NOT join, and the selector as a whole.

    Raises:
        Fault: it is a string or a number.
    """
    if kind_of(node) in (Kind.TEXT, Kind.NUMBER):
        raise Fault(start_of(node), _called(node), "a condition")
    return node


def check_number(node: Node) -> Node:
    """What arithmetic and BETWEEN take.

    Raises:
        Fault: it can't be a number.
    """
    if kind_of(node) in (Kind.TEXT, Kind.BOOLEAN):
        raise Fault(start_of(node), _called(node), "a number or a header")
    return node


def check_subject(node: Node, word: str) -> Subject:
    """What stands in front of LIKE, IN and IS.

    Raises:
        Fault: it is not a header.
    """
    if not isinstance(node, Header | Field):
        raise Fault(start_of(node), _called(node), f"the name of a header in front of {word}")
    return node


def check_comparison(operator: Operator, left: Node, right: Node) -> None:
    """What two operands are compared by.

    Raises:
        Fault: strings or conditions are to be put in order; or what looks like a name with hyphens, and is a
            subtraction, is compared with a string.
    """
    for node in (left, right):
        if operator in _ORDER and kind_of(node) in (Kind.TEXT, Kind.BOOLEAN):
            raise Fault(start_of(node), _called(node), f"a number or a header: {operator} is for numbers only")
    for node, other in ((left, right), (right, left)):
        if kind_of(other) is Kind.TEXT and (name := _hyphenated(node)):
            found = f"the subtraction {shown(name)} beside a string"
            raise Fault(start_of(node), found, "a header; with hyphens, its name is written in double quotes")


def _called(node: Node) -> str:
    match node:
        case Literal(str(text)):
            return f"the string {shown(text)}"
        case Literal(bool(value)):
            return str(value).upper()
        case Literal(number):
            return f"the number {number}"
    return kind_of(node).value


def _hyphenated(node: Node) -> str:
    """The name that `a-b-c` was probably meant to be. By the specification it is a number, and equal to no string.

    Clients of STOMP send headers with hyphens; a selector that never matches, without a word, is what they would get.
    """
    if not isinstance(node, Arithmetic) or not isinstance(node.first, Header):
        return ""
    name, at = node.first.name, node.first.at
    for sign, operand in node.rest:
        if sign != "-" or not isinstance(operand, Header) or operand.at != at + len(name) + 1:
            return ""
        name = f"{name}-{operand.name}"
    return name
