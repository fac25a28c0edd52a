"""From what the grammar finds to a syntax tree: one method for each rule, called as soon as the rule is complete."""

from __future__ import annotations

from typing import cast

from lark import Token, Transformer, v_args

from segue.broker.selector.errors import Fault, shown
from segue.broker.selector.fields import FIELDS, REFUSED, is_reserved
from segue.broker.selector.like import OpenEscapeError, floating_characters
from segue.broker.selector.literals import number_of_literal, reserved_word, stray_character, unquoted
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
    Operator,
    Sign,
    Subject,
    all_of,
    any_of,
    chain,
    start_of,
)
from segue.broker.selector.type_rules import (
    Kind,
    check_comparison,
    check_condition,
    check_number,
    check_subject,
    kind_of,
)

__all__ = ["TreeBuilder", "keyword"]


def keyword(name: Token) -> Token:
    """Make a keyword of what looks like a name and is reserved; called by the lexer for each name.

    Raises:
        Fault: it holds a character that no identifier may have.
    """
    word = reserved_word(name)
    if word:
        return name.update(type=word if word in ("NOT", "TRUE", "FALSE") else f"_{word}")
    stray = stray_character(name, allowed="-")
    if stray >= 0:
        raise Fault(offset(name) + stray, shown(name[stray]), "a character of a name; others need double quotes")
    return name


def offset(token: Token) -> int:
    """Where a token stands. Lark knows it of every one that it has read from a text."""
    assert token.start_pos is not None
    return token.start_pos


@v_args(inline=True)
class TreeBuilder(Transformer[Token, Node]):
    """Makes the nodes, and checks their types as it does."""

    def selector(self, condition: Node) -> Node:
        return check_condition(condition)

    def disjunction(self, first: Node, *others: Node) -> Node:
        return any_of(map(check_condition, (first, *others))) if others else first

    def conjunction(self, first: Node, *others: Node) -> Node:
        return all_of(map(check_condition, (first, *others))) if others else first

    def negated(self, word: Token, condition: Node) -> Node:
        return Not(check_condition(condition), offset(word))

    def comparison(self, left: Node, token: Token, right: Node) -> Node:
        operator = cast(Operator, str(token))
        check_comparison(operator, left, right)
        return Comparison(operator, left, right)

    def between(self, value: Node, negation: Token | None, low: Node, high: Node) -> Node:
        """The specification defines both forms by comparisons, so there is no node of its own for them."""
        for each in (value, low, high):
            check_number(each)
        if negation is not None:
            return any_of([Comparison("<", value, low), Comparison(">", value, high)])
        return all_of([Comparison(">=", value, low), Comparison("<=", value, high)])

    def membership(self, subject: Node, negation: Token | None, *values: Token) -> Node:
        header = check_subject(subject, "IN")
        return _negated(negation, In(header, tuple(map(unquoted, values))))

    def likeness(self, subject: Node, negation: Token | None, pattern: Token, escape: Token | None) -> Node:
        header = check_subject(subject, "LIKE")
        return _negated(negation, _like(header, pattern, escape))

    def nullness(self, subject: Node, negation: Token | None) -> Node:
        return _negated(negation, IsNull(check_subject(subject, "IS")))

    def sum(self, first: Node, *others: Token | Node) -> Node:
        return _chain(first, others)

    def product(self, first: Node, *others: Token | Node) -> Node:
        return _chain(first, others)

    def signed(self, sign: Token, operand: Node) -> Node:
        check_number(operand)
        if isinstance(operand, Literal) and not isinstance(operand.value, str):
            return Literal(-operand.value if sign == "-" else operand.value, offset(sign))
        if sign == "-":
            return Negative(operand, offset(sign))
        # `+size` is a number, and `size` alone is not yet one.
        return operand if kind_of(operand) is Kind.NUMBER else chain(operand, [("+", Literal(0))])

    def name(self, token: Token) -> Node:
        name, at = str(token), offset(token)
        if name in FIELDS:
            return Field(name, at)
        if name not in REFUSED and is_reserved(name):
            raise Fault(at, shown(name), f"one of {', '.join(FIELDS)}, JMSX… or JMS_…")
        return _header(name, at)

    def quoted_name(self, token: Token) -> Node:
        return _header(unquoted(token), offset(token))

    def string(self, token: Token) -> Node:
        return Literal(unquoted(token), offset(token))

    def number(self, token: Token) -> Node:
        return Literal(number_of_literal(token, offset(token)), offset(token))

    def truth(self, token: Token) -> Node:
        return Literal(token.type == "TRUE", offset(token))


def _header(name: str, at: int) -> Header:
    if name in REFUSED:
        raise Fault(at, shown(name), "a header that a message keeps from delivery to delivery")
    return Header(name, at)


def _negated(negation: Token | None, condition: Node) -> Node:
    return condition if negation is None else Not(condition, start_of(condition))


def _like(subject: Subject, pattern: Token, escape: Token | None) -> Like:
    character = unquoted(escape) if escape is not None else ""
    if escape is not None and len(character) != 1:
        raise Fault(offset(escape), f"the string {shown(character)}", "a single character behind ESCAPE")
    try:
        floating_characters(unquoted(pattern), character)
    except OpenEscapeError:
        raise Fault(
            offset(pattern),
            f"the pattern {shown(unquoted(pattern))}",
            f"a character behind its last {shown(character)}",
        ) from None
    return Like(subject, unquoted(pattern), character)


def _chain(first: Node, others: tuple[Token | Node, ...]) -> Node:
    if not others:
        return first
    signs = cast("tuple[Sign, ...]", tuple(map(str, others[::2])))
    operands = cast("tuple[Node, ...]", others[1::2])
    check_number(first)
    for operand in operands:
        check_number(operand)
    return chain(first, zip(signs, operands, strict=True))
