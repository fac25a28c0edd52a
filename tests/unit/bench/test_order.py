"""The check of order and completeness, against a slow one."""

from hypothesis import given
from hypothesis import strategies as st

from segue.bench.order import ConsumerOrder, Sighting, runs

STREAM = 10**9

arrivals = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 40)), max_size=120)


def keys(pairs: list[tuple[int, int]]) -> list[int]:
    return [stream * STREAM + number for stream, number in pairs]


@given(arrivals)
def test_runs_put_together_again_are_the_keys(pairs: list[tuple[int, int]]) -> None:
    again = [(stream, first + index) for stream, first, count in runs(keys(pairs)) for index in range(count)]
    assert again == pairs


@given(arrivals)
def test_unique_and_duplicates_are_those_of_a_set(pairs: list[tuple[int, int]]) -> None:
    sighting = Sighting()
    fresh = sum(sighting.add(run) for run in runs(keys(pairs)))
    assert sighting.unique == fresh == len(set(pairs))
    assert sighting.duplicates == len(pairs) - len(set(pairs))


@given(arrivals)
def test_missing_are_the_gaps_of_each_stream(pairs: list[tuple[int, int]]) -> None:
    sighting = Sighting()
    for run in runs(keys(pairs)):
        sighting.add(run)
    numbers = [{number for stream, number in pairs if stream == wanted} for wanted in range(4)]
    assert sighting.missing() == sum(max(seen) - min(seen) + 1 - len(seen) for seen in numbers if seen)


@given(arrivals)
def test_out_of_order_is_what_comes_after_a_later_one(pairs: list[tuple[int, int]]) -> None:
    order = ConsumerOrder()
    for run in runs(keys(pairs)):
        order.add(run)
    late = [
        number <= max((before for earlier, before in pairs[:index] if earlier == stream), default=-1)
        for index, (stream, number) in enumerate(pairs)
    ]
    assert order.out_of_order == sum(late)


def test_a_read_of_consecutive_messages_is_one_run() -> None:
    assert list(runs(range(5 * STREAM + 7, 5 * STREAM + 107))) == [(5, 7, 100)]


def test_the_last_number_of_a_stream_and_the_first_of_the_next_are_two_runs() -> None:
    assert list(runs([0, STREAM])) == [(0, 0, 1), (1, 0, 1)]


def test_no_keys_are_no_runs() -> None:
    assert list(runs([])) == []


def test_a_drain_that_begins_in_the_middle_misses_nothing() -> None:
    sighting = Sighting()
    sighting.add((0, 1_000_000, 10))
    assert (sighting.unique, sighting.missing()) == (10, 0)
