"""The selector language, interpreted slowly and as the specification words it: what compiled selectors are held to.

It shares nothing with the compiler but the tree: three-valued logic by table, types looked at for each message, numbers
read by `decimal`, patterns matched by trying everything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import NamedTuple

from segue.broker.selector.tree import (
    And,
    Arithmetic,
    Comparison,
    Field,
    Header,
    In,
    IsNull,
    Like,
    Literal,
    Negative,
    Node,
    Not,
    Or,
)

__all__ = ["is_selected", "matches_pattern", "truth_of"]


class Raw(NamedTuple):
    """What came in a header: of no type yet."""

    text: str


class Mismatch:
    """What came in a header, and is not of the type that is asked for."""


Value = Raw | Mismatch | str | int | float | bool | None
Headers = Mapping[str, str]

FIELD_HEADERS = {
    "JMSCorrelationID": "correlation-id",
    "JMSDestination": "destination",
    "JMSExpiration": "expires",
    "JMSPriority": "priority",
    "JMSReplyTo": "reply-to",
    "JMSTimestamp": "timestamp",
    "JMSType": "type",
}
DEFAULTS = {"JMSExpiration": "0", "JMSPriority": "4"}


def is_selected(tree: Node, headers: Headers) -> bool:
    return truth_of(tree, headers) is True


def truth_of(node: Node, headers: Headers) -> bool | None:
    match node:
        case Not(condition):
            return {True: False, False: True, None: None}[truth_of(condition, headers)]
        case And(conditions):
            found = [truth_of(each, headers) for each in conditions]
            return False if False in found else None if None in found else True
        case Or(conditions):
            found = [truth_of(each, headers) for each in conditions]
            return True if True in found else None if None in found else False
        case IsNull(subject):
            return value_of(subject, headers) is None
        case In(subject, values):
            text = text_of(subject, headers)
            return None if text is None else any(text == value for value in values)
        case Like(subject, pattern, escape):
            text = text_of(subject, headers)
            return None if text is None else matches_pattern(text, pattern, escape)
        case Comparison(operator, left, right):
            return compared(operator, value_of(left, headers), value_of(right, headers))
        case Literal(bool(value)):
            return value
        case _:
            return compared("=", value_of(node, headers), True)


def value_of(node: Node, headers: Headers) -> Value:
    match node:
        case Header(name):
            return Raw(headers[name]) if name in headers else None
        case Field("JMSDeliveryMode"):
            return Raw("NON_PERSISTENT" if headers.get("persistent", "").lower() == "false" else "PERSISTENT")
        case Field(name):
            text = headers.get(FIELD_HEADERS[name], DEFAULTS.get(name))
            return None if text is None else Raw(text)
        case Literal(value):
            return value
        case Negative(operand):
            number = number_in(value_of(operand, headers))
            return None if number is None else bounded(-number)
        case Arithmetic(first, rest):
            result = number_in(value_of(first, headers))
            for sign, operand in rest:
                number = number_in(value_of(operand, headers))
                result = None if result is None or number is None else reckoned(sign, result, number)
            return result
        case _:
            return truth_of(node, headers)


def text_of(node: Node, headers: Headers) -> str | None:
    value = value_of(node, headers)
    assert value is None or isinstance(value, Raw)
    return None if value is None else value.text


def compared(operator: str, left: Value, right: Value) -> bool | None:
    if left is None or right is None:
        return None
    left, right = typed(left, right, operator), typed(right, left, operator)
    if type_of(left) != type_of(right) or isinstance(left, Mismatch):
        return False
    results = {"=": left == right, "<>": left != right}
    if operator in results:
        return results[operator]
    assert isinstance(left, int | float)
    assert isinstance(right, int | float)
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator]


def typed(value: Value, other: Value, operator: str) -> Value:
    """Give a header's text the type of what stands beside it."""
    if not isinstance(value, Raw):
        return value
    if isinstance(other, bool):
        return {"true": True, "false": False}.get(value.text.lower(), Mismatch())
    if isinstance(other, str) or (isinstance(other, Raw) and operator in ("=", "<>")):
        return value.text
    number = number_in(value)
    return Mismatch() if number is None else number


def type_of(value: Value) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__


def number_in(value: Value) -> int | float | None:
    if not isinstance(value, Raw):
        return value if isinstance(value, int | float) else None
    if not set(value.text) <= set("0123456789+-.eE"):
        return None
    try:
        decimal = Decimal(value.text)
    except InvalidOperation:
        return None
    if set(value.text) <= set("0123456789+-") and -(2**63) <= decimal < 2**63 and len(value.text) <= 20:
        return int(value.text)
    return bounded(float(value.text))


def reckoned(sign: str, left: int | float, right: int | float) -> int | float | None:
    if sign in "/%" and right == 0:
        return None
    if sign in "/%" and isinstance(left, int) and isinstance(right, int):
        quotient = math.trunc(Fraction(left, right))
        return bounded(quotient if sign == "/" else left - right * quotient)
    results: dict[str, Callable[[], int | float]] = {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "/": lambda: left / right,
        "%": lambda: math.fmod(left, right),
    }
    return bounded(results[sign]())


def bounded(number: int | float) -> int | float | None:
    if isinstance(number, int):
        return number if -(2**63) <= number < 2**63 else float(number)
    return number if math.isfinite(number) else None


def matches_pattern(text: str, pattern: str, escape: str = "") -> bool:
    """Try every way; for short texts and patterns only."""
    if not pattern:
        return not text
    if pattern[0] == escape:
        return text[:1] == pattern[1] and matches_pattern(text[1:], pattern[2:], escape)
    if pattern[0] == "%":
        return any(matches_pattern(text[start:], pattern[1:], escape) for start in range(len(text) + 1))
    return bool(text) and pattern[0] in ("_", text[0]) and matches_pattern(text[1:], pattern[1:], escape)
