"""`segue queue move, copy, redrive` and `segue job`: messages of a running broker go where an operator wants them."""

from __future__ import annotations

from segue.broker.exit_codes import ExitCode
from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.integration.cli.conftest import Segue


def fill(broker: BrokerProcess, queue: str, count: int) -> None:
    """Messages 0, 1, 2 and so on, each with its remainder by three in a header."""
    with broker.client() as client:
        for number in range(count):
            client.publish(f"/queue/{queue}", b"%d" % number, headers={"third": str(number % 3)})
        client.publish_confirmed("/queue/filled", b"")


def bodies(broker: BrokerProcess, queue: str, count: int) -> list[int]:
    """What a consumer gets."""
    with broker.client() as client:
        client.subscribe(f"/queue/{queue}", ack="auto")
        found = [int(client.expect_message().body) for _ in range(count)]
        client.expect_no_message()
        return found


def test_what_a_filter_matches_moves_and_the_rest_stays(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    fill(broker, queue, 3000)
    done = segue("queue", "move", queue, f"{queue}-to", "--filter", "third = 1", "--json")
    assert (done.json["state"], done.json["looked_at"], done.json["passed_on"]) == ("done", 3000, 1000)
    assert segue("queue", "show", queue, "--json").json["ready"] == 2000
    assert bodies(broker, f"{queue}-to", 1000) == list(range(1, 3000, 3))
    assert bodies(broker, queue, 2000) == [number for number in range(3000) if number % 3 != 1]


def test_a_job_that_is_not_waited_for_is_watched_and_cancelled(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    fill(broker, queue, 50)
    job = segue("queue", "copy", queue, f"{queue}-to", "--rate", "1", "--no-wait", "--json").json
    assert job["state"] == "running"
    number = str(job["job"])
    assert segue("job", "show", number, "--json").json["queue"] == queue
    assert any(str(row["job"]) == number for row in segue("job", "list", "--json").json)
    assert f"{queue}-to" in segue("job", "list").out
    assert "cancelled" in segue("job", "cancel", number).out
    done = segue("job", "watch", number, "--json").json
    assert (done["state"], done["passed_on"] < 50) == ("cancelled", True)
    assert segue("queue", "show", queue, "--json").json["ready"] == 50


def test_dead_letters_are_sent_back(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    with broker.client() as client:
        client.subscribe(f"/queue/{queue}", ack="client-individual", headers={"x-dead-letter-queue": f"{queue}-dead"})
        client.publish_confirmed(f"/queue/{queue}", b"bad", headers={"kind": "x"})
        client.nack(client.expect_message(), headers={"requeue": "false"}, wait=True)
        client.publish_confirmed(f"/queue/{queue}", b"good")
        client.expect_message(b"good")
        assert segue("queue", "redrive", f"{queue}-dead", "--json").json["passed_on"] == 1
        message = client.expect_message(b"bad")
        assert (message["kind"], message["redriven-from"], message["x-delivery-count"]) == ("x", f"{queue}-dead", "1")
        assert message.get("dead-letter-from") is None


def test_what_cannot_be_done_is_said_with_the_next_step(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    assert "segue queue list" in segue("queue", "move", queue, "x", exit_code=ExitCode.REFUSED).err
    assert "segue job list" in segue("job", "show", "999999", exit_code=ExitCode.REFUSED).err
    fill(broker, queue, 1)
    assert "column" in segue("queue", "move", queue, "x", "--filter", "a = = b", exit_code=ExitCode.USAGE).err
    assert "no name" in segue("queue", "move", queue, "a*b", exit_code=ExitCode.USAGE).err


def test_a_job_that_runs_when_the_broker_is_killed_is_found_interrupted(
    broker_factory: BrokerFactory, segue: Segue
) -> None:
    broker = broker_factory()
    fill(broker, "orders", 20)
    segue("queue", "move", "orders", "to", "--rate", "1", "--no-wait", data=broker.data)
    broker.kill()
    broker.start()
    (job,) = segue("job", "list", "--json", data=broker.data).json
    assert (job["job"], job["kind"], job["queue"], job["state"]) == (1, "move", "orders", "interrupted")
    assert segue("queue", "move", "orders", "to", data=broker.data).out.startswith("job 2: done")
    assert bodies(broker, "to", 20) == list(range(20))
