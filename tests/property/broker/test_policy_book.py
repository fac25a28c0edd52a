"""Policies that are set through crashes: what was confirmed is there, and what is there was set, each of them whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from segue.broker.policy_book import KIND, PolicyBook
from segue.broker.settings import Policy
from segue.storage.api import Store
from tests.faults.storage.driver import run_store
from tests.property.crash import Crash, crashes
from tests.property.examples import examples

Step = tuple[str, int, bool]
steps = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.booleans()), min_size=1, max_size=12)


def state(book: PolicyBook) -> dict[str, int | None]:
    return {row.name: row.policy.messages_max for row in book.rows()}


def recovered(store: Store) -> PolicyBook:
    book = PolicyBook(store, {})
    book.recover([log for log in store.logs.values() if log.definition.get("kind") == KIND])
    return book


@examples(25)
@given(steps, crashes(after_max=30))
def test_the_policies_of_a_start_are_those_of_a_moment_that_was_not_confirmed_away(
    todo: list[Step], crash: Crash
) -> None:
    history: list[dict[str, int | None]] = [{}]
    confirmed = 0

    async def live(store: Store) -> None:
        nonlocal confirmed
        book = recovered(store)
        for name, value, checkpoint in todo:
            if value:
                book.set(name, Policy("*", messages_max=value))
            elif name in state(book):
                book.delete(name)
            history.append(state(book))
            await store.next_commit()
            confirmed = len(history) - 1
            if checkpoint:
                await store.checkpoint()

    async def look(store: Store) -> dict[str, int | None]:
        return state(recovered(store))

    with crash.end(live) as disk:
        assert run_store(disk, look) in history[confirmed:]
