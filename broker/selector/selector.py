"""Selectors as the rest of the broker sees them: compiled, comparable, and kept for whoever asks for the same again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import lru_cache

from segue.broker.selector.compiler import compile_tree
from segue.broker.selector.errors import Fault
from segue.broker.selector.fields import FIELDS
from segue.broker.selector.limits import CACHED_CHARACTERS_MAX, CACHED_SELECTORS_MAX, TEXT_CHARACTERS_MAX, TOKENS_MAX
from segue.broker.selector.normal_text import normal_text
from segue.broker.selector.properties import Test
from segue.broker.selector.tree import Comparison, Field, Header, IsNull, Literal, Node, Not, all_of, any_of, children

__all__ = ["Selector", "compile_selector", "header_match", "load_parser"]


class Selector:
    """A predicate over the headers of a message. Two are equal if their normal texts are.

    Attributes:
        text: the selector in its normal form. What was compiled from a text can be compiled again from this one.
        names: the headers that it reads. No other is asked for, so no other needs to be decoded.
        matches: given a message's headers, say whether it is selected: whether the condition is true, neither false nor
            unknown. Never raises.
    """

    __slots__ = ("matches", "names", "text")

    def __init__(self, tree: Node) -> None:
        self.text = normal_text(tree)
        self.names = frozenset(_names(tree))
        # An attribute, not a method: it is called for every message, and a method would be a second call.
        self.matches: Test = compile_tree(tree).true

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selector) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"<Selector {self.text}>"


def compile_selector(text: str) -> Selector:
    """Compile a selector. The language is described in `segue.broker.selector`.

    The first call loads the parser, which takes a tenth of a second; `load_parser` does so ahead of time.

    Args:
        text: as a client sends it. The empty text, or blanks, select every message.

    Raises:
        SelectorError: it is not in the language, or beyond a limit.
    """
    try:
        if len(text) > TEXT_CHARACTERS_MAX:
            raise Fault(TEXT_CHARACTERS_MAX, "more", f"at most {TEXT_CHARACTERS_MAX} characters")
        return _cached(text) if len(text) <= CACHED_CHARACTERS_MAX else _compiled(text)
    except Fault as fault:
        raise fault.within(text) from None


def _compiled(text: str) -> Selector:
    from segue.broker.selector.parser import parse

    selector = Selector(parse(text))
    # A durable subscription keeps the normal text, which may be longer: what is taken now has to be taken at the next
    # start, too. A text has no more words than characters.
    if len(selector.text) > min(TOKENS_MAX, TEXT_CHARACTERS_MAX):
        _check_normal_text(selector.text)
    return selector


def _check_normal_text(text: str) -> None:
    """Make sure that it is within the limits.

    Raises:
        Fault: it is not; at the start, since what is too much has no one place in what was sent.
    """
    from segue.broker.selector.parser import parse

    try:
        if len(text) > TEXT_CHARACTERS_MAX:
            raise Fault(0, "more", f"at most {TEXT_CHARACTERS_MAX} characters")
        parse(text)
    except Fault as fault:
        raise Fault(0, f"{fault.found} when it is written out", fault.expected) from None


_cached = lru_cache(CACHED_SELECTORS_MAX)(_compiled)


def load_parser() -> None:
    """Do now what the first selector would wait for. May be called in a thread, and more than once."""
    _cached("TRUE")


def header_match(every: bool, headers: Mapping[str, str | int | float | bool | None]) -> Selector:
    """Make the predicate of an AMQP headers exchange or binding (`x-match`).

    Args:
        every: True for `x-match: all`, False for `any`. Of no headers, `all` matches every message and `any` none.
        headers: what to compare with, by name, without those that AMQP keeps for itself (`x-…`). A string has to be
            equal; a number and a boolean are compared as in a selector; None asks only that the header is there.
    """
    conditions = [_header_condition(name, value) for name, value in headers.items()]
    return Selector(all_of(conditions) if every else any_of(conditions))


def _header_condition(name: str, value: str | int | float | bool | None) -> Node:
    header = Header(name)
    if value is None:
        return Not(IsNull(header))
    if isinstance(value, float) and not math.isfinite(value):
        return Literal(False)  # no header is equal to it, and no selector can say it
    return Comparison("=", header, Literal(value))


def _names(tree: Node) -> Iterator[str]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        waiting += children(node)
        if isinstance(node, Header):
            yield node.name
        elif isinstance(node, Field):
            yield FIELDS[node.name].header
