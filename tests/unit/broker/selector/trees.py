"""Random selectors, as trees that obey the rules on types, and random headers that they are asked about."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from segue.broker.selector.tree import (
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
    all_of,
    any_of,
    chain,
)
from segue.broker.selector.values import EXACT_MAX, EXACT_MIN

__all__ = ["headers", "patterns", "trees"]

# Few of each, so that selectors and messages often speak of the same.
HEADER_NAMES = ["a", "b", "Größe", "content-type", 'say "when"', "and", "JMSPriority", "1st"]
FIELD_NAMES = ["JMSPriority", "JMSDeliveryMode", "JMSType", "JMSExpiration"]
TEXTS = ["", "eu", "EU", "it's", "a_b%", "1", "1.0", "true", "PERSISTENT", "NON_PERSISTENT"]
HEADER_TEXTS = [
    *TEXTS,
    *["0", "-1", "+2", "007", "5", "2.5", ".5", "5.", "1e3", "1e999", "-1e-999", "9223372036854775807", "0x10"],
    *["9223372036854775808", "-9223372036854775808", "1" * 30, "1_000", " 1", "1 ", "٣", "NaN", "inf", "-", "e1"],
    *["False", "TRUE", "yes", "line\nend"],
]

subjects: SearchStrategy[Header | Field] = st.one_of(
    st.sampled_from([Header(name) for name in HEADER_NAMES]), st.sampled_from([Field(name) for name in FIELD_NAMES])
)
numbers = st.one_of(
    st.integers(-3, 10),
    st.integers(EXACT_MIN, EXACT_MAX),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([EXACT_MIN, EXACT_MAX, 1e308, 0.5]),
).map(Literal)
texts = st.one_of(st.sampled_from(TEXTS), st.text(max_size=5))
patterns = st.text(alphabet="aab%%__!é\n", max_size=8)


def negative(operand: Node) -> Node:
    """The sign of a literal is a part of it."""
    return operand if isinstance(operand, Literal) else Negative(operand)


def chains(operands: SearchStrategy[Node], signs: str) -> SearchStrategy[Node]:
    rest = st.lists(st.tuples(st.sampled_from(signs), operands), min_size=1, max_size=3)
    return st.builds(chain, operands, rest)


arithmetic: SearchStrategy[Node] = st.recursive(
    st.one_of(subjects, numbers),
    lambda operands: st.one_of(operands.map(negative), chains(operands, "+-"), chains(operands, "*/%")),
    max_leaves=6,
)
equalities = st.sampled_from(["=", "<>"])
orders = st.sampled_from(["<", "<=", ">", ">="])
booleans = st.booleans().map(Literal)


def likes() -> SearchStrategy[Node]:
    plain = st.builds(Like, subjects, patterns)
    escaped = patterns.map(lambda pattern: pattern.replace("!", "!%"))
    return st.one_of(plain, st.builds(Like, subjects, escaped, st.just("!")))


predicates: SearchStrategy[Node] = st.one_of(
    st.builds(Comparison, orders, arithmetic, arithmetic),
    st.builds(Comparison, equalities, arithmetic, arithmetic),
    st.builds(Comparison, equalities, subjects, texts.map(Literal)),
    st.builds(Comparison, equalities, texts.map(Literal), st.one_of(subjects, arithmetic)),
    st.builds(Comparison, equalities, subjects, booleans),
    st.builds(In, subjects, st.lists(texts, min_size=1, max_size=4).map(tuple)),
    st.builds(IsNull, subjects),
    likes(),
    subjects,
    booleans,
)


def compound(conditions: SearchStrategy[Node]) -> SearchStrategy[Node]:
    many: Any = st.lists(conditions, min_size=2, max_size=4)
    return st.one_of(
        conditions.map(Not),
        many.map(all_of),
        many.map(any_of),
        st.builds(Comparison, equalities, conditions, st.one_of(conditions, subjects, arithmetic)),
    )


trees: SearchStrategy[Node] = st.recursive(predicates, compound, max_leaves=8)

headers = st.dictionaries(
    st.sampled_from([*HEADER_NAMES, "priority", "persistent", "type", "expires"]),
    st.one_of(
        st.sampled_from(HEADER_TEXTS), st.sampled_from(["false", "true"]), st.text(alphabet="aab!é\n", max_size=8)
    ),
    max_size=8,
)
