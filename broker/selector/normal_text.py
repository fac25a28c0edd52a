"""A tree written as a selector again, in one way only: what selectors are compared by, and what is shown of them."""

from __future__ import annotations

from typing import Final

from segue.broker.selector.fields import is_reserved
from segue.broker.selector.literals import is_identifier
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

__all__ = ["normal_text"]

# How tightly a node holds together. What is looser than its place asks for gets parentheses.
_DISJUNCTION: Final = 0
_CONJUNCTION: Final = 1
_NEGATION: Final = 2
_PREDICATE: Final = 3
_SUM: Final = 4
_PRODUCT: Final = 5
_SIGNED: Final = 6
_ATOM: Final = 7


def normal_text(node: Node) -> str:
    """Write a tree so that reading it gives the same tree: keywords in capitals, parentheses where they are needed."""
    match node:
        case Or(conditions):
            return " OR ".join(_placed(each, _CONJUNCTION) for each in conditions)
        case And(conditions):
            return " AND ".join(_placed(each, _NEGATION) for each in conditions)
        case Not(condition):
            return f"NOT {_placed(condition, _NEGATION)}"
        case Comparison(operator, left, right):
            return f"{_placed(left, _SUM)} {operator} {_placed(right, _SUM)}"
        case In(subject, values):
            return f"{_placed(subject, _ATOM)} IN ({', '.join(_quoted(value, _STRING) for value in values)})"
        case Like(subject, pattern, escape):
            end = f" ESCAPE {_quoted(escape, _STRING)}" if escape else ""
            return f"{_placed(subject, _ATOM)} LIKE {_quoted(pattern, _STRING)}{end}"
        case IsNull(subject):
            return f"{_placed(subject, _ATOM)} IS NULL"
        case Arithmetic(first, rest):
            inner = _tightness(node) + 1
            return " ".join([_placed(first, inner), *(f"{sign} {_placed(each, inner)}" for sign, each in rest)])
        case Negative(operand):
            return f"-{_placed(operand, _ATOM)}"
        case Header(name):
            return name if is_identifier(name) and not is_reserved(name) else _quoted(name, _NAME)
        case Field(name):
            return name
        case Literal(value):
            return _literal(value)


def _placed(node: Node, tightness: int) -> str:
    text = normal_text(node)
    return text if _tightness(node) >= tightness else f"({text})"


def _tightness(node: Node) -> int:
    match node:
        case Or():
            return _DISJUNCTION
        case And():
            return _CONJUNCTION
        case Not():
            return _NEGATION
        case Comparison() | In() | Like() | IsNull():
            return _PREDICATE
        case Arithmetic():
            return _SUM if node.is_sum else _PRODUCT
        case Negative():
            return _SIGNED
        case _:
            return _ATOM


def _literal(value: str | int | float | bool) -> str:
    match value:
        case str():
            return _quoted(value, _STRING)
        case bool():
            return str(value).upper()
        case _:
            return repr(value)


_STRING: Final = "'"
_NAME: Final = '"'


def _quoted(text: str, quote: str) -> str:
    return f"{quote}{text.replace(quote, quote * 2)}{quote}"
