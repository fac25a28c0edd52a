"""Faults 15, 16 and 22 to 28 from outside: what a running daemon says and serves when files or the disk are broken."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from segue.broker.exit_codes import ExitCode
from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.helpers.stomp_client import ConnectionEnded, StompClient
from tests.integration.cli.conftest import run_segue, wait_for_segments

__all__: list[str] = []

SETTINGS = {"storage.checkpoint_interval_seconds": 1, "storage.segment_bytes_min": 65536}
COUNT = 1000
QUEUES = ("orders", "bills")


def publish(broker: BrokerProcess, queue: str, first: int, count: int) -> None:
    with broker.client() as client:
        for number in range(first, first + count - 1):
            client.publish(f"/queue/{queue}", b"%d " % number + b"x" * 200)
        client.publish_confirmed(f"/queue/{queue}", b"%d " % (first + count - 1) + b"x" * 200)


def take(broker: BrokerProcess, queue: str, count: int) -> list[int]:
    with broker.client() as client:
        client.subscribe(f"/queue/{queue}", ack="auto")
        found = [int(client.expect("MESSAGE").body.split()[0]) for _ in range(count)]
        client.expect_no_message()
        return found


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a daemon that was killed: two queues, each with a segment, and with messages in the journal."""
    broker = BrokerProcess(tmp_path_factory.mktemp("killed") / "data", settings=SETTINGS)
    with broker:
        for queue in QUEUES:
            publish(broker, queue, 1, COUNT)
            wait_for_segments(broker, queue)
        assert broker.stop() == 0
        # No checkpoint from here on: so the journal has a batch for each queue, and damage to the first no torn tail.
        broker.settings["storage.checkpoint_interval_seconds"] = 3600
        broker.start()
        for queue in QUEUES:
            publish(broker, queue, COUNT + 1, 10)
    return broker.data


MakeKilled = Callable[..., BrokerProcess]


@pytest.fixture
def killed(left_behind: Path, broker_factory: BrokerFactory, tmp_path: Path) -> MakeKilled:
    """A daemon that is not started yet, on a copy of that store."""

    def make(**options: object) -> BrokerProcess:
        shutil.copytree(left_behind, tmp_path / "data", ignore=shutil.ignore_patterns("control.sock"))
        return broker_factory(started=False, data=tmp_path / "data", settings=SETTINGS, **options)

    return make


def segment_of(data: Path, queue: str) -> Path:
    """The first segment of a queue."""
    (log,) = (
        log
        for log in run_segue("storage", "show", "--data", str(data), "--json").json["logs"]
        if log.get("name") == queue
    )
    return min((data / "segments" / str(log["id"])).iterdir())


def numbers_in(segment: Path) -> list[int]:
    first, last = segment.stem.split("-")
    return list(range(int(first), int(last) + 1))


def spoil_page(path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(16384)
        file.write(b"\xff" * 16384)


def everything() -> list[int]:
    return list(range(1, COUNT + 11))


def files_in(data: Path) -> dict[str, bytes]:
    """Everything but what a refused start may leave: the lock."""
    found = {str(p.relative_to(data)): p.read_bytes() for p in data.rglob("*") if p.is_file() and p.name != "LOCK"}
    assert "catalog.db" in found
    return found


# -- files


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(spoil_page, id="a page is spoilt"),
        pytest.param(lambda path: path.write_bytes(b""), id="zero length"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:50_000]), id="truncated"),
        pytest.param(Path.unlink, id="missing"),
    ],
)
def test_a_broken_segment_costs_what_is_in_it_and_the_rest_is_served(
    killed: MakeKilled, damage: Callable[[Path], object]
) -> None:
    """Faults 23 and 25: named in the log, listed by the check, and the messages are owed, not gone."""
    broker = killed()
    segment = segment_of(broker.data, "orders")
    inside = numbers_in(segment)
    damage(segment)
    done = run_segue("storage", "check", "--data", str(broker.data))
    assert done.exit_code == ExitCode.CHECK_FOUND_DAMAGE
    assert segment.name in done.out + done.err
    broker.start()
    assert take(broker, "bills", len(everything())) == everything()
    with broker.client() as client:
        client.subscribe("/queue/orders", ack="auto")
        found: list[int] = []
        while not found or found[-1] != everything()[-1]:
            found.append(int(client.expect("MESSAGE").body.split()[0]))
    assert set(everything()) - set(found) <= set(inside)
    shown = run_segue("queue", "show", "orders", "--json", "--data", str(broker.data)).json
    assert shown["quarantined"] == len(everything()) - len(found) > 0
    assert segment.name in broker.log or "set aside" in broker.log
    assert broker.stop() == 0


