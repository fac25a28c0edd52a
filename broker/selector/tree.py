"""The syntax tree of a selector: what may stand in it, and how to walk over it.

A tree says what was meant, not how it was written: parentheses are gone, `x BETWEEN a AND b` is `x >= a AND x <= b`
(the specification defines it so), `x NOT IN (…)` is `NOT x IN (…)`. Chains are flat: `a AND b AND c` is one node, so
that depth is only what somebody nested, and a long chain can't exhaust the stack.

Theory of the types. A node is either a *condition*, which is true, false or unknown, or an *operand*, which has a
value or none. A header's value and TRUE and FALSE are both: `paid` is short for `paid = TRUE`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal as OneOf
from typing import TypeAlias

__all__ = [
    "And",
    "Arithmetic",
    "Comparison",
    "Field",
    "Header",
    "In",
    "IsNull",
    "Like",
    "Literal",
    "Negative",
    "Node",
    "Not",
    "Operator",
    "Or",
    "Sign",
    "Subject",
    "all_of",
    "any_of",
    "chain",
    "children",
    "start_of",
]

Operator: TypeAlias = OneOf["=", "<>", "<", "<=", ">", ">="]
Sign: TypeAlias = OneOf["+", "-", "*", "/", "%"]


@dataclass(frozen=True, slots=True)
class Header:
    """A header of the message, by the name that it was sent with. `at` is the offset in the selector's text."""

    name: str
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Field:
    """A header field of JMS, by its name there (see `fields`)."""

    name: str
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the selector. An `int` is exact, a `float` approximate."""

    value: str | int | float | bool
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Negative:
    """`-operand`. Of a number that stands in the selector, the sign is a part."""

    operand: Node
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`first + a - b`, or `first * a / b % c`: operators of one precedence, worked off from left to right."""

    first: Node
    """Not itself of that precedence: made by `chain`."""
    rest: tuple[tuple[Sign, Node], ...]

    @property
    def is_sum(self) -> bool:
        """Whether it adds and subtracts; else it multiplies and divides."""
        return self.rest[0][0] in ("+", "-")


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left = right`."""

    operator: Operator
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class In:
    """`subject IN ('a', 'b')`."""

    subject: Subject
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """`subject LIKE 'a_b%' ESCAPE '!'`; without ESCAPE, `escape` is empty."""

    subject: Subject
    pattern: str
    escape: str = ""


@dataclass(frozen=True, slots=True)
class IsNull:
    """`subject IS NULL`."""

    subject: Subject


@dataclass(frozen=True, slots=True)
class Not:
    """`NOT condition`."""

    condition: Node
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And:
    """All of them. At least two, none of them an `And`: made by `all_of`."""

    conditions: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of them. At least two, none of them an `Or`: made by `any_of`."""

    conditions: tuple[Node, ...]


Subject: TypeAlias = Header | Field
Node: TypeAlias = (
    Header | Field | Literal | Negative | Arithmetic | Comparison | In | Like | IsNull | Not | And | Or
)  # fmt: skip


def all_of(conditions: Iterable[Node]) -> Node:
    """Join conditions with AND. Of none, what is always true."""
    flat = tuple(part for each in conditions for part in (each.conditions if isinstance(each, And) else (each,)))
    return And(flat) if len(flat) > 1 else flat[0] if flat else Literal(True)


def any_of(conditions: Iterable[Node]) -> Node:
    """Join conditions with OR. Of none, what is never true."""
    flat = tuple(part for each in conditions for part in (each.conditions if isinstance(each, Or) else (each,)))
    return Or(flat) if len(flat) > 1 else flat[0] if flat else Literal(False)


def chain(first: Node, rest: Iterable[tuple[Sign, Node]]) -> Arithmetic:
    """Reckon from left to right, by at least one operator; all are of one precedence."""
    arithmetic = Arithmetic(first, tuple(rest))
    if isinstance(first, Arithmetic) and first.is_sum == arithmetic.is_sum:
        return Arithmetic(first.first, first.rest + arithmetic.rest)
    return arithmetic


def children(node: Node) -> Iterator[Node]:
    """What stands directly below a node, from left to right."""
    match node:
        case And(conditions) | Or(conditions):
            yield from conditions
        case Comparison(_, left, right):
            yield from (left, right)
        case Arithmetic(first, rest):
            yield first
            yield from (operand for _, operand in rest)
        case Not(below) | Negative(below) | In(below) | Like(below) | IsNull(below):
            yield below
        case Header() | Field() | Literal():
            return


def start_of(node: Node) -> int:
    """The offset in the selector's text of the first thing that belongs to a node, parentheses aside."""
    while not isinstance(node, Header | Field | Literal | Negative | Not):
        node = next(children(node))
    return node.at
