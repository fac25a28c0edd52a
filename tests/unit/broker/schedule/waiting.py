"""A node with messages that wait, and the passing of time."""

from __future__ import annotations

from collections.abc import Iterator

from segue.broker.message import decode
from segue.broker.node import Node
from segue.broker.queue_options import REFUSE, QueueOptions
from segue.broker.schedule.scheduled_message import ScheduleId
from segue.broker.users import Users
from tests.unit.broker.actors import World, body_of, record

__all__ = ["Waiting"]


class Waiting(World):
    """A `World` whose messages are sent for later."""

    def send(self, body: str, *, delay: float = 0, to: str = "qq", padding: int = 0) -> ScheduleId:
        """A message that is delivered so many seconds later."""
        return self.node.schedule.after(round(delay * 1000), to, record(body.ljust(padding)))

    def send_at(self, body: str, seconds: float, to: str = "qq") -> ScheduleId:
        """A message for so many seconds from now by the wall clock."""
        return self.node.schedule.at(self.clock.now_ms() + round(seconds * 1000), to, record(body))

    def work(self) -> float:
        """Do what is to be done now; returns seconds until there is more."""
        self.node.look_at_clock()
        while True:
            self.settle_down()
            seconds = self.node.schedule.step()
            if seconds:
                self.settle_down()
                if not self.store.batch and self.node.schedule.step() == seconds:
                    return seconds

    def wait(self, seconds: float) -> None:
        """Let time pass as the daemon does: not further than to what is due next."""
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 1e-6:
            self.clock.advance(min(left, max(self.work(), 0.001)))
        self.work()

    def bodies(self, queue: str = "q") -> list[str]:
        """What is ready in a queue, in order."""
        return list(self._bodies(queue))

    def _bodies(self, queue: str) -> Iterator[str]:
        found = self.node.queues.get(queue)
        if found is not None:
            for seq in range(found.cursor.next, found.log.durable):
                message = found.log.find(seq)
                assert message is not None
                yield body_of(message).rstrip()

    def accepted_ms(self, queue: str = "q") -> list[int]:
        """When the messages that are ready in a queue became so, by their own word."""
        found = self.node.queues[queue]
        return [decode(found.log.hot[seq]).accepted_ms for seq in range(found.cursor.next, found.log.durable)]

    def restart(self) -> None:
        """A node that finds everything on disk, as after a crash: what was out has come back."""
        self.settle_down()
        for log in self.store.logs.values():
            log.listener = None
            for cursor in log.cursors:
                cursor.give_back({seq: 1 for container in cursor.out for seq in container})
                cursor.out.clear()
        self.node = Node(self.store, self.settings, self.clock, self.log, Users(self.settings.users))

    def restart_without_reads(self) -> None:
        """As `restart`, before any read from disk comes back."""
        self.store.sync_batches()
        self.store.played_reader.jobs.clear()
        for cursor in self.store.cursors.values():
            cursor.listener = None
            cursor.fetching = False
        self.restart()

    def full_queue(self, name: str) -> None:
        """A queue that has room for one message, and has it."""
        queue = self.node.declare_queue(name, options=QueueOptions(messages_max=1, overflow=REFUSE))
        self.publish(queue, "x")

    @property
    def logs(self) -> list[str]:
        """The kinds of all logs but those of queues."""
        kinds = [str(log.definition["kind"]) for log in self.store.logs.values()]
        return [kind for kind in kinds if kind != "queue"]
