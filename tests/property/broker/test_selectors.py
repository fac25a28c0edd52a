"""Compiled selectors against a slow interpreter: any selector, any headers, the same answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segue.broker.selector import Selector, compile_selector
from segue.broker.selector.compiler import compile_tree
from segue.broker.selector.normal_text import normal_text
from segue.broker.selector.parser import parse
from segue.broker.selector.tree import Node
from tests.unit.broker.selector.interpreter import is_selected, truth_of
from tests.unit.broker.selector.trees import headers, trees

Messages = list[dict[str, str]]
messages = st.lists(headers, min_size=1, max_size=4)


@given(trees, messages)
def test_a_compiled_selector_is_true_false_and_unknown_where_the_specification_says_so(
    tree: Node, messages: Messages
) -> None:
    tests = compile_tree(tree)
    for message in messages:
        found = (tests.true(message), tests.false(message))
        assert found == {True: (True, False), False: (False, True), None: (False, False)}[truth_of(tree, message)]


@given(trees)
def test_a_tree_that_is_written_down_and_read_again_is_the_same(tree: Node) -> None:
    # By `repr`, too: 1, 1.0 and TRUE are equal in Python.
    assert parse(normal_text(tree)) == tree
    assert repr(parse(normal_text(tree))) == repr(tree)


@given(trees, messages)
def test_a_selector_read_from_text_selects_what_its_tree_selects(tree: Node, messages: Messages) -> None:
    selector = compile_selector(normal_text(tree))
    assert selector == Selector(tree)
    for message in messages:
        assert selector.matches(message) is is_selected(tree, message)
        read = {name: text for name, text in message.items() if name in selector.names}
        assert selector.matches(read) is is_selected(tree, message)


@given(trees, trees, messages)
def test_de_morgan_holds_for_every_message(left: Node, right: Node, messages: Messages) -> None:
    a, b = normal_text(left), normal_text(right)
    both, either = compile_selector(f"NOT (({a}) AND ({b}))"), compile_selector(f"(NOT ({a})) OR (NOT ({b}))")
    for message in messages:
        assert both.matches(message) is either.matches(message)
