"""Operands, compiled: functions that read a string, a number or a boolean from a message's headers."""

from __future__ import annotations

from collections.abc import Callable

from segue.broker.selector.fields import FIELDS, FieldRule
from segue.broker.selector.properties import NumberReader, Properties, TextReader
from segue.broker.selector.tree import Arithmetic, Field, Header, Literal, Negative, Node, Subject
from segue.broker.selector.values import ARITHMETIC, UNLIKE, boolean_of, negative_of, number_of

__all__ = ["boolean_reader", "number_reader", "text_reader"]


def text_reader(node: Subject | Literal) -> TextReader:
    """Read a header, or a string that stands in the selector."""
    match node:
        case Header(name):
            return lambda properties: properties.get(name)
        case Field(name):
            return _field_reader(FIELDS[name])
        case Literal(value):
            text = str(value)
            return lambda _: text


def _field_reader(rule: FieldRule) -> TextReader:
    name, default, convert = rule.header, rule.default, rule.convert

    def read(properties: Properties) -> str | None:
        text = properties.get(name)
        if text is None:
            text = default
        return text if convert is None or text is None else convert(text)

    return read


def number_reader(node: Node) -> NumberReader:
    """Read an operand as a number."""
    match node:
        case Literal(str() | bool()):
            return lambda _: UNLIKE
        case Literal(int() | float() as number):
            return lambda _: number
        case Header() | Field():
            return _converted(text_reader(node), number_of)
        case Negative(operand):
            return _negative_reader(number_reader(operand))
        case Arithmetic(first, rest):
            steps = [(ARITHMETIC[sign], number_reader(operand)) for sign, operand in rest]
            return _arithmetic_reader(number_reader(first), steps)
        case _:
            raise AssertionError(f"type_rules let a condition pass as a number: {node}")


def boolean_reader(node: Node) -> NumberReader:
    """Read an operand that is no condition as a boolean."""
    match node:
        case Literal(bool(value)):
            truth = int(value)
            return lambda _: truth
        case Header() | Field():
            return _converted(text_reader(node), boolean_of)
        case _:
            read = number_reader(node)
            return lambda properties: None if read(properties) is None else UNLIKE


def _converted(read: TextReader, convert: Callable[[str], int | float]) -> NumberReader:
    def converted(properties: Properties) -> int | float | None:
        text = read(properties)
        return None if text is None else convert(text)

    return converted


def _negative_reader(read: NumberReader) -> NumberReader:
    def negative(properties: Properties) -> int | float | None:
        number = read(properties)
        return None if number is None else negative_of(number)

    return negative


_Reckoner = Callable[[int | float, int | float], int | float | None]


def _arithmetic_reader(first: NumberReader, steps: list[tuple[_Reckoner, NumberReader]]) -> NumberReader:
    def result(properties: Properties) -> int | float | None:
        value = first(properties)
        for reckon, read in steps:
            operand = read(properties)
            if value is None or operand is None:
                return None
            value = reckon(value, operand)
        return value

    return result
