"""The tree of topic names finds what a comparison with each name would find."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.broker.retained.topic_tree import TopicTree
from segue.broker.topic import matches

words = st.sampled_from(["a", "b", ""])
names = st.lists(words, min_size=1, max_size=4).map(".".join)
patterns = st.lists(st.one_of(words, st.sampled_from("*#>")), min_size=1, max_size=5).map(".".join)


@given(st.lists(st.tuples(names, st.booleans())), patterns)
def test_a_pattern_finds_the_names_that_it_matches_each_once(changes: list[tuple[str, bool]], pattern: str) -> None:
    tree: TopicTree[str] = TopicTree()
    kept: dict[str, str] = {}
    for name, is_kept in changes:
        if is_kept:
            assert tree.put(name, name) == kept.get(name)
            kept[name] = name
        else:
            assert tree.remove(name) == kept.pop(name, None)
    assert len(tree) == len(kept)
    assert [tree.get(name) for name in kept] == list(kept)
    expected = sorted(name for name in kept if matches(pattern.split("."), name.split(".")))
    assert sorted(tree.under(pattern)) == expected


def test_what_was_removed_leaves_nothing_behind() -> None:
    tree: TopicTree[int] = TopicTree()
    for name in ("a", "a.b.c.d", "a.b"):
        tree.put(name, 1)
    for name in ("a", "a.b.c.d", "a.b"):
        tree.remove(name)
    assert (len(tree), tree._root.children) == (0, {})


@pytest.mark.parametrize("pattern", ["#." * 60 + "a", "#.*." * 40 + "#"])
def test_a_pattern_with_many_wildcards_does_not_look_at_everything_in_every_way(pattern: str) -> None:
    tree: TopicTree[int] = TopicTree()
    tree.put("a." * 100 + "b", 1)
    tree.put("a", 2)
    assert len(list(tree.under(pattern))) <= 2
