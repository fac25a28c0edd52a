"""The grammar of selectors, as Lark reads it, and what its terminals are called in an error.

Precedence, loosest first: OR, AND, NOT, predicates (comparison, BETWEEN, IN, LIKE, IS), `+ -`, `* / %`, signs. It is
wider than the language: what types may stand where, and that IN wants a header in front of it, is not a matter of
grammar but of `type_rules`, which can say what is wrong in better words than "unexpected token".

Keywords are terminals without a pattern: the lexer finds a name, and `builder.keyword` makes a keyword of it. So a
keyword is one in any mixture of capitals, and never the start of a longer name.
"""

from __future__ import annotations

from typing import Final

__all__ = ["END", "GROUPS", "TERMINALS", "grammar"]

_RULES: Final = r"""
selector: disjunction
disjunction: conjunction (_OR conjunction)*
conjunction: negation (_AND negation)*
?negation: NOT negation -> negated
    | predicate
?predicate: sum
    | sum COMPARISON sum -> comparison
    | sum [NOT] _BETWEEN sum _AND sum -> between
    | sum [NOT] _IN "(" STRING ("," STRING)* ")" -> membership
    | sum [NOT] _LIKE STRING [_ESCAPE STRING] -> likeness
    | sum _IS [NOT] _NULL -> nullness
sum: product (SIGN product)*
product: factor (FACTOR factor)*
?factor: SIGN factor -> signed
    | atom
?atom: NAME -> name
    | QUOTED_NAME -> quoted_name
    | STRING -> string
    | NUMBER -> number
    | TRUE -> truth
    | FALSE -> truth
    | "(" disjunction ")"

COMPARISON: "<>" | "<=" | ">=" | "=" | "<" | ">"
SIGN: "+" | "-"
FACTOR: "*" | "/" | "%"
STRING: /'(?:[^']|'')*+'/
QUOTED_NAME: /"(?:[^"]|"")++"/
NUMBER: /0[xX](?:HEX(?:\.(?:HEX)?)?|\.HEX)[pP][+-]?DEC[fFdD]?/
    | /0[xX]HEX[lL]?/
    | /0[bB][0-9](?:[0-9_]*[0-9])?[lL]?/
    | /(?:DEC\.(?:DEC)?|\.DEC)(?:[eE][+-]?DEC)?[fFdD]?/
    | /DEC(?:[eE][+-]?DEC[fFdD]?|[fFdDlL])?/
NAME: /[A-Za-z_$\u0080-\U0010ffff][A-Za-z0-9_$\u0080-\U0010ffffHYPHEN]*/
BLANK: /[ \t\r\n\f]+/

%ignore BLANK
%declare _AND _BETWEEN _ESCAPE FALSE _IN _IS _LIKE NOT _NULL _OR TRUE
"""

# Digits, with single underscores between them wherever they please.
_DIGITS: Final = {"HEX": "[0-9a-fA-F](?:[0-9a-fA-F_]*[0-9a-fA-F])?", "DEC": "[0-9](?:[0-9_]*[0-9])?"}


def grammar(*, hyphenated: bool) -> str:
    """Write the grammar down.

    Args:
        hyphenated: a name may hold hyphens, so that `a-b` is not a subtraction.
    """
    text = _RULES.replace("HYPHEN", "-" if hyphenated else "")
    for name, digits in _DIGITS.items():
        text = text.replace(name, digits)
    return text


END: Final = "$END"
"""What Lark calls the end of the text."""

_VALUES: Final = frozenset({"NAME", "QUOTED_NAME", "STRING", "NUMBER", "TRUE", "FALSE", "LPAR"})
_ARITHMETIC: Final = frozenset({"SIGN", "FACTOR"})
_PREDICATES: Final = frozenset({"COMPARISON", "NOT", "_BETWEEN", "_IN", "_LIKE", "_IS"})

GROUPS: Final = (
    (_VALUES, _VALUES | {"SIGN", "NOT"}, "a value"),
    (_ARITHMETIC, _ARITHMETIC, "arithmetic"),
    (_PREDICATES, _PREDICATES, "a comparison"),
)
"""If all of the first set may come, the word at the end says it, and says the second set too."""

TERMINALS: Final = {
    "STRING": "a string",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    END: "the end",
}
"""What is not called by its own name; of keywords, the underscore goes."""
