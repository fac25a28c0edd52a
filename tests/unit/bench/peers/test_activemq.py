"""ActiveMQ as a peer: a configuration that is well-formed, and durable."""

from pathlib import Path
from xml.etree import ElementTree as ET

from segue.bench.peers.activemq import ActiveMQ

CORE = "{http://activemq.apache.org/schema/core}"


def test_its_store_and_its_listener_are_its_own(tmp_path: Path) -> None:
    broker = ActiveMQ(tmp_path)
    broker.data_directory.mkdir(parents=True)
    broker.configure()
    tree = ET.parse(broker.directory / "activemq.xml")
    store = tree.find(f".//{CORE}kahaDB")
    connector = tree.find(f".//{CORE}transportConnector")
    assert store is not None
    assert connector is not None
    assert Path(store.attrib["directory"]).is_relative_to(tmp_path / "activemq")
    assert connector.attrib["uri"].startswith(f"stomp+nio://127.0.0.1:{broker.port}")


def test_its_syncs_are_not_turned_off(tmp_path: Path) -> None:
    broker = ActiveMQ(tmp_path)
    broker.data_directory.mkdir(parents=True)
    broker.configure()
    assert "Sync" not in (broker.directory / "activemq.xml").read_text(encoding="utf-8")


def test_the_virtual_machine_is_told_where_everything_is(tmp_path: Path) -> None:
    command = ActiveMQ(tmp_path).command()
    assert command[0] == "java"
    assert f"xbean:file:{tmp_path}/activemq/activemq.xml" in command
