"""Acknowledge and send in one transaction: each job has exactly one result, whoever is killed and when.

Faults 9, 35 to 37, 43: a real daemon, and a worker with stomp.py in a process of its own.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator

import pytest

from tests.faults.worker import JOBS, LAST_JOB, RESULTS, STEPS
from tests.faults.worker_process import WorkerProcess
from tests.helpers.broker_process import BrokerFactory, BrokerProcess
from tests.helpers.ports import free_port

__all__: list[str] = []

_ROUNDS = 40
_JOBS_A_ROUND = 30
_PATIENCE_SECONDS = 60.0


class Workshop:
    """A broker that comes back on the port that it had, its queue of jobs, and a worker."""

    def __init__(self, broker: BrokerProcess) -> None:
        self.broker = broker
        self.jobs: list[str] = []
        self._worker: WorkerProcess | None = None

    @property
    def worker(self) -> WorkerProcess:
        """The one that is at work."""
        assert self._worker is not None, "there is none"
        return self._worker

    def engage(self, *, running: bool = False) -> None:
        """Start a worker."""
        self._worker = WorkerProcess(self.broker.address, running=running)

    def order(self, count: int) -> None:
        """Put so many jobs into the queue; a crash from here on must lose none."""
        client = self.broker.client()
        client.begin("order")
        for number in range(len(self.jobs), len(self.jobs) + count):
            client.publish(JOBS, b"%d" % number, transaction="order")
            self.jobs.append(str(number))
        client.commit("order")
        client.disconnect()

    def kill_worker(self) -> None:
        """Its connection ends, and what it had goes back."""
        if self._worker is not None:
            self._worker.kill()
            self._worker = None

    def restart_broker(self) -> None:
        """`kill -9`, and a new start on the same store."""
        self.broker.kill()
        self.broker.start()

    def wait_for_result(self, job: str) -> None:
        """Return when the result of a job is in its queue, and so on disk: whoever looks sees what is durable."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while job not in self.results():
            assert time.monotonic() < deadline, f"no result of job {job}"

    def results(self) -> list[str]:
        """What is in the queue of results, which stays there."""
        client = self.broker.client()
        client.subscribe(RESULTS, ack="auto", headers={"browser": "true"})
        bodies = []
        while (frame := client.receive()).get("browser") != "end":
            bodies.append(frame.body.decode())
        client.close()
        return bodies

    def close(self) -> None:
        """Have the last job done, and see one result for each, in order, and nothing else."""
        client = self.broker.client()
        client.publish_confirmed(JOBS, LAST_JOB.encode())
        self.worker.wait_end(lambda: len(self.results()))
        assert self.results() == [*self.jobs, LAST_JOB]
        client.subscribe(JOBS)
        client.expect_no_message()


@pytest.fixture
def workshop(broker_factory: BrokerFactory) -> Iterator[Workshop]:
    """A broker and its jobs; no worker yet."""
    workshop = Workshop(broker_factory(arguments=["--stomp", f"127.0.0.1:{free_port()}"]))
    yield workshop
    workshop.kill_worker()


def test_a_worker_that_is_killed_at_any_step_leaves_one_result_for_each_job(workshop: Workshop) -> None:
    workshop.order(3 * len(STEPS))
    for step in STEPS:
        workshop.engage()
        workshop.worker.lead_to(step)
        workshop.kill_worker()
    workshop.engage(running=True)
    workshop.close()


def test_a_broker_that_is_killed_at_any_step_of_its_worker_leaves_one_result_for_each_job(workshop: Workshop) -> None:
    """The worker lives on; behind each crash it does a job in peace, and so meets the next one with a new job."""
    workshop.order(3 * len(STEPS))
    workshop.engage()
    for step in STEPS:
        workshop.worker.lead_to(step)
        workshop.restart_broker()
        workshop.worker.say("go")
        workshop.worker.lead_to("RECEIPT")
        workshop.worker.say("go")
    workshop.worker.lead_to("MESSAGE")
    workshop.worker.say("run")
    workshop.close()


def hear_no_receipt(workshop: Workshop) -> None:
    """The broker dies, and its worker, which lives, has never heard of the commit."""
    workshop.restart_broker()
    workshop.worker.say("deaf")


def die_before_the_receipt(workshop: Workshop) -> None:
    workshop.kill_worker()
    workshop.engage()


def die_together(workshop: Workshop) -> None:
    workshop.broker.kill()
    workshop.kill_worker()
    workshop.broker.start()
    workshop.engage()


@pytest.mark.parametrize("lose", [hear_no_receipt, die_before_the_receipt, die_together])
def test_a_commit_that_is_on_disk_and_whose_receipt_nobody_has_heard_is_not_done_again(
    workshop: Workshop, lose: Callable[[Workshop], None]
) -> None:
    workshop.order(3)
    workshop.engage()
    for job in workshop.jobs[:2]:
        assert workshop.worker.lead_to("COMMIT").job == job
        workshop.wait_for_result(job)
        lose(workshop)
    workshop.worker.lead_to("MESSAGE")
    workshop.worker.say("run")
    workshop.close()


@pytest.mark.long
@pytest.mark.parametrize("_store", range(2))
def test_kills_at_random_moments_leave_one_result_for_each_job(workshop: Workshop, _store: int) -> None:
    """Of the broker, of the worker, or of both; the seed is printed, and repeats the choices, not the microseconds."""
    seed = random.getrandbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    workshop.engage(running=True)
    for _ in range(_ROUNDS):
        workshop.order(_JOBS_A_ROUND)
        workshop.worker.live_for(chance.uniform(0.0, 0.8))
        victims = chance.choice(["broker", "worker", "both"])
        if victims != "worker":
            workshop.broker.kill()
        if victims != "broker":
            workshop.kill_worker()
        if victims != "worker":
            workshop.broker.start()
        if victims != "broker":
            workshop.engage(running=True)
    workshop.close()
