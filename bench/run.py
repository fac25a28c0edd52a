"""One run: connect, start everybody at once, wait until all is through, and say goodbye."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator

from segue.bench import frames
from segue.bench.consumer import Consumer
from segue.bench.header_pattern import consumer_headers
from segue.bench.ledger import Blocks, Ledger
from segue.bench.link import Link
from segue.bench.loop import Loop
from segue.bench.order import Run as MessageRun
from segue.bench.producer import Allowance, Producer
from segue.bench.replies import BrokerError
from segue.bench.result import Result
from segue.bench.target import Target
from segue.bench.timeline import DueTimes
from segue.bench.workload import Workload, pairs

__all__ = ["Watcher", "run_workload"]

# How often the end conditions are looked at when nothing happens.
_TICK_SECONDS = 0.1
_GOODBYE_SECONDS = 20.0
_NANOSECONDS_PER_SECOND = 1_000_000_000
_NANOSECONDS_PER_MILLISECOND = 1_000_000
# A broker whose clock has whole milliseconds takes a message for up to one older than it is.
_CLOCK_NANOSECONDS = _NANOSECONDS_PER_MILLISECOND

Watcher = Callable[[Ledger], None]
"""Called now and then while a run goes on: for a progress bar."""


def run_workload(target: Target, workload: Workload, watch: Watcher | None = None) -> Result:
    """Make one run. It always returns: what went wrong is in the result.

    Raises:
        WorkloadError: the numbers do not go together; nothing was done.
    """
    workload.check(target.queues)
    run = _Run(target, workload, watch)
    # Millions of live integers and no cycles: a collection would only be a pause in the measurement.
    gc.disable()
    try:
        return run.measure()
    finally:
        gc.enable()
        run.close()


class _Run:
    def __init__(self, target: Target, workload: Workload, watch: Watcher | None) -> None:
        self._target = target
        self._workload = workload
        self._watch = watch
        self._ledger = Ledger(
            confirm_blocks=Blocks(workload.block if workload.producers else 0),
            delivery_blocks=Blocks(0 if workload.producers else workload.block),
            any_returns=workload.over_depth,
        )
        self._allowance = Allowance(self._ledger, workload.backlog_max)
        self._loop = Loop()
        self._number = random.randrange(10**frames.RUN_DIGITS)  # noqa: S311 - tells runs apart, guards nothing
        self._links: list[Link] = []
        self._producers: list[Producer] = []
        self._consumers: list[Consumer] = []

    def measure(self) -> Result:
        error = ""
        cpu = time.process_time()
        try:
            self._connect()
            cpu = time.process_time()
            self._start()
            error = self._until_through()
        except BrokerError as broken:
            error = str(broken)
        except KeyboardInterrupt:
            error = "interrupted"
        cpu = time.process_time() - cpu
        if not error:
            self._say_goodbye()
        orders = sum(consumer.order.out_of_order for consumer in self._consumers)
        return Result.of(self._workload, self._ledger, out_of_order=orders, generator_cpu_seconds=cpu, error=error)

    def close(self) -> None:
        self._loop.close()
        for link in self._links:
            link.close()

    # Setting up. Consumers first: queues exist, and credit is given, before anything is published.

    def _connect(self) -> None:
        queues = pairs(self._workload.consumers, self._target.queues)
        for number in range(self._workload.consumers):
            self._consumers.append(self._open_consumer(number, [queue for end, queue in queues if end == number]))
        streams = list(enumerate(pairs(self._workload.producers, self._target.queues)))
        for number in range(self._workload.producers):
            own = [(stream, queue) for stream, (end, queue) in streams if end == number]
            self._producers.append(self._open_producer(number, own))

    def _open_consumer(self, consumer_number: int, queues: list[int]) -> Consumer:
        target, load = self._target, self._workload
        link = self._open_link()
        limit = None if load.producers else load.messages
        ahead_max = load.backlog_max if load.over_depth else None
        consumer = Consumer(link, load.ack, self._ledger, self._ages, limit, ahead_max)
        headers = consumer_headers(target.subscribe_headers, consumer_number)
        for number, queue in enumerate(queues):
            request = frames.subscribe(number, target.queue(queue), load.ack, load.prefetch, headers)
            early = link.request(request, b"RECEIPT")
            # A broker may deliver before it sends the receipt.
            if b"MESSAGE\n" in early:
                consumer.receive(early, time.monotonic_ns())
        self._loop.add(consumer)
        return consumer

    def _open_link(self) -> Link:
        link = Link(self._target)
        self._links.append(link)
        return link

    def _open_producer(self, number: int, streams: list[tuple[int, int]]) -> Producer:
        target, load = self._target, self._workload
        delay = [("delay", str(load.delay_ms))] if load.delay_ms else []
        encoder = frames.SendFrames(
            [target.queue(queue) for _, queue in streams],
            [stream for stream, _ in streams],
            self._number,
            load.body_bytes,
            (("persistent", "true"), *delay, *target.send_headers),
        )
        quota, link = load.quota(number), self._open_link()
        producer = Producer(link, encoder, load.window, quota, self._allowance, self._ledger, load.body_bytes)
        self._loop.add(producer)
        return producer

    # Running.

    def _start(self) -> None:
        now = time.monotonic_ns()
        self._ledger.started = now
        self._ledger.confirm_blocks.start(now)
        if self._workload.rate is not None:
            self._pace(now, self._workload.rate)
        for producer in self._producers:
            producer.pump(now)
        self._loop.watch_all_outputs()

    def _pace(self, start: int, rate: float) -> None:
        """Spread the producers' times evenly over the common rate."""
        step = _NANOSECONDS_PER_SECOND / rate
        for number, producer in enumerate(self._producers):
            producer.timeline = DueTimes(start + int(number * step), step * len(self._producers))

    def _until_through(self) -> str:
        """Step until all is done; return what went wrong, empty when nothing did."""
        ledger, load = self._ledger, self._workload
        moved, moved_at, watched_at = -1, time.monotonic_ns(), 0
        while True:
            now = time.monotonic_ns()
            if self._is_through(now):
                return ""
            if ledger.progress != moved:
                moved, moved_at = ledger.progress, now
            elif now - moved_at > load.patience_seconds * _NANOSECONDS_PER_SECOND:
                return f"nothing happened for {load.patience_seconds:.0f} s: {self._standing()}"
            if self._watch is not None and now - watched_at > _TICK_SECONDS * _NANOSECONDS_PER_SECOND:
                self._watch(ledger)
                watched_at = now
            self._loop.step(self._wait_seconds(now))
            self._pump_those_who_wait()

    def _is_through(self, now: int) -> bool:
        load, ledger = self._workload, self._ledger
        over = load.seconds is not None and now - ledger.started >= load.seconds * _NANOSECONDS_PER_SECOND
        if not load.producers:
            return over or self._is_drained(now)
        if over:
            self._allowance.open = False
        if self._allowance.open and (load.messages is None or ledger.sent < load.messages):
            return False
        return ledger.confirmed >= ledger.sent and (not load.consumers or ledger.returned >= ledger.sent)

    def _is_drained(self, now: int) -> bool:
        ledger, load = self._ledger, self._workload
        if load.messages is not None and ledger.received >= load.messages:
            return True
        last = ledger.last_delivery or ledger.started
        return now - last > load.idle_seconds * _NANOSECONDS_PER_SECOND

    def _wait_seconds(self, now: int) -> float:
        if self._workload.rate is None or not self._allowance.open:
            return _TICK_SECONDS
        times = [due for producer in self._producers if (due := producer.next_due) is not None]
        return min((min(times, default=now + _NANOSECONDS_PER_SECOND) - now) / _NANOSECONDS_PER_SECOND, _TICK_SECONDS)

    def _pump_those_who_wait(self) -> None:
        """Receipts make a producer send on by itself; time and consumers do not; nor producers a consumer."""
        if self._workload.over_depth:
            for consumer in self._consumers:
                consumer.release()
        if self._workload.rate is None and not self._allowance.take_refused():
            return
        now = time.monotonic_ns()
        for producer in self._producers:
            producer.pump(now)
        self._loop.watch_all_outputs()

    # Looking up when a message was sent.

    def _ages(self, run: MessageRun, now: int) -> Iterator[tuple[int, int]] | None:
        key, first, count = run
        number, stream = divmod(key, frames.STREAMS_MAX)
        if number != self._number or not self._producers:
            return None
        position, end = divmod(stream, len(self._producers))
        ages = self._producers[end].ages(position, first, count, now)
        return self._since_due(ages) if self._workload.delay_ms else ages

    def _since_due(self, ages: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Ages of messages that were to be delayed, from when they were due."""
        delay = self._workload.delay_ms * _NANOSECONDS_PER_MILLISECOND
        for age, count in ages:
            if age < delay - _CLOCK_NANOSECONDS:
                self._ledger.early += count
            yield age - delay, count

    # Ending.

    def _say_goodbye(self) -> None:
        """Leave in order: the receipt of DISCONNECT says that every ACK has been processed."""
        for link in self._links:
            link.send(frames.disconnect())
        for link in self._links:
            link.leave(_GOODBYE_SECONDS)

    def _standing(self) -> str:
        ledger = self._ledger
        return f"{ledger.sent} sent, {ledger.confirmed} confirmed, {ledger.received} received"
