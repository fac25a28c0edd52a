"""Alarms: what lasts for a while and is told to the log once, when it begins, and where it ends by itself then, too."""

from __future__ import annotations

from typing import Final

from segue.broker.deduplication import COMPANION_KIND
from segue.broker.log_lines import Log
from segue.broker.pressure import Pressure
from segue.storage.api import Log as StorageLog
from segue.storage.api import Store

__all__ = ["Alarms"]

_COMMIT_LATE_SECONDS: Final = 5.0
"""The worst of a disk that is only busy is a second or two; clients that wait for a receipt begin to give up."""


class Alarms:
    """Of one node.

    Attributes:
        commit_seconds: for how long the group commit that is under way has been waited for, at the last look; 0 when
            the look before has found another one.
    """

    def __init__(self, log: Log, store: Store, pressure: Pressure) -> None:
        self._log = log
        self._store = store
        self._pressure = pressure
        self._is_pressure_told = False
        self._is_checkpoint_fault_told = False
        self._stuck_told: set[str] = set()
        self.commit_seconds = 0.0
        self._commit = 0
        self._commit_since = 0.0
        self._is_late_commit_told = False

    def look_at_pressure(self) -> None:
        """Tell that publishers are held, and that they no longer are."""
        # Waiting a moment for the disk or for a checkpoint is daily life; memory and disk marks are news.
        if self._pressure.alarm is self._is_pressure_told:
            return
        self._is_pressure_told = self._pressure.alarm
        if self._is_pressure_told:
            self._log.warning("publishers.held", reason="; ".join(self._pressure.reasons))
        else:
            self._log.info("publishers.released")

    def look_at_commit(self, now: float) -> None:
        """Tell that nothing becomes durable, so that no receipt goes out, and that something has.

        Args:
            now: monotonic seconds.
        """
        commit = self._store.commit_under_way
        if commit != self._commit:
            if self._is_late_commit_told:
                self._log.info("commit.done", seconds=round(now - self._commit_since, 1))
            self._commit, self._commit_since, self._is_late_commit_told = commit, now, False
        self.commit_seconds = now - self._commit_since if commit else 0.0
        if self.commit_seconds >= _COMMIT_LATE_SECONDS and not self._is_late_commit_told:
            self._is_late_commit_told = True
            self._log.warning("commit.late", seconds=round(self.commit_seconds, 1))

    def look_at_checkpoints(self) -> None:
        """Tell that a checkpoint has failed, and that one was written again; not of each try in between."""
        fault = self._store.checkpoint_fault
        if bool(fault) is self._is_checkpoint_fault_told:
            return
        self._is_checkpoint_fault_told = bool(fault)
        if fault:
            self._log.error("checkpoint.failed", reason=fault)
        else:
            self._log.info("checkpoint.recovered")

    def dead_letters_stuck(self, name: str, reason: str) -> None:
        """The queue of a name can't take dead letters. They are tried again and again; it is told once."""
        if name not in self._stuck_told:
            self._stuck_told.add(name)
            self._log.error("queue.dead_letters_stuck", queue=name, reason=reason)

    def storage_fault(self, log: StorageLog, text: str) -> None:
        """Something of a log can't be read; the store tells each fault once."""
        definition = log.definition
        if (
            definition.get("kind") == COMPANION_KIND
            and (queue := self._store.logs.get(definition["queue"])) is not None
        ):
            definition = queue.definition
        name = definition.get("name") or definition.get("pattern") or definition.get("kind")
        self._log.error("storage.unreadable", queue=name, reason=text)
