"""The daemon in this process: its start, what front-ends are given, the order of a stop, signals, and faults."""

from __future__ import annotations

import errno
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import trio

from segue.broker import daemon
from segue.broker.node import Node
from segue.broker.settings import Settings
from segue.storage.api import StorageError, lock_directory
from tests.helpers.recorded_log import RecordedLog
from tests.unit.broker.actors import FakeSink, record


class Ended(BaseException):
    """Stands for `os._exit`."""


class Script:
    """A front-end that does as the test says."""

    name = "script"
    settings_section: str | None = "stomp"
    given: ClassVar[list[Any]] = []
    said: ClassVar[list[str]] = []

    async def serve(self, node: Node, settings: Any, *, task_status: trio.TaskStatus[Sequence[str]]) -> None:
        self.given.append(settings)
        await self.begin(node)
        task_status.started(["here:1"])
        try:
            await self.work(node)
            signal.raise_signal(signal.SIGTERM)
            await trio.sleep_forever()
        finally:
            self.said.append("good-bye" if node.stopping else "crash")

    async def begin(self, node: Node) -> None:
        """Before it is ready."""

    async def work(self, node: Node) -> None:
        """Before it asks for a stop."""


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    """What a daemon changes of its process is its own."""
    interval, thresholds, umask = sys.getswitchinterval(), gc.get_threshold(), os.umask(0o022)
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    Script.given.clear()
    Script.said.clear()
    yield
    gc.unfreeze()
    os.umask(umask)
    sys.setswitchinterval(interval)
    gc.set_threshold(*thresholds)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[0], resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


Run = Callable[..., RecordedLog]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    defaults = Settings()
    return replace(defaults, storage=replace(defaults.storage, data_directory=tmp_path / "data"))


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a daemon with these front-ends until it ends; what it has logged is left."""

    def until_its_end(*frontends: type[Script], log: RecordedLog | None = None) -> RecordedLog:
        monkeypatch.setattr(daemon, "load_frontends", lambda: {kind.name: kind for kind in frontends})
        log = log or RecordedLog()
        daemon.run(settings, log)
        return log

    return until_its_end


def names(log: RecordedLog) -> list[str]:
    return [one.event for one in log.events]


def causes(error: BaseException) -> list[BaseException]:
    """The innermost exceptions of nested groups."""
    if isinstance(error, BaseExceptionGroup):
        return [cause for inner in error.exceptions for cause in causes(inner)]
    return [error]


# Start and stop -----------------------------------------------------------------------------------------------------


def test_a_daemon_says_when_it_is_ready_and_ends_in_order_when_it_is_asked_to(
    run: Run, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    log = run(Script)
    assert names(log) == [
        "storage.recovered", "daemon.ready", "daemon.signal", "daemon.stopping", "daemon.stopped",
    ]  # fmt: skip
    (ready,) = log.named("daemon.ready")
    assert ready.fields["listening"] == "script here:1"
    assert ready.fields["pid"] == os.getpid()
    (line,) = capfd.readouterr().out.splitlines()
    assert line.endswith(f" ready: script here:1; data in {settings.storage.data_directory}")
    assert Script.said == ["good-bye"]


def test_messages_outlast_a_stop_and_the_next_start_has_nothing_to_replay(run: Run) -> None:
    class Publisher(Script):
        async def work(self, node: Node) -> None:
            node.queue("q").publish(record("kept"))
            node.store.want()
            node.end_step()

    class Consumer(Script):
        bodies: ClassVar[list[str]] = []

        async def work(self, node: Node) -> None:
            sink = FakeSink()
            session = node.open_session("guest", "here:1", "script", self)  # type: ignore[arg-type]
            session.subscribe_queue(node.existing_queue("q"), sink, prefetch=1, settles=True)
            while not sink.deliveries:
                node.end_step()
                await trio.lowlevel.checkpoint()
            self.bodies.extend(sink.bodies())

    run(Publisher)
    log = run(Consumer)
    (recovered,) = log.named("storage.recovered")
    assert (recovered.fields["clean"], recovered.fields["replayed_bytes"]) == (True, 0)
    assert Consumer.bodies == ["kept"]


@pytest.mark.parametrize(("section", "given"), [("stomp", "stomp"), (None, None), ("of_another", None)])
def test_a_front_end_is_given_its_section_of_the_settings(
    run: Run, settings: Settings, section: str | None, given: str | None
) -> None:
    class Sectioned(Script):
        settings_section = section

    run(Sectioned)
    assert Script.given == [getattr(settings, given) if given else None]


def test_files_are_the_owners_alone_and_connections_get_all_the_descriptors_there_are(run: Run) -> None:
    """FAULTS 104, 50."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
    found: list[tuple[int, int]] = []

    class Looking(Script):
        async def work(self, node: Node) -> None:
            mask = os.umask(0)
            os.umask(mask)
            found.append((mask, resource.getrlimit(resource.RLIMIT_NOFILE)[0]))

    run(Looking)
    assert found == [(0o077, hard)]


