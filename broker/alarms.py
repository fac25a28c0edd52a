"""Alarms: what lasts for a while and is told to the log once, when it begins, and where it ends by itself then, too."""

from __future__ import annotations

from segue.broker.deduplication import COMPANION_KIND
from segue.broker.log_lines import Log
from segue.broker.pressure import Pressure
from segue.storage.api import Log as StorageLog
from segue.storage.api import Store

__all__ = ["Alarms"]


class Alarms:
    """Of one node."""

    def __init__(self, log: Log, store: Store, pressure: Pressure) -> None:
        self._log = log
        self._store = store
        self._pressure = pressure
        self._is_pressure_told = False
        self._is_checkpoint_fault_told = False
        self._stuck_told: set[str] = set()

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
