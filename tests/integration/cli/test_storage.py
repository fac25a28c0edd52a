"""`segue storage` on the stores of real daemons: running, killed, damaged, salvaged."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from segue.broker.exit_codes import ExitCode
from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.integration.cli.conftest import Done, run_segue, wait_for_segments

SETTINGS = {"storage.checkpoint_interval_seconds": 1, "storage.segment_bytes_min": 65536}
COUNT = 2000


def publish(broker: BrokerProcess, queue: str, first: int, count: int) -> None:
    with broker.client() as client:
        for number in range(first, first + count):
            client.publish(f"/queue/{queue}", b"%d " % number + b"x" * 200)
        client.publish_confirmed("/queue/last", b"everything before this is on disk")


def take_all(broker: BrokerProcess, queue: str, count: int) -> list[int]:
    with broker.client() as client:
        client.subscribe(f"/queue/{queue}", ack="auto")
        return [int(client.expect("MESSAGE").body.split()[0]) for _ in range(count)]


def storage(action: str, *words: str | Path, exit_code: int = 0) -> Done:
    done = run_segue("storage", action, *map(str, words))
    assert done.exit_code == exit_code, done
    return done


@pytest.fixture(scope="module")
def _left_behind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a daemon leaves that is killed: messages in segments and in the journal."""
    broker = BrokerProcess(tmp_path_factory.mktemp("killed") / "data", settings=SETTINGS)
    with broker:
        publish(broker, "orders", 1, COUNT)
        wait_for_segments(broker, "orders")
        assert broker.stop() == 0
        # No checkpoint from here on, and two confirmations: so the journal has two batches, and damage to the first is
        # not the torn tail of a crash.
        broker.settings["storage.checkpoint_interval_seconds"] = 3600
        broker.start()
        publish(broker, "orders", COUNT + 1, 50)
        publish(broker, "orders", COUNT + 51, 50)
    return broker.data


@pytest.fixture
def killed(_left_behind: Path, broker_factory: BrokerFactory, tmp_path: Path) -> BrokerProcess:
    """A daemon with messages in segments and in the journal, killed."""
    data = tmp_path / "killed"
    # The socket that it left is none of the store's.
    shutil.copytree(_left_behind, data, ignore=shutil.ignore_patterns("control.sock"))
    return broker_factory(started=False, data=data, settings=SETTINGS)


def segment_of(root: Path) -> Path:
    return next((root / "segments").rglob("*.db"))


def spoil(path: Path, old: bytes) -> None:
    data = bytearray(path.read_bytes())
    data[data.index(old)] ^= 0x20
    path.write_bytes(data)


