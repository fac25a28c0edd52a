"""The daemon: wires settings, storage, node and front-ends together, and takes them apart again.

Order of a stop: listeners close, connections are told and get a deadline, what they held goes back to its place, the
journal is synced, a checkpoint is written, so that the next start has nothing to replay. A second signal skips all
that is not needed for safety: a stop like a crash loses nothing.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from segue import broker
from segue.broker.allocator import bound_arenas
from segue.broker.clock import SystemClock
from segue.broker.frontends import FrontEnd, load_frontends
from segue.broker.log_lines import Log
from segue.broker.node import Node
from segue.broker.settings import Settings
from segue.broker.users import Users
from segue.storage.api import PosixDisk, Store, StoreOptions, lock_directory, open_store

__all__ = ["run"]

_SWITCH_INTERVAL_SECONDS = 0.0005
"""A thread that comes back from the disk waits at most this long for the GIL. CPython's default is 5 ms, ten times a
sync; shorter ones were not faster."""
_GC_YOUNG_MAX = 50_000
"""Messages are bytes and integers, which need no garbage collector; a look at millions of them costs tens of ms."""


def run(settings: Settings, log: Log) -> None:
    """Serve until a signal stops the process.

    Raises:
        StorageError: the data directory can't be used, or the disk failed.
        OSError: an address can't be listened on.
        FrontEndError: an installed front-end can't be used.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_SECONDS)
    gc.set_threshold(_GC_YOUNG_MAX, 20, 50)
    bound_arenas()
    frontends = load_frontends()
    os.umask(0o077)
    _raise_descriptor_limit()
    with lock_directory(Path(settings.storage.data_directory)):
        trio.run(partial(_serve, settings, log, frontends))


@dataclass(slots=True)
class _Stop:
    """How far the daemon is between start and stop."""

    asked: trio.Event
    serving: bool = False


async def _serve(settings: Settings, log: Log, frontends: dict[str, type[FrontEnd]]) -> None:
    clock = SystemClock()
    disk = PosixDisk(Path(settings.storage.data_directory))
    async with _stop_signals(log) as stop, open_store(disk, _options(settings), clock.now_ms) as store:
        _tell_recovery(store, log)
        node = Node(store, settings, clock, log, Users(settings.users))
        await node.retained.load()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.watch)
            listening = await _start(nursery, node, settings, frontends)
            gc.collect()
            gc.freeze()
            log.info("daemon.ready", version=broker.__version__, pid=os.getpid(), listening=" ".join(listening))
            stop.serving = True
            _print(
                f"segue {broker.__version__} ready: {'; '.join(listening)}; data in {settings.storage.data_directory}"
            )
            await stop.asked.wait()
            node.stopping = True
            nursery.cancel_scope.cancel()
        log.info("daemon.stopping", messages="a checkpoint is written")
    log.info("daemon.stopped")


async def _start(
    nursery: trio.Nursery, node: Node, settings: Settings, frontends: dict[str, type[FrontEnd]]
) -> list[str]:
    listening = []
    for name, kind in frontends.items():
        section = kind.settings_section
        own = getattr(settings, section, None) or settings.plugged_in.get(section) if section else None
        addresses: Sequence[str] = await nursery.start(kind().serve, node, own)
        listening.append(f"{name} {' '.join(addresses)}")
    return listening


@asynccontextmanager
async def _stop_signals(log: Log) -> AsyncIterator[_Stop]:
    """What the first SIGTERM or SIGINT asks for; the second one, or one during recovery, ends the process at once."""
    stop = _Stop(trio.Event())
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:

        async def listen() -> None:
            async for number in signals:
                log.info("daemon.signal", signal=signal.Signals(number).name)
                if not stop.serving or stop.asked.is_set():
                    # Everything confirmed is on disk already; the next start replays the journal.
                    os._exit(128 + number if stop.serving else 0)
                stop.asked.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            yield stop
            nursery.cancel_scope.cancel()


def _raise_descriptor_limit() -> None:
    """Allow as many open files as the system lets us: ten thousand connections need more than the usual 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _print(line: str) -> None:
    """One write: the line stays whole where standard output and the log go to the same file."""
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), f"{line}\n".encode(errors="replace"))


def _options(settings: Settings) -> StoreOptions:
    storage = settings.storage
    return StoreOptions(
        journal_file_bytes=storage.journal_file_bytes,
        checkpoint_journal_bytes=storage.checkpoint_journal_bytes,
        checkpoint_interval_seconds=storage.checkpoint_interval_seconds,
        segment_bytes_min=storage.segment_bytes_min,
        batch_bytes_max=storage.batch_bytes_max,
        cold_read_bytes=storage.cold_read_bytes,
        replay_bytes_max=storage.journal_bytes_max,
    )


def _tell_recovery(store: Store, log: Log) -> None:
    found = store.recovery
    log.info(
        "storage.recovered",
        clean=found.clean,
        replayed_bytes=found.bytes,
        torn_bytes=found.torn_bytes,
        removed_files=found.removed_files,
        seconds=round(found.seconds, 3),
    )
