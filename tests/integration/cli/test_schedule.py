"""`segue schedule`: what waits is listed, counted and cancelled."""

from __future__ import annotations

from segue.broker.exit_codes import ExitCode
from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.integration.cli.conftest import Segue, run_segue

__all__: list[str] = []


def send(broker: BrokerProcess, queue: str, body: bytes, delay: str = "3600000") -> str:
    """Send for later; returns what the message is called."""
    with broker.client() as client:
        client.publish(f"/queue/{queue}", body, receipt="r", headers={"delay": delay})
        return client.expect_receipt("r")["schedule-id"]


def test_what_waits_is_shown_and_cancelled(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    names = [send(broker, queue, body) for body in (b"a", b"bb", b"ccc")]
    rows = segue("schedule", "list", "--queue", queue, "--json").json
    assert [row["schedule_id"] for row in rows] == names
    assert rows[0]["targets"] == [{"kind": "queue", "name": queue}]
    assert round(rows[0]["due_ms"] - rows[0]["accepted_ms"], -4) == 3_600_000
    assert names[2] in segue("schedule", "list").out
    assert segue("queue", "show", queue, "--json").json["delayed"] == 3
    assert segue("schedule", "cancel", names[1]).out == "cancelled\n"
    assert segue("queue", "show", queue).out.count("delayed") == 1
    assert segue("schedule", "clear", "--queue", queue).out == "2 messages cancelled\n"
    assert segue("schedule", "list", "--queue", queue, "--json").json == []
    assert "delayed" not in segue("queue", "show", queue).out


def test_what_is_not_there_is_not_found(segue: Segue) -> None:
    done = segue("schedule", "cancel", "1-2-3", exit_code=ExitCode.REFUSED)
    assert "was delivered, or cancelled" in done.err
    segue("schedule", "cancel", "nonsense", exit_code=ExitCode.USAGE)


def test_after_a_kill_what_was_cancelled_stays_so_and_the_rest_is_counted(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    names = [send(broker, "q", b"%d" % number) for number in range(20)]
    arguments = ("--data", str(broker.data))
    for name in names[5:8]:
        assert run_segue("schedule", "cancel", name, *arguments).exit_code == 0
    broker.kill()
    broker.start()
    rows = run_segue("schedule", "list", "--json", *arguments).json
    assert [row["schedule_id"] for row in rows] == names[:5] + names[8:]
    assert run_segue("status", "--json", *arguments).json["schedule"]["delayed"] == 17