def test_the_store_of_a_running_daemon_is_checked_and_shown(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(settings=SETTINGS)
    for round_number in range(5):
        publish(broker, "orders", 1 + 500 * round_number, 500)
        done = storage("check", "--data", broker.data, "--json")
        assert done.json["pid"] == broker.pid
        assert done.json["findings"] == []
        shown = storage("show", "--data", broker.data, "--json").json
        (orders,) = (log for log in shown["logs"] if log["name"] == "orders")
        assert orders["owed"] == 500 * (round_number + 1)
    assert "no damage" in storage("check", "--data", broker.data).out
    assert take_all(broker, "orders", 2500) == list(range(1, 2501))


def test_the_store_of_a_killed_daemon_is_sound_and_no_tool_changes_it(killed: BrokerProcess) -> None:
    before = {path: path.read_bytes() for path in killed.data.rglob("*") if path.is_file()}
    assert storage("check", "--data", killed.data, "--json").json["counts"]["owed"] >= COUNT + 100
    assert "orders" in storage("show", "--data", killed.data).out
    assert before == {path: path.read_bytes() for path in killed.data.rglob("*") if path.is_file()}
    killed.start()
    assert take_all(killed, "orders", COUNT + 100) == list(range(1, COUNT + 101))


def test_a_damaged_message_is_found_and_the_salvaged_store_has_all_others(
    killed: BrokerProcess, broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    """Faults 22 and 23."""
    spoil(segment_of(killed.data), b"777 xxx")
    found = storage("check", "--data", killed.data, "--json", exit_code=ExitCode.CHECK_FOUND_DAMAGE).json
    assert {finding["kind"] for finding in found["findings"]} == {"record", "missing"}
    assert {finding["first"] for finding in found["findings"]} == {777}
    target = tmp_path / "salvaged"
    done = storage("salvage", killed.data, target, exit_code=ExitCode.SALVAGE_INCOMPLETE)
    assert "LOST  orders (log 1): message 777" in done.out
    assert "no damage" in storage("check", "--data", target).out
    successor = broker_factory(data=target)
    expected = [number for number in range(1, COUNT + 101) if number != 777]
    assert take_all(successor, "orders", len(expected)) == expected


def test_what_was_set_aside_can_be_given_up(killed: BrokerProcess) -> None:
    spoil(segment_of(killed.data), b"777 xxx")
    killed.start()
    data = str(killed.data)
    with killed.client() as client:
        client.subscribe("/queue/orders", ack="auto")
        assert [int(client.expect("MESSAGE").body.split()[0]) for _ in range(COUNT)][775:777] == [776, 778]
    (set_aside,) = run_segue("queue", "show", "orders", "--json", "--data", data).json["set_aside"]
    assert (set_aside["first"], set_aside["last"]) == (777, 777)
    assert "set aside: message" in run_segue("queue", "show", "orders", "--data", data).out
    run_segue("queue", "purge", "orders", "--data", data)
    assert run_segue("queue", "show", "orders", "--json", "--data", data).json["quarantined"] == 1
    assert run_segue("queue", "purge", "orders", "--set-aside", "--json", "--data", data).json["purged"] == 1
    assert run_segue("queue", "show", "orders", "--json", "--data", data).json["quarantined"] == 0


def test_a_damaged_journal_is_refused_by_the_daemon_and_salvaged(
    killed: BrokerProcess, broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    """Fault 24."""
    start = storage("show", "--data", killed.data, "--json").json["journal"]["replayed_from"]
    journal = min(path for path in (killed.data / "journal").iterdir() if not path.name.startswith("free"))
    data = bytearray(journal.read_bytes())
    data[start - int(journal.stem, 16) + 100] ^= 1
    journal.write_bytes(data)
    killed.launch()
    assert killed.wait() == ExitCode.STORE_DAMAGED
    assert "segue storage salvage" in killed.log
    found = storage("check", "--data", killed.data, "--json", exit_code=ExitCode.CHECK_FOUND_DAMAGE).json
    (finding,) = (finding for finding in found["findings"] if finding["kind"] == "journal")
    assert (finding["path"], finding["bytes"] > 0) == (f"journal/{journal.name}", True)
    target = tmp_path / "salvaged"
    done = storage("salvage", killed.data, target, "--json", exit_code=ExitCode.SALVAGE_INCOMPLETE).json
    assert done["may_repeat"] is True
    successor = broker_factory(data=target)
    assert take_all(successor, "orders", COUNT) == list(range(1, COUNT + 1))


def test_queues_are_found_again_without_a_catalog(
    killed: BrokerProcess, broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    for name in ("catalog.db", "catalog.db-wal"):
        (killed.data / name).unlink(missing_ok=True)
    for path in (killed.data / "journal").iterdir():
        path.unlink()
    target = tmp_path / "salvaged"
    done = storage("salvage", killed.data, target, "--json", exit_code=ExitCode.SALVAGE_INCOMPLETE).json
    assert done["renamed"] == {"1": "orders"}, "the name is in the messages"
    successor = broker_factory(data=target)
    messages = done["counts"]["messages"]
    assert take_all(successor, "orders", messages) == list(range(1, messages + 1))


def test_a_store_that_is_in_use_is_not_salvaged(broker_factory: BrokerFactory, tmp_path: Path) -> None:
    broker = broker_factory()
    done = storage("salvage", broker.data, tmp_path / "target", exit_code=ExitCode.REFUSED)
    assert str(broker.pid) in done.err
    assert not (tmp_path / "target").exists()


def test_a_salvage_writes_over_nothing(killed: BrokerProcess, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "precious").write_text("mine")
    done = storage("salvage", killed.data, tmp_path / "target", exit_code=ExitCode.REFUSED)
    assert "something already" in done.err
    assert (tmp_path / "target" / "precious").read_text() == "mine"


def test_segments_and_journal_files_are_dumped(killed: BrokerProcess) -> None:
    lines = storage("dump", segment_of(killed.data), "--json").json_lines
    assert lines[0]["type"] == "segment"
    assert lines[1]["body"].startswith("1 xxx")
    assert ["destination", "/queue/orders"] in lines[1]["headers"]
    for path in (killed.data / "journal").iterdir():
        storage("dump", path)
    spoil(segment_of(killed.data), b"777 xxx")
    assert "DAMAGE" in storage("dump", segment_of(killed.data), exit_code=ExitCode.CHECK_FOUND_DAMAGE).out


def test_a_file_that_is_no_part_of_a_store_is_not_dumped(killed: BrokerProcess) -> None:
    done = storage("dump", killed.data / "LOCK", exit_code=ExitCode.USAGE)
    assert "neither a segment nor a file of the journal" in done.err
    storage("dump", killed.data / "nothing", exit_code=ExitCode.STORE_UNUSABLE)


def test_a_newer_store_is_refused_with_its_exit_code(killed: BrokerProcess, tmp_path: Path) -> None:
    """Fault 28."""
    connection = sqlite3.connect(killed.data / "catalog.db")
    with connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    for words in (("check", "--data", killed.data), ("show", "--data", killed.data)):
        assert "version 99" in storage(*words, exit_code=ExitCode.STORE_NEWER_FORMAT).err
    storage("salvage", killed.data, tmp_path / "target", exit_code=ExitCode.STORE_NEWER_FORMAT)


@pytest.mark.parametrize("action", ["check", "show"])
def test_a_directory_that_is_not_there_is_said(action: str, tmp_path: Path) -> None:
    done = storage(action, "--data", tmp_path / "nothing", exit_code=ExitCode.STORE_UNUSABLE)
    assert str(tmp_path / "nothing") in done.err


def test_the_levels_of_a_queue_are_shown_and_come_along_in_a_salvage(
    broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    broker = broker_factory()
    sent = [(b"%d" % number, number % 3 * 4) for number in range(30)]
    with broker.client() as client:
        for body, priority in sent:
            client.publish("/queue/orders", body, headers={"x-max-priority": "9", "priority": str(priority)})
        client.publish_confirmed("/queue/last", b"")
    broker.kill()
    rows = storage("show", "--data", broker.data, "--json").json["logs"]
    levels = [(row["kind"], row["owed"]) for row in rows if row["name"] == "orders"]
    assert sorted(levels) == [("level", 10), ("level", 10), ("queue", 10)]
    assert "no damage" in storage("check", "--data", broker.data).out
    for file in broker.data.glob("catalog.db*"):
        file.unlink()
    target = tmp_path / "salvaged"
    storage("salvage", broker.data, target, exit_code=ExitCode.SALVAGE_INCOMPLETE)
    successor = broker_factory(data=target)
    with successor.client() as client:
        client.subscribe("/queue/orders", headers={"prefetch-count": "100"})
        client.expect_messages(*[body for body, _ in sorted(sent, key=lambda one: -one[1])])
