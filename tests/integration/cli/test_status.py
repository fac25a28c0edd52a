"""`segue status`, and the socket that commands talk to."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from segue.broker.cli.control_client import ControlClient
from segue.broker.cli.failure import CommandFailure
from segue.broker.exit_codes import ExitCode
from segue.protocols.control.frames import Reply, ReplyReader, request_line
from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.integration.cli.conftest import Segue, run_segue


def client_of(broker: BrokerProcess, timeout_seconds: float = 60.0) -> ControlClient:
    return ControlClient(broker.data / "control.sock", broker.data, timeout_seconds)


def raw_client_of(broker: BrokerProcess) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(60.0)
    client.connect(str(broker.data / "control.sock"))
    return client


def test_the_status_says_what_an_operator_asks_first(broker: BrokerProcess, segue: Segue, queue: str) -> None:
    with broker.client() as client:
        client.publish_confirmed(f"/queue/{queue}", b"x")
        status = segue("status", "--json").json
    assert status["pid"] == broker.pid
    assert status["data_directory"] == str(broker.data)
    assert status["uptime_seconds"] > 0
    assert status["journal"]["position"] > 0
    assert status["journal"]["syncs"] > 0
    assert status["memory"]["resident_bytes"] > 1 << 20
    assert status["disk"]["free_bytes"] > 0
    assert status["pressure"] == {"publishers_held": False, "reasons": [], "held_since_ms": 0}
    assert status["checkpoints"]["fault"] == ""
    assert status["counts"]["connections"] == 1
    assert status["counts"]["queues"] >= 1
    assert str(broker.pid) in segue("status").out


def test_publishers_that_are_held_are_said_with_the_reason(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(settings={"storage.disk_free_bytes_min": 1 << 40})
    done = run_segue("status", "--data", str(broker.data))
    assert "HELD" in done.out
    assert "disk_free_bytes_min" in done.out


def test_a_message_that_can_not_be_taken_is_refused_with_the_reason(broker_factory: BrokerFactory) -> None:
    broker = broker_factory(settings={"storage.disk_free_bytes_min": 1 << 40})
    done = run_segue("queue", "publish", "q", "x", "--json", "--data", str(broker.data))
    assert (done.exit_code, done.json["error"]["code"]) == (ExitCode.REFUSED, "held")
    assert "disk_free_bytes_min" in done.err


def test_only_the_owner_may_use_the_socket_and_it_goes_with_the_daemon(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    path = broker.data / "control.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_ISSOCK(path.stat().st_mode)
    assert broker.stop() == 0
    assert not path.exists()


def test_a_socket_that_a_killed_daemon_left_is_replaced(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    broker.kill()
    assert (broker.data / "control.sock").exists()
    done = run_segue("status", "--data", str(broker.data))
    assert done.exit_code == ExitCode.UNREACHABLE
    broker.start()
    assert run_segue("status", "--data", str(broker.data)).exit_code == 0


def test_what_is_no_socket_is_not_removed(broker_factory: BrokerFactory, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("precious")
    broker = broker_factory(started=False, settings={"control.socket": mine})
    broker.launch()
    assert broker.wait() == ExitCode.LISTEN_FAILED
    assert mine.read_text() == "precious"
    assert str(mine) in broker.log


def test_a_data_directory_with_a_long_name_has_its_socket(broker_factory: BrokerFactory, tmp_path: Path) -> None:
    data = tmp_path / ("long-" * 20) / ("name-" * 20)
    data.parent.mkdir()
    broker_factory(data=data)
    assert run_segue("status", "--data", str(data)).exit_code == 0


def test_a_daemon_that_hangs_is_said_within_the_time_that_was_given(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    broker.pause()
    done = run_segue("status", "--timeout", "0.2", "--data", str(broker.data))
    broker.resume()
    assert done.exit_code == ExitCode.UNREACHABLE
    assert "0.2 s" in done.err


def test_whoever_holds_the_directory_without_answering_is_named(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    (broker.data / "control.sock").unlink()
    done = run_segue("status", "--data", str(broker.data))
    assert done.exit_code == ExitCode.UNREACHABLE
    assert str(broker.pid) in done.err


def test_requests_of_one_connection_are_answered_in_order(broker: BrokerProcess, queue: str) -> None:
    stream = b"".join(
        [
            request_line(1, "queue.declare", {"queue": queue}),
            b"nonsense\n",
            request_line("two", "queue.show", {"queue": queue}),
            request_line(3, "no.such.thing", {}),
            request_line(4, "queue.show", {"queue": queue, "loudly": True}),
            request_line(5, "queue.delete", {"queue": queue}),
        ]
    )
    reader = ReplyReader(1 << 20)
    replies: list[Reply] = []
    with raw_client_of(broker) as client:
        client.sendall(stream)
        while len(replies) < 6:
            replies += reader.receive_data(client.recv(65536))
    assert [(reply.id, reply.kind) for reply in replies] == [
        (1, "result"),
        (None, "error"),
        ("two", "result"),
        (3, "error"),
        (4, "error"),
        (5, "result"),
    ]
    assert [reply.value["code"] for reply in replies if reply.kind == "error"] == [
        "bad-request",
        "unknown-command",
        "bad-request",
    ]


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory(broker: BrokerProcess) -> None:
    resident_bytes = broker.resident_bytes()
    with raw_client_of(broker) as client, pytest.raises((BrokenPipeError, ConnectionResetError)):
        client.sendall(b"x" * (100 << 20))
    assert broker.resident_bytes() < resident_bytes + (64 << 20)
    with client_of(broker) as other:
        assert other.ask("status")["pid"] == broker.pid


def test_connections_beyond_the_limit_are_told_so(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    clients = []
    for _ in range(32):
        clients.append(client_of(broker))
        clients[-1].ask("status")
    with pytest.raises(CommandFailure) as caught, client_of(broker) as one_more:
        one_more.ask("status")
    assert caught.value.code == "too-many-connections"
    for client in clients:
        client.__exit__(None, None, None)
    with client_of(broker) as again:
        assert again.ask("status")["pid"] == broker.pid


def test_a_client_that_leaves_in_the_middle_of_an_answer_harms_nobody(broker: BrokerProcess, queue: str) -> None:
    with broker.client() as client:
        for _ in range(2000):
            client.publish(f"/queue/{queue}", b"x" * 1000)
        client.publish_confirmed(f"/queue/{queue}", b"x")
    for _ in range(3):
        with raw_client_of(broker) as client_that_leaves:
            client_that_leaves.sendall(request_line(1, "queue.browse", {"queue": queue}))
            client_that_leaves.recv(100)
    with client_of(broker) as other:
        assert other.ask("queue.show", {"queue": queue})["ready"] == 2001


def test_a_stop_of_the_daemon_is_said_to_a_command_that_waits(broker_factory: BrokerFactory) -> None:
    broker = broker_factory()
    with client_of(broker) as client:
        client.ask("status")
        assert broker.stop() == 0
        with pytest.raises(CommandFailure) as caught:
            client.ask("status")
    assert caught.value.exit_code == ExitCode.UNREACHABLE
