"""RabbitMQ as a peer: ports and files of its own."""

from pathlib import Path

from segue.bench.peers.rabbitmq import RabbitMQ


def test_its_listeners_are_on_loopback_and_on_ports_that_no_service_has(tmp_path: Path) -> None:
    broker = RabbitMQ(tmp_path, "quorum")
    broker.data_directory.mkdir(parents=True)
    broker.configure()
    lines = (broker.directory / "rabbitmq.conf").read_text(encoding="utf-8").splitlines()
    assert "listeners.tcp.1 = 127.0.0.1:18672" in lines
    assert f"stomp.listeners.tcp.1 = 127.0.0.1:{broker.port}" in lines


def test_all_that_it_writes_is_below_its_directory(tmp_path: Path) -> None:
    broker = RabbitMQ(tmp_path, "classic")
    environment = broker.environment()
    paths = [environment[name] for name in ("HOME", "RABBITMQ_LOG_BASE", "RABBITMQ_MNESIA_BASE")]
    assert all(Path(path).is_relative_to(tmp_path / "rabbitmq-classic") for path in paths)


def test_its_port_mapper_is_not_that_of_the_machine(tmp_path: Path) -> None:
    assert RabbitMQ(tmp_path, "quorum").environment()["ERL_EPMD_PORT"] not in ("", "4369")


def test_queues_are_used_by_a_name_that_declares_nothing(tmp_path: Path) -> None:
    assert RabbitMQ(tmp_path, "quorum").target("bench-1", 2).queue(1) == "/amq/queue/bench-1-1"


def test_its_http_api_is_there_when_it_is_wanted_and_on_loopback(tmp_path: Path) -> None:
    broker = RabbitMQ(tmp_path, "quorum", management=True)
    broker.data_directory.mkdir(parents=True)
    broker.configure()
    lines = (broker.directory / "rabbitmq.conf").read_text(encoding="utf-8").splitlines()
    assert {"management.tcp.ip = 127.0.0.1", f"management.tcp.port = {broker.http_port}"} <= set(lines)
    plugins = (broker.directory / "enabled_plugins").read_text(encoding="utf-8")
    assert plugins == "[rabbitmq_stomp,rabbitmq_management].\n"
    assert RabbitMQ(tmp_path, "quorum").http_port == 0