# Faults -------------------------------------------------------------------------------------------------------------


def test_a_front_end_that_can_not_listen_ends_the_start_with_its_reason(run: Run) -> None:
    class Deaf(Script):
        async def begin(self, node: Node) -> None:
            raise OSError(errno.EADDRINUSE, "here:1: Address already in use")

    log = RecordedLog()
    with pytest.raises(BaseExceptionGroup) as caught:
        run(Deaf, log=log)
    (cause,) = causes(caught.value)
    assert isinstance(cause, OSError)
    assert cause.errno == errno.EADDRINUSE
    assert names(log) == ["storage.recovered"]


def test_front_ends_that_listen_already_end_when_another_one_can_not(run: Run) -> None:
    class Deaf(Script):
        name = "deaf"

        async def begin(self, node: Node) -> None:
            raise OSError(errno.EADDRINUSE, "here:1: Address already in use")

    class Patient(Script):
        async def work(self, node: Node) -> None:
            await trio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught:
        run(Patient, Deaf)
    assert [type(cause) for cause in causes(caught.value)] == [OSError]
    assert Script.said == ["crash"]


def test_a_fault_of_a_front_end_is_no_stop_and_loses_nothing(run: Run) -> None:
    class Faulty(Script):
        async def work(self, node: Node) -> None:
            node.queue("q").publish(record("confirmed"))
            await node.store.next_commit()
            raise ValueError("a fault of somebody's")

    class Counting(Script):
        owed: ClassVar[list[int]] = []

        async def work(self, node: Node) -> None:
            self.owed.append(node.existing_queue("q").statistics().ready)

    log = RecordedLog()
    with pytest.raises(BaseExceptionGroup) as caught:
        run(Faulty, log=log)
    assert [type(cause) for cause in causes(caught.value)] == [ValueError]
    assert "daemon.stopping" not in names(log)
    (recovered,) = run(Counting).named("storage.recovered")
    assert recovered.fields["clean"] is False
    assert Counting.owed == [1]


def test_a_second_daemon_on_the_same_directory_does_not_start(run: Run, settings: Settings) -> None:
    """FAULTS 14."""
    with lock_directory(Path(settings.storage.data_directory)), pytest.raises(StorageError, match=str(os.getpid())):
        run(Script)
    assert Script.given == []


@pytest.mark.parametrize("closed", [True, False])
def test_a_standard_output_that_nobody_reads_stops_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    """FAULTS 111."""
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    monkeypatch.setattr(sys, "stdout", stream)
    if closed:
        os.close(writer)
    try:
        assert names(run(Script))[-1] == "daemon.stopped"
    finally:
        monkeypatch.undo()
        if closed:
            os.dup2(os.open(os.devnull, os.O_WRONLY), writer)
        stream.close()


# Signals ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The exit codes that the process would have ended with, then and there."""
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        raise Ended

    monkeypatch.setattr(os, "_exit", end)
    return codes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_ends_the_process_at_once(run: Run, ends: list[int], number: int) -> None:
    class Stubborn(Script):
        async def serve(self, node: Node, settings: Any, *, task_status: trio.TaskStatus[Sequence[str]]) -> None:
            task_status.started(["here:1"])
            try:
                await trio.lowlevel.checkpoint()
                signal.raise_signal(number)
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    signal.raise_signal(number)
                    while not ends:
                        await trio.lowlevel.checkpoint()

    log = RecordedLog()
    with pytest.raises(BaseExceptionGroup) as caught:
        run(Stubborn, log=log)
    assert ends == [128 + number]
    assert Ended in [type(cause) for cause in causes(caught.value)]
    assert [event.fields["signal"] for event in log.named("daemon.signal")] == [signal.Signals(number).name] * 2


def test_a_signal_before_it_is_ready_ends_the_process_at_once(run: Run, ends: list[int]) -> None:
    """FAULTS 106: whatever a start has done so far, the next one begins anew."""

    class Slow(Script):
        async def begin(self, node: Node) -> None:
            signal.raise_signal(signal.SIGTERM)
            await trio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught:
        run(Slow)
    assert Ended in [type(cause) for cause in causes(caught.value)]
    assert ends == [0]
