"""Tests of segue.broker.jobs.allowance: with the clock of the event loop, which jumps."""

from __future__ import annotations

import pytest
import trio

from segue.broker.jobs.allowance import Allowance


@pytest.mark.parametrize("rate", [1, 7, 1000])
async def test_so_many_a_second_are_allowed(autojump_clock: trio.testing.MockClock, rate: int) -> None:
    allowance = Allowance(rate)
    began, used = trio.current_time(), 0
    while trio.current_time() - began < 60:
        allowed = await allowance.wait()
        used += allowed
        allowance.use(allowed)
    assert 59 * rate <= used <= 61 * rate + 1


async def test_who_was_kept_waiting_does_not_make_up_for_it(autojump_clock: trio.testing.MockClock) -> None:
    allowance = Allowance(100)
    await trio.sleep(60)
    assert await allowance.wait() == 10


async def test_without_a_rate_nothing_is_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    began = trio.current_time()
    allowance = Allowance(0)
    for _ in range(10):
        allowance.use(await allowance.wait() // 2)
    assert trio.current_time() == began
