"""The rules between settings: what each value allows by itself, and two together do not.

A rule names the keys that it reads. It is left out when one of them is at fault already: its default stands in for it
then, and a complaint about that would send the operator to the wrong line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from segue.broker.settings.faults import KeyPath
from segue.broker.settings.quantity import KIB, show_size
from segue.broker.settings.tree import Settings

__all__ = ["RULES", "Broken", "Rule"]

# What one batch of the journal is padded to (docs/formats): a durable sector is never written again.
_JOURNAL_BLOCK_BYTES = 4 * KIB


@dataclass(frozen=True, slots=True)
class Broken:
    """How a rule is broken.

    Attributes:
        problem: a sentence, or the rest of one that begins with the key where a rule has only one.
        remedy: what to do.
    """

    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        keys: what it reads. A fault is reported at the first of them that was given.
        check: None when it holds.
    """

    keys: tuple[KeyPath, ...]
    check: Callable[[Settings], Broken | None]


def _at_most(lesser: str, greater: str, why: str) -> Rule:
    """Make the rule that one size or number is not larger than another, both named `section.key`."""
    lesser_path, greater_path = tuple(lesser.split(".")), tuple(greater.split("."))

    def check(settings: Settings) -> Broken | None:
        values = _values(settings)
        if values[lesser_path] <= values[greater_path]:
            return None
        shown = [_shown(path, values[path]) for path in (lesser_path, greater_path)]
        return Broken(
            f"{lesser} ({shown[0]}) is more than {greater} ({shown[1]}): {why}",
            "lower the one or raise the other",
        )

    return Rule((lesser_path, greater_path), check)


def _check_journal_blocks(settings: Settings) -> Broken | None:
    file_bytes = settings.storage.journal_file_bytes
    if file_bytes % _JOURNAL_BLOCK_BYTES == 0:
        return None
    nearest = file_bytes // _JOURNAL_BLOCK_BYTES * _JOURNAL_BLOCK_BYTES
    return Broken(
        f"is {file_bytes} bytes, not a whole number of blocks of {show_size(_JOURNAL_BLOCK_BYTES)}",
        f'write "{show_size(nearest)}"',
    )


def _check_largest_batch(settings: Settings) -> Broken | None:
    # A batch that is nearly due may still take a whole transaction in, and is not split over two files.
    largest = settings.storage.batch_bytes_max + settings.limits.transaction_bytes_max
    if largest <= settings.storage.journal_file_bytes:
        return None
    return Broken(
        f"storage.journal_file_bytes ({show_size(settings.storage.journal_file_bytes)}) is less than "
        f"storage.batch_bytes_max and limits.transaction_bytes_max together ({show_size(largest)}): "
        "a batch lies in one journal file",
        "raise journal_file_bytes, or lower one of the two",
    )


def _check_replay(settings: Settings) -> Broken | None:
    storage = settings.storage
    least = storage.checkpoint_journal_bytes + storage.journal_file_bytes
    if storage.journal_bytes_max >= least:
        return None
    return Broken(
        f"storage.journal_bytes_max ({show_size(storage.journal_bytes_max)}) is less than "
        "storage.checkpoint_journal_bytes and storage.journal_file_bytes together "
        f"({show_size(least)}): publishers would stand still at every checkpoint",
        f'raise journal_bytes_max to "{show_size(least)}" or more',
    )


def _check_users(settings: Settings) -> Broken | None:
    exposed = [str(address) for address in (*settings.stomp.listen, *settings.http.listen) if not address.is_loopback]
    if settings.users or not exposed:
        return None
    return Broken(
        f"{', '.join(exposed)} can be reached from other machines, and no user is configured, so that nobody could "
        "log in from there (guest/guest is for this machine only)",
        "make a hash with `segue user hash` and put it into a section [users.NAME] as password_hash, "
        "or listen on 127.0.0.1 only",
    )


RULES: Final = (
    Rule((("storage", "journal_file_bytes"),), _check_journal_blocks),
    Rule(
        (
            ("storage", "journal_file_bytes"),
            ("storage", "batch_bytes_max"),
            ("limits", "transaction_bytes_max"),
        ),
        _check_largest_batch,
    ),
    Rule(
        (
            ("storage", "journal_bytes_max"),
            ("storage", "checkpoint_journal_bytes"),
            ("storage", "journal_file_bytes"),
        ),
        _check_replay,
    ),
    _at_most("memory.low_water_bytes", "memory.high_water_bytes", "publishers would go on while they have to be held"),
    _at_most("limits.transaction_bytes_max", "memory.transactions_bytes_max", "a transaction is held in memory"),
    _at_most(
        "memory.transactions_bytes_max",
        "memory.low_water_bytes",
        "open transactions alone could hold publishers, and the transactions with them, for ever",
    ),
    _at_most("limits.body_bytes_max", "limits.transaction_bytes_max", "no transaction could send the largest message"),
    _at_most("limits.prefetch_default", "limits.prefetch_max", "a client could not ask for the default"),
    _at_most("stomp.header_line_bytes_max", "stomp.header_block_bytes_max", "a line is a part of its block"),
    _at_most("stomp.login_frame_bytes_max", "stomp.header_block_bytes_max", "CONNECT is a header block"),
    _at_most("stomp.heartbeat_min_seconds", "stomp.heartbeat_max_seconds", "no interval would be left"),
    Rule((("stomp", "listen"), ("users",)), _check_users),
)


def _values(settings: Settings) -> Mapping[KeyPath, float]:
    return {key.path: value for key, value in settings.values()}


def _shown(path: KeyPath, value: float) -> str:
    return show_size(int(value)) if "bytes" in path[-1] else f"{value:g}"
