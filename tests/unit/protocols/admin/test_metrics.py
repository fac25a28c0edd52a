"""`/metrics`: every one is documented, read by Prometheus's own parser, and true."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from prometheus_client import Metric

from segue.broker.settings import Account
from segue.broker.settings.password_hash import PasswordHash
from segue.broker.users import hash_password
from segue.protocols.admin.metric_table import BROKER, QUEUES
from segue.protocols.admin.metrics import BUILD, Metrics, mount
from segue.protocols.http import Route
from segue.protocols.http.conversation import HttpConversation
from segue.protocols.http.exchange import plain_error
from tests.helpers.http_client import request
from tests.unit.protocols.admin.scrape import families_of
from tests.unit.protocols.http.http_world import HttpWorld
from tests.unit.protocols.tcp.fake_connection import FakeConnection

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "metrics.md"
SCRAPE = request("/metrics")


class MetricsWorld(HttpWorld):
    """A broker whose metrics are served, those of each queue included."""

    def __init__(self, nursery: trio.Nursery, *, per_queue: bool = True) -> None:
        super().__init__()
        self.nursery = nursery
        metrics = Metrics(self.node, per_queue=per_queue, cpu_seconds=lambda: 1.5)
        self.frontend.routes.add(Route("GET", "/metrics", metrics.serve, plain_error))

    def connect_anew(self, *, room: int = 1 << 40) -> None:
        """`room`: octets that the peer reads for the present."""
        self.connection = self.connect()
        self.connection.room = room
        self.conversation = self.connection.conversation

    async def scrape(self) -> dict[str, Metric]:
        """All families by their names."""
        self.say(SCRAPE)
        await self.run_tasks()
        assert b"content-type: application/openmetrics-text; version=1.0.0" in self.connection.written
        return {family.name: family for family in families_of(body_of(self.connection))}

    async def values(self) -> dict[str, float]:
        """Of the metrics that have no label, by their names."""
        samples = [sample for family in (await self.scrape()).values() for sample in family.samples]
        return {sample.name: sample.value for sample in samples if not sample.labels}


@pytest.fixture
async def world(nursery: trio.Nursery) -> MetricsWorld:
    return MetricsWorld(nursery)


def body_of(connection: FakeConnection) -> str:
    """What was answered in chunks since the last call."""
    chunks = bytes(connection.written).partition(b"\r\n\r\n")[2]
    connection.written.clear()
    body = b""
    while chunks != b"0\r\n\r\n":
        size, _, chunks = chunks.partition(b"\r\n")
        body, chunks = body + chunks[: int(size, 16)], chunks[int(size, 16) + 2 :]
    return body.decode()


def make_queues(world: MetricsWorld, count: int) -> None:
    for number in range(count):
        world.node.queue(f"a-queue-with-a-name-that-is-not-short-{number}")


def documented(section: str) -> list[tuple[str, ...]]:
    text = PAGE.read_text(encoding="utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", text, re.MULTILINE)


def test_every_metric_is_documented_and_no_other() -> None:
    families = [BUILD, *(metric.family for metric in BROKER)]
    assert documented("Of the broker") == [(one.sample_name, one.kind, one.help) for one in families]
    of_queues = [metric.family for metric in QUEUES]
    assert documented("Of each queue") == [(one.sample_name, one.kind, one.help) for one in of_queues]


async def test_all_that_is_documented_is_there(world: MetricsWorld) -> None:
    world.node.queue("q")
    names = {sample.name for family in (await world.scrape()).values() for sample in family.samples}
    assert names == {name for name, _, _ in documented("Of the broker") + documented("Of each queue")}


async def test_figures_are_those_of_the_broker(world: MetricsWorld) -> None:
    queue = world.node.queue("q")
    world.publish(queue, *"abc")
    sink, subscription = world.consume(queue, prefetch=2)
    world.acknowledge(subscription.consumer, sink.take()[0].seq)
    values = await world.values()
    expected = {"published_total": 3, "delivered_total": 3, "acknowledged_total": 1, "ready": 0, "in_flight": 2}
    assert {name: values[f"segue_messages_{name}"] for name in expected} == expected
    assert values["segue_queues"] == 1
    assert values["process_cpu_seconds_total"] == 1.5
    assert values["segue_publishers_held"] == 0


async def test_queues_have_a_line_each_whatever_they_are_called(world: MetricsWorld) -> None:
    names = ["plain", 'a "b" \\ c', "\u00e4"]
    for name in names:
        world.publish(world.node.queue(name), *"ab")
    ready = (await world.scrape())["segue_queue_messages_ready"]
    assert {sample.labels["queue"]: sample.value for sample in ready.samples} == dict.fromkeys(names, 2)


async def test_queues_have_none_unless_they_are_asked_for(nursery: trio.Nursery) -> None:
    world = MetricsWorld(nursery, per_queue=False)
    world.node.queue("q")
    assert not any("queue_" in name for name in await world.scrape())


async def test_counters_do_not_fall_when_a_queue_is_deleted(world: MetricsWorld) -> None:
    for name in ("a", "b"):
        world.publish(world.node.queue(name), *"12")
    before = (await world.values())["segue_messages_published_total"]
    world.node.delete_queue("a")
    world.settle_down()
    after = (await world.values())["segue_messages_published_total"]
    assert (before, after) == (4, 4)


async def test_a_queue_that_is_deleted_while_others_are_asked_counts_once(world: MetricsWorld) -> None:
    for number in range(250):
        world.publish(world.node.queue(f"q{number}"), "1")
    world.say(SCRAPE)
    for task in world.connection.tasks:
        world.nursery.start_soon(task)
    world.connection.tasks.clear()
    for _ in range(2):
        await trio.lowlevel.checkpoint()  # a hundred have been asked after one, two hundred after the other
    for name in ("q0", "q249"):
        world.node.delete_queue(name)
    await world.run_tasks()
    assert "segue_messages_published_total 250\n" in body_of(world.connection)


async def test_who_reads_slowly_makes_nobody_hold_more_than_a_little(world: MetricsWorld) -> None:
    make_queues(world, 1000)
    world.connection.room = 1000
    world.say(SCRAPE)
    await world.run_tasks()
    assert world.node.pressure.output_bytes < 200_000
    world.connection.take_more()
    await world.run_tasks()
    assert bytes(world.connection.written).endswith(b"# EOF\n\r\n0\r\n\r\n")
    assert len(world.connection.written) > 1_000_000


async def test_only_some_are_answered_at_a_time(world: MetricsWorld) -> None:
    make_queues(world, 1000)
    for _ in range(4):
        world.connect_anew(room=1000)
        world.say(SCRAPE)
        await world.run_tasks()
    one_of_them = world.connection
    world.connect_anew()
    world.say(SCRAPE)
    assert b"503 Service Unavailable" in world.connection.written
    assert b"retry-after: 1" in world.connection.written
    one_of_them.abandon("reset")
    await world.run_tasks()
    world.connect_anew()
    assert len(await world.scrape()) > 1


async def test_without_users_only_this_machine_may_look(nursery: trio.Nursery) -> None:
    world = HttpWorld()
    mount(world.node, world.frontend.routes)
    world.nursery = nursery
    answers = []
    for peer in ("127.0.0.1:1", "192.0.2.1:1"):
        world.connection = FakeConnection(world, peer, lambda one: HttpConversation(world.frontend, one))
        world.connection.conversation.receive(SCRAPE)
        await world.run_tasks()
        answers.append(bytes(world.connection.written[9:12]))
    assert answers == [b"200", b"401"]


async def test_with_users_everybody_says_who_he_is(nursery: trio.Nursery) -> None:
    world = HttpWorld()
    users = {"me": Account(PasswordHash.parse(hash_password(b"secret")))}
    world.node.settings = replace(world.node.settings, users=users)
    mount(world.node, world.frontend.routes)
    world.say(SCRAPE)
    assert [heard[:3] for heard in world.heard()] == [b"401"]
