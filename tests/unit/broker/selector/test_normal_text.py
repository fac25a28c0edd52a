"""How a tree is written down."""

from __future__ import annotations

import pytest

from segue.broker.selector import compile_selector


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("a='x'and(b=1 or not c)", "a = 'x' AND (b = 1 OR NOT c)"),
        ("(a and b) and (c and d)", "a AND b AND c AND d"),
        ("(a and b) or (c and d)", "a AND b OR c AND d"),
        ("not (not (a))", "NOT NOT a"),
        ("not (a = 1)", "NOT a = 1"),
        ("not (a and b)", "NOT (a AND b)"),
        ("a between 1 and 2", "a >= 1 AND a <= 2"),
        ("a not between 1 and 2 and b", "(a < 1 OR a > 2) AND b"),
        ("a not in ('x','it''s')", "NOT a IN ('x', 'it''s')"),
        ("a not like 'x!%' escape '!'", "NOT a LIKE 'x!%' ESCAPE '!'"),
        ("a is not null", "NOT a IS NULL"),
        ("(a*2)+(b+1)>-(c)", "a * 2 + (b + 1) > -c"),
        ("a - (b - c) = - - c", "a - (b - c) = -(-c)"),
        ("(-a * (b + 1)) % 2 - (c / -2) > (a / (b * c))", "-a * (b + 1) % 2 - c / -2 > a / (b * c)"),
        ("(a + b) - c > (a * b) / c", "a + b - c > a * b / c"),
        ("a = 0x10 or a = -5 or a = - 5.0", "a = 16 OR a = -5 OR a = -5.0"),
        ("+a > +5", "a + 0 > 5"),
        ("(a = 1) = (b = 2)", "(a = 1) = (b = 2)"),
        (
            '"a" = "and" and "x-y" = "JMSType" and JMSType = "q""q"',
            'a = "and" AND "x-y" = "JMSType" AND JMSType = "q""q"',
        ),
        ("true or false", "TRUE OR FALSE"),
        ("  ", "TRUE"),
    ],
)
def test_a_selector_has_one_normal_text_which_says_the_same(text: str, normal: str) -> None:
    assert compile_selector(text).text == normal
    assert compile_selector(normal).text == normal
