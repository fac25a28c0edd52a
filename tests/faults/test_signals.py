"""Fault 13, 14, 106: signals and a second daemon, under load."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.campaign import BUSY_STORE, Campaign
from tests.helpers.broker_process import BrokerFactory, BrokerProcess, DaemonDied
from tests.helpers.stomp_client import ConnectionEnded, StompClient

__all__: list[str] = []


@pytest.fixture
def campaign(broker_factory: BrokerFactory) -> Iterator[Campaign]:
    """A daemon under load."""
    seed = random.getrandbits(32)
    print(f"campaign seed {seed}")
    campaign = Campaign(broker_factory(started=False, settings=BUSY_STORE), seed)
    campaign.start()
    campaign.load()
    campaign.run_for(1.0)
    yield campaign
    campaign.broker.kill()
    campaign.join()


def drain_and_judge(campaign: Campaign, directory: Path) -> None:
    campaign.start()
    campaign.drain()
    campaign.judge(directory)


def test_sigterm_under_load_keeps_every_confirmation(campaign: Campaign, tmp_path: Path) -> None:
    """Fault 106, L11."""
    assert campaign.stop() == 0, campaign.broker.log
    drain_and_judge(campaign, tmp_path)


def test_a_second_sigterm_ends_the_daemon_at_once_and_keeps_every_confirmation(
    broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    """Fault 106: without it, this daemon would wait a minute for the client that does not leave."""
    broker = broker_factory(settings={"limits.drain_seconds": 60})
    client = broker.client()
    client.publish_confirmed("/queue/kept", b"kept")
    broker.signal(signal.SIGTERM)
    broker.wait_for_log("signal=SIGTERM")
    broker.signal(signal.SIGTERM)
    assert broker.wait(30.0) in (0, 128 + signal.SIGTERM), broker.log
    broker.start()
    other = broker.client()
    other.subscribe("/queue/kept")
    other.expect_message(b"kept")


def test_sigterm_during_recovery_ends_the_daemon(broker_factory: BrokerFactory) -> None:
    """Fault 106."""
    broker = broker_factory()
    broker.client().publish_confirmed("/queue/kept", b"kept")
    broker.kill()
    start_seconds = broker.ready_seconds
    for part in (0.3, 0.5, 0.7, 0.9):
        broker.launch()
        broker.signal_after(part * start_seconds, signal.SIGTERM)
        # Before Python has its handlers in place, the kernel's default ends it.
        assert broker.wait() in (0, -signal.SIGTERM), broker.log
    broker.start()
    other = broker.client()
    other.subscribe("/queue/kept")
    other.expect_message(b"kept")


def test_a_second_daemon_on_the_same_directory_is_refused_and_told_who_holds_it(campaign: Campaign) -> None:
    """Fault 14."""
    second = BrokerProcess(campaign.broker.data)
    with pytest.raises(DaemonDied) as refusal:
        second.start()
    assert refusal.value.exit_code == 1
    assert str(campaign.broker.pid) in refusal.value.log
    assert "Traceback" not in refusal.value.log
    campaign.run_for(0.5)
    campaign.rest()


def test_a_daemon_that_was_stopped_and_continued_has_lost_no_confirmation(campaign: Campaign, tmp_path: Path) -> None:
    """Fault 13."""
    # Longer than the two seconds for which a heart may be silent.
    pause_and_check(campaign, tmp_path, pause_seconds=2.5)


@pytest.mark.long
def test_a_daemon_that_was_stopped_for_a_minute_has_lost_no_confirmation(
    broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    """Fault 13."""
    campaign = Campaign(broker_factory(started=False, settings=BUSY_STORE), random.getrandbits(32))
    campaign.patience_seconds = 90.0
    campaign.start()
    campaign.load()
    campaign.run_for(1.0)
    pause_and_check(campaign, tmp_path, pause_seconds=60.0)


def pause_and_check(campaign: Campaign, directory: Path, *, pause_seconds: float) -> None:
    """Stop the daemon with SIGSTOP; one client beats its heart all the while, one does not, one never promised to."""
    beating, silent, free = (campaign.broker.raw_client() for _ in range(3))
    beating.connect(heart_beat="1000,0")
    silent.connect(heart_beat="1000,0")
    free.connect()
    campaign.broker.pause()
    beat_for(pause_seconds, beating)
    refuse_second_owner(campaign)
    campaign.broker.resume()
    beat_until_ended(beating, silent)
    for client in (beating, free):
        client.publish_confirmed("/queue/alive", b"")
    campaign.run_for(1.0)
    campaign.rest()
    assert campaign.stop() == 0, campaign.broker.log
    drain_and_judge(campaign, directory)


def beat_for(seconds: float, client: StompClient) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        client.send_bytes(b"\n")
        time.sleep(0.3)


def refuse_second_owner(campaign: Campaign) -> None:
    with pytest.raises(DaemonDied) as refusal:
        BrokerProcess(campaign.broker.data).start()
    assert refusal.value.exit_code == 1


def beat_until_ended(beating: StompClient, silent: StompClient) -> None:
    """Wait for the daemon to give up on the silent client, while the other goes on beating."""
    deadline = time.monotonic() + 60.0
    silent.socket.settimeout(0.3)
    while time.monotonic() < deadline:
        beating.send_bytes(b"\n")
        if ended(silent):
            return
    pytest.fail("a client whose heart has stopped was not given up")


def ended(client: StompClient) -> bool:
    try:
        while client.receive(0.3).command in ("MESSAGE", "ERROR"):
            continue
    except ConnectionEnded:
        return True
    except AssertionError:
        return False
    return False
