"""From a selector's text to its tree: the one place that knows the parser library, and the limits on a text.

Import this module when there is something to parse, not before: it brings Lark, which takes longer to load than a small
daemon's other modules together, and most brokers never see a selector.

Theory of operation. Lark makes an LALR(1) table of the grammar once. A text is then read in one pass with an explicit
stack and no backtracking, so time and memory are linear in its length whatever it says, and nesting can't exhaust
Python's own stack. Tokens are counted on their way from the lexer; depth is measured in the finished tree, by a walk
that is not recursive either. Only what passed is given to code that is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from typing import Final, cast

from lark import Lark, Token, UnexpectedCharacters, UnexpectedToken
from lark.lark import PostLex

from segue.broker.selector.builder import TreeBuilder, keyword, offset
from segue.broker.selector.errors import Fault, shown
from segue.broker.selector.grammar import END, GROUPS, TERMINALS, grammar
from segue.broker.selector.like import floating_characters
from segue.broker.selector.limits import DEPTH_MAX, FLOATING_CHARACTERS_MAX, TOKENS_MAX
from segue.broker.selector.literals import LOWEST
from segue.broker.selector.tree import Like, Literal, Node, all_of, children, start_of

__all__ = ["parse"]

_HYPHENATED: Final = "hyphenated_props:"
_PREFIXES: Final = (_HYPHENATED, "no_hyphenated_props:", "convert_string_expressions:")
"""What Artemis and ActiveMQ allow in front of a selector. Strings are always converted here."""


def parse(text: str) -> Node:
    """Read a selector. The empty text selects every message.

    Args:
        text: not longer than `TEXT_CHARACTERS_MAX`.

    Raises:
        Fault: it is not in the language, or beyond a limit.
    """
    start, hyphenated = _prefixes(text)
    # Blanks in place of the prefixes, so that what Lark calls an offset is one in the whole text.
    selector = " " * start + text[start:]
    if not selector.strip(" \t\r\n\f"):
        return all_of([])
    tree = _read(_parser(hyphenated), selector)
    _check_size(tree)
    return tree


def _prefixes(text: str) -> tuple[int, bool]:
    """Where the selector itself begins, and whether its names may have hyphens. The last prefix counts."""
    start, hyphenated = 0, False
    while prefix := next((each for each in _PREFIXES if text.startswith(each, start)), ""):
        start += len(prefix)
        hyphenated = prefix == _HYPHENATED or (hyphenated and "hyphenated" not in prefix)
    if text.startswith("no_convert_string_expressions:", start):
        raise Fault(start, "no_convert_string_expressions:", "a selector: headers are strings, and always converted")
    return start, hyphenated


@cache
def _parser(hyphenated: bool) -> Lark:
    return Lark(
        grammar(hyphenated=hyphenated),
        start="selector",
        parser="lalr",
        # One lexer for all places: the other kind would take a keyword for a name where no keyword may stand.
        lexer="basic",
        lexer_callbacks={"NAME": keyword},
        postlex=_TokenCount(),
        transformer=TreeBuilder(),
    )


class _TokenCount(PostLex):
    """Passes tokens on to the parser until they are too many."""

    always_accept = ()

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        for count, token in enumerate(stream):
            if count == TOKENS_MAX:
                raise Fault(offset(token), "more", f"at most {TOKENS_MAX} words and signs in a selector")
            yield token


def _read(parser: Lark, text: str) -> Node:
    try:
        tree = parser.parse(text)
    except UnexpectedCharacters as error:
        # Declared as None in Lark, and set by this exception always.
        raise _stray(text, cast(int, error.pos_in_stream)) from None
    except UnexpectedToken as error:
        found = "the end" if error.token.type == END else shown(error.token)
        at = len(text) if error.token.type == END else offset(error.token)
        raise Fault(at, found, _expected(error.accepts or error.expected)) from None
    # The transformer leaves a node of ours in the place of Lark's.
    return tree  # type: ignore[return-value]


def _stray(text: str, at: int) -> Fault:
    match text[at]:
        case "'":
            return Fault(at, "a string without an end", "' behind it")
        case '"':
            return Fault(at, "a name without an end or without a character", 'one between " and "')
        case "!":
            return Fault(at, shown("!"), "<> for not equal, or NOT")
        case character:
            return Fault(at, shown(character), "a name, a literal, an operator or a parenthesis")


def _expected(terminals: Collection[str]) -> str:
    """What may come, in words: what stands for many is said first, and then not one by one."""
    left = set(terminals)
    words = []
    for start, covered, word in GROUPS:
        if left >= start:
            words.append(word)
            left -= covered
    words += sorted(
        {TERMINALS.get(name, name.removeprefix("_")) for name in left}, key=lambda word: (len(word) == 1, word)
    )
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _check_size(tree: Node) -> None:
    """Refuse what is nested too deeply, costs too much to match, or is too large a number.

    Raises:
        Fault: see there.
    """
    floating = 0
    waiting = [(tree, 0)]
    while waiting:
        node, depth = waiting.pop()
        waiting += ((child, depth + 1) for child in children(node))
        if depth > DEPTH_MAX:
            raise Fault(start_of(node), "more", f"at most {DEPTH_MAX} levels of nesting")
        if isinstance(node, Literal) and node.value == LOWEST and isinstance(node.value, int):
            raise Fault(node.at, f"the number {LOWEST}", "one that fits into 64 bits")
        if isinstance(node, Like):
            floating += floating_characters(node.pattern, node.escape)
            if floating > FLOATING_CHARACTERS_MAX:
                limit = f"at most {FLOATING_CHARACTERS_MAX} characters in pieces of patterns that have _ between two %"
                raise Fault(start_of(node), "more", limit)
