"""Fault 1, 12: `kill -9` under load and during recovery, and not one promise broken in the clients' own histories."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.faults.campaign import BUSY_STORE, Campaign, run_rounds
from tests.helpers.broker_process import BrokerFactory

__all__: list[str] = []

_READY_SECONDS_MAX = 30.0


@pytest.fixture
def seed() -> int:
    """Where every choice comes from; `--randomly-seed=...` makes it the same again."""
    seed = random.getrandbits(32)
    print(f"campaign seed {seed}")
    return seed


def finish(campaign: Campaign, directory: Path) -> None:
    """Read every queue to its end on a daemon that was just started, and judge what was seen."""
    campaign.start()
    campaign.drain()
    campaign.judge(directory)


def test_twenty_kills_under_load_break_no_promise(broker_factory: BrokerFactory, tmp_path: Path, seed: int) -> None:
    """Fault 1."""
    campaign = Campaign(broker_factory(started=False, settings=BUSY_STORE), seed)
    for _ in run_rounds(campaign, 20):
        continue
    finish(campaign, tmp_path)
    print(campaign.counts())
    assert campaign.counts()["redelivered"] > 0, "nothing was out at any crash: the load was too light to prove a thing"


@pytest.mark.long
@pytest.mark.parametrize("store", range(1, 5))
def test_two_hundred_kills_under_load_break_no_promise(
    broker_factory: BrokerFactory, tmp_path: Path, seed: int, store: int
) -> None:
    """Fault 1, L12: four stores, and each is killed fifty times."""
    campaign = Campaign(broker_factory(started=False, settings=BUSY_STORE), seed)
    for number in run_rounds(campaign, 50):
        assert campaign.broker.ready_seconds <= _READY_SECONDS_MAX
        if number % 10 == 9:
            finish(campaign, tmp_path)
            print(campaign.counts())
            campaign.kill()
            campaign.forget()


@pytest.mark.long
def test_kills_with_the_default_settings_break_no_promise(
    broker_factory: BrokerFactory, tmp_path: Path, seed: int
) -> None:
    """Fault 1, with long journals and few checkpoints."""
    campaign = Campaign(broker_factory(started=False), seed)
    for _ in run_rounds(campaign, 20):
        assert campaign.broker.ready_seconds <= _READY_SECONDS_MAX
    finish(campaign, tmp_path)


def test_twenty_kills_during_recovery_lead_to_the_same_store(
    broker_factory: BrokerFactory, tmp_path: Path, seed: int
) -> None:
    """Fault 12."""
    campaign = Campaign(broker_factory(started=False), seed)
    campaign.start()
    start_seconds = campaign.broker.ready_seconds
    campaign.load()
    campaign.run_for(3.0)
    campaign.kill()
    for _ in range(20):
        campaign.broker.launch()
        campaign.broker.kill_after(campaign.chance.uniform(0.4, 1.2) * start_seconds)
    finish(campaign, tmp_path)