def test_an_extra_segment_is_not_served_and_goes(killed: MakeKilled) -> None:
    """Fault 25."""
    broker = killed()
    segment = segment_of(broker.data, "orders")
    extra = segment.with_name("5000-5999.db")
    shutil.copy(segment, extra)
    broker.start()
    assert take(broker, "orders", len(everything())) == everything()
    assert not extra.exists()


def test_a_spoilt_catalog_is_refused_with_its_exit_code_and_left_alone(killed: MakeKilled) -> None:
    """Fault 23: what it named can't be known."""
    broker = killed()
    broker.start()
    assert broker.stop() == 0
    catalog = broker.data / "catalog.db"
    data = bytearray(catalog.read_bytes())
    for at in range(4096, len(data), 4096):
        data[at : at + 100] = b"\xff" * 100
    catalog.write_bytes(data)
    before = files_in(broker.data)
    broker.launch()
    assert broker.wait() == ExitCode.STORE_DAMAGED
    assert "catalog.db" in broker.log
    assert files_in(broker.data).keys() == before.keys()
    assert catalog.read_bytes() == bytes(data)


def test_a_damaged_journal_is_refused_with_file_offset_and_size(killed: MakeKilled) -> None:
    """Fault 24."""
    broker = killed()
    start = run_segue("storage", "show", "--data", str(broker.data), "--json").json["journal"]["replayed_from"]
    files = (path for path in (broker.data / "journal").iterdir() if path.stem.isalnum())
    journal = max(path for path in files if int(path.stem, 16) <= start)
    data = bytearray(journal.read_bytes())
    data[start - int(journal.stem, 16) + 100] ^= 1
    journal.write_bytes(data)
    broker.launch()
    assert broker.wait() == ExitCode.STORE_DAMAGED
    assert f"journal/{journal.name}: offset {start - int(journal.stem, 16)}, " in broker.log


def test_a_store_of_a_newer_format_is_refused_with_its_exit_code_and_nothing_is_written(killed: MakeKilled) -> None:
    """Fault 28."""
    broker = killed()
    connection = sqlite3.connect(broker.data / "catalog.db")
    with connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    before = files_in(broker.data)
    broker.launch()
    assert broker.wait() == ExitCode.STORE_NEWER_FORMAT
    assert "format version 99" in broker.log
    assert files_in(broker.data) == before


def test_a_directory_that_can_not_be_written_is_refused_with_path_and_reason(broker_factory: BrokerFactory) -> None:
    """Fault 27: /sys takes no folder from anybody, mounted read-only or not."""
    broker = broker_factory(started=False, data=Path("/sys/segue"))
    broker.launch()
    assert broker.wait() == ExitCode.STORE_UNUSABLE
    assert "/sys/segue: " in broker.log


# -- the disk


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """What is broken: see broken_disk.py."""
    return tmp_path / "broken"


def test_a_segment_that_can_not_be_read_holds_its_queue_and_no_other_until_it_can(
    killed: MakeKilled, state: Path
) -> None:
    """Fault 26."""
    broker = killed(module="tests.faults.broken_disk", environment={"BROKEN_DISK_FILE": str(state)})
    segment = segment_of(broker.data, "orders")
    state.write_text(f"read segments/{segment.parent.name}/{segment.name}")
    broker.start()
    with broker.client() as client:
        client.subscribe("/queue/orders", ack="auto")
        broker.wait_for_log("Input/output error")
        assert take(broker, "bills", len(everything())) == everything()
        publish(broker, "orders", COUNT + 11, 5)
        client.expect_no_message()
        assert "Input/output error" in run_segue("queue", "show", "orders", "--data", str(broker.data)).out
        state.write_text("")
        found = [int(client.expect("MESSAGE").body.split()[0]) for _ in range(len(everything()) + 5)]
    assert found == list(range(1, COUNT + 16)), "nothing was set aside, and nothing has overtaken"


def expect_no_receipt(client: StompClient) -> None:
    """Whatever else the daemon says before it ends."""
    while True:
        assert client.receive().command != "RECEIPT"


def test_a_journal_that_can_not_be_written_ends_the_daemon_with_its_exit_code_and_confirms_nothing(
    killed: MakeKilled, state: Path
) -> None:
    """Faults 15 and 16: as often as it is started."""
    broker = killed(module="tests.faults.broken_disk", environment={"BROKEN_DISK_FILE": str(state)})
    for _ in range(2):
        broker.start()
        client = broker.client()
        state.write_text("write")
        client.publish("/queue/orders", b"-1", headers={"receipt": "r"})
        with pytest.raises(ConnectionEnded):
            expect_no_receipt(client)
        assert broker.wait() == ExitCode.DISK_FAILED
        assert "Input/output error" in broker.log
        state.write_text("")
    broker.start()
    assert take(broker, "orders", len(everything())) == everything()
