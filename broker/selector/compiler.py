"""From a tree to two functions: one says when a condition is true, the other when it is false.

Theory of operation. In the logic of SQL a condition is true, false or unknown. Instead of functions that return one of
three values, and operators that look at them, each condition is compiled twice: `Tests.true` and `Tests.false`. What
is neither is unknown. Then the truth tables of the specification become

    NOT a      true when a is false                 false when a is true
    a AND b    true when both are true              false when either is false
    a OR b     true when either is true             false when both are false

and nothing but plain `and` and `or` is done for a message. A selector asks only for `true`, so that of `false` no more
is ever called than what stands under a NOT.

Functions within functions rather than generated source: they were measured against each other (docs/adr/0027), and the
text of a peer gets nowhere near `compile`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, cast

from segue.broker.selector.like import like
from segue.broker.selector.properties import NumberReader, Properties, Test, TextReader
from segue.broker.selector.readers import boolean_reader, number_reader, text_reader
from segue.broker.selector.tree import (
    And,
    Comparison,
    Field,
    Header,
    In,
    IsNull,
    Like,
    Literal,
    Node,
    Not,
    Operator,
    Or,
    Subject,
)
from segue.broker.selector.type_rules import Kind, kind_of
from segue.broker.selector.values import COMPARISONS, number_of

__all__ = ["Tests", "compile_tree"]


class Tests(NamedTuple):
    """A condition, compiled. Of a message for which neither holds, it is unknown."""

    true: Test
    false: Test


def compile_tree(node: Node) -> Tests:
    """Compile a condition; a header alone is short for its comparison with TRUE."""
    match node:
        case And(conditions):
            parts = [compile_tree(each) for each in conditions]
            return Tests(_all(part.true for part in parts), _any(part.false for part in parts))
        case Or(conditions):
            parts = [compile_tree(each) for each in conditions]
            return Tests(_any(part.true for part in parts), _all(part.false for part in parts))
        case Not(condition):
            true, false = compile_tree(condition)
            return Tests(false, true)
        case IsNull(subject):
            return _null_tests(text_reader(subject))
        case In(subject, values):
            return _text_tests(text_reader(subject), frozenset(values).__contains__)
        case Like(subject, pattern, escape):
            return _text_tests(text_reader(subject), like(pattern, escape))
        case Comparison(operator, left, right):
            return _comparison_tests(operator, left, right)
        case Literal(bool(value)):
            return Tests(lambda _: value, lambda _: not value)
        case _:
            return _comparison_tests("=", node, Literal(True))


def _all(tests: Iterable[Test]) -> Test:
    first, *others = tests
    if len(others) == 1:
        # By far the most usual, and a third quicker than the loop.
        second = others[0]
        return lambda properties: first(properties) and second(properties)

    def every(properties: Properties) -> bool:
        if not first(properties):
            return False
        for test in others:  # noqa: SIM110 - `all` with a generator takes twice as long
            if not test(properties):
                return False
        return True

    return every


def _any(tests: Iterable[Test]) -> Test:
    first, *others = tests
    if len(others) == 1:
        second = others[0]
        return lambda properties: first(properties) or second(properties)

    def some(properties: Properties) -> bool:
        if first(properties):
            return True
        for test in others:  # noqa: SIM110
            if test(properties):
                return True
        return False

    return some


def _null_tests(read: TextReader) -> Tests:
    return Tests(lambda properties: read(properties) is None, lambda properties: read(properties) is not None)


def _text_tests(read: TextReader, fits: Callable[[str], bool]) -> Tests:
    def true(properties: Properties) -> bool:
        text = read(properties)
        return text is not None and fits(text)

    def false(properties: Properties) -> bool:
        text = read(properties)
        return text is not None and not fits(text)

    return Tests(true, false)


# 5 < a is a > 5: constants go to the right.
_TURNED: dict[Operator, Operator] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def _comparison_tests(operator: Operator, left: Node, right: Node) -> Tests:
    if isinstance(left, Literal) and not isinstance(right, Literal):
        operator, left, right = _TURNED[operator], right, left
    kinds = {kind_of(left), kind_of(right)}
    if Kind.BOOLEAN in kinds:
        return _number_tests(operator, _truth_reader(left), _truth_reader(right))
    if Kind.NUMBER in kinds or operator not in ("=", "<>"):
        return _numeric_comparison(operator, left, right)
    tests = _equality_tests(cast("Subject | Literal", left), cast("Subject | Literal", right))
    return tests if operator == "=" else Tests(tests.false, tests.true)


def _equality_tests(left: Subject | Literal, right: Subject | Literal) -> Tests:
    """Compare strings."""
    if isinstance(left, Header) and isinstance(right, Literal):
        name, value = left.name, right.value
        return Tests(
            lambda properties: properties.get(name) == value,
            lambda properties: properties.get(name) not in (None, value),
        )
    if isinstance(right, Literal):
        return _text_tests(text_reader(left), str(right.value).__eq__)
    read_left, read_right = text_reader(left), text_reader(right)

    def equal(properties: Properties) -> bool:
        text = read_left(properties)
        return text is not None and text == read_right(properties)

    def different(properties: Properties) -> bool:
        text, other = read_left(properties), read_right(properties)
        return text is not None and other is not None and text != other

    return Tests(equal, different)


def _numeric_comparison(operator: Operator, left: Node, right: Node) -> Tests:
    if not (isinstance(left, Header) and isinstance(right, Literal)):
        return _number_tests(operator, number_reader(left), number_reader(right))
    # What most selectors are made of, without a call for each of the operands.
    name, compare, constant = left.name, COMPARISONS[operator], cast("int | float", right.value)

    def true(properties: Properties) -> bool:
        text = properties.get(name)
        return text is not None and compare(number_of(text), constant)

    def false(properties: Properties) -> bool:
        text = properties.get(name)
        return text is not None and not compare(number_of(text), constant)

    return Tests(true, false)


def _number_tests(operator: Operator, read_left: NumberReader, read_right: NumberReader) -> Tests:
    compare = COMPARISONS[operator]

    def true(properties: Properties) -> bool:
        left, right = read_left(properties), read_right(properties)
        return left is not None and right is not None and compare(left, right)

    def false(properties: Properties) -> bool:
        left, right = read_left(properties), read_right(properties)
        return left is not None and right is not None and not compare(left, right)

    return Tests(true, false)


def _truth_reader(node: Node) -> NumberReader:
    """Read whatever may stand beside a condition: conditions included, which are operands then."""
    if kind_of(node) is not Kind.BOOLEAN or isinstance(node, Literal | Field | Header):
        return boolean_reader(node)
    true, false = compile_tree(node)
    return lambda properties: 1 if true(properties) else 0 if false(properties) else None
