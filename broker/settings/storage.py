"""`[storage]`: where messages are kept, and when they move from the journal to segments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segue.broker.settings.keys import path_name, seconds, size
from segue.broker.settings.quantity import GIB, KIB, MIB

__all__ = ["Storage"]


@dataclass(frozen=True, slots=True)
class Storage:
    """Where messages are kept, and when they move from the journal to segments."""

    data_directory: Path = path_name(  # noqa: RUF009 - declares a field
        Path("/var/lib/segue"),
        "The directory that holds everything the broker must not lose. It is made with mode 0700 when it is missing, "
        "and used by one daemon at a time. A relative path starts at the directory that the daemon was started in.",
        flag="--data",
    )

    # Preallocated, so that a commit changes no metadata of the file system. etcd preallocates 64 MB, PostgreSQL 16 MiB.
    journal_file_bytes: int = size(
        64 * MIB,
        "The size of one journal file under load. While little is written new ones are smaller, down to 8 MiB, and so "
        "is what an idle broker takes on the disk. They are preallocated, and used again after a checkpoint. A whole "
        "number of 4 KiB blocks.",
        minimum=16 * MIB,
        maximum=1 * GIB,
    )

    # Soft, so that a message that is larger than what is left still goes into the batch that it came for. 8 MiB are
    # 30,000 small messages, more than one sync of any disk we measured takes.
    batch_bytes_max: int = size(
        8 * MIB,
        "When so many bytes wait for the next sync, publishers are not read from until it is done. One message or one "
        "transaction may go beyond it.",
        minimum=64 * KIB,
        maximum=256 * MIB,
    )

    # PostgreSQL's max_wal_size is 1 GiB and its checkpoint_timeout 5 min; ours are lower, because they bound the time
    # of a restart as well as the journal.
    checkpoint_journal_bytes: int = size(
        64 * MIB,
        "A checkpoint is taken when the journal has grown by so much.",
        minimum=4 * MIB,
        maximum=4 * GIB,
    )
    checkpoint_interval_seconds: float = seconds(
        30,
        "A checkpoint is taken when the last one is so long ago, if anything has changed.",
        minimum=1,
        maximum=3600,
    )

    # The most that a restart replays. At 100 MiB a second, which is slow, that is under 3 s.
    journal_bytes_max: int = size(
        256 * MIB,
        "The largest that the journal gets. While a checkpoint lags behind so far, publishers are not read from.",
        minimum=64 * MIB,
        maximum=16 * GIB,
    )

    # A file costs a directory entry, an open and two syncs: what is smaller is cheaper as rows of the catalog.
    segment_bytes_min: int = size(
        4 * MIB,
        "The least that a run of messages must have to become a segment file of its own. What is less stays in the "
        "catalog.",
        minimum=64 * KIB,
        maximum=256 * MIB,
    )

    # One read ahead for each queue that is drained from disk: large enough for a disk to stream, small enough for a
    # thousand queues at once.
    cold_read_bytes: int = size(
        1 * MIB,
        "How much is fetched in one read when messages come from segments.",
        minimum=64 * KIB,
        maximum=64 * MIB,
    )

    # RabbitMQ's disk_free_limit is 50 MB, and its production checklist asks for more; lavinmq's free_disk_min is 0. The
    # journal may want 256 MiB and a checkpoint as much again, so 1 GiB is what can't be overrun between two looks.
    disk_free_bytes_min: int = size(
        1 * GIB,
        "With less free disk than this, publishers are held and consumers go on: messages that are acknowledged give "
        "space back.",
        minimum=64 * MIB,
        maximum=1024 * GIB,
    )
    disk_free_hysteresis_bytes: int = size(
        256 * MIB,
        "Publishers that were held for want of disk go on when so much more than disk_free_bytes_min is free.",
        minimum=0,
        maximum=1024 * GIB,
    )
