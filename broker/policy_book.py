"""The policies of a broker: those of the settings, and those that an operator has set while it runs.

One that was set takes the place of one of the settings with the same name, for as long as it is there. Each of them is
a log without messages, by whose definition it is known: so it is written with the open batch, and survives like a
queue.

In memory: all of them. Durable: those that were set; those of the settings are read at each start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any, Final, NamedTuple

from segue.broker.errors import InUseError, LimitReachedError, NotFoundError
from segue.broker.policies import Policies
from segue.broker.settings import Policy
from segue.storage.api import Log, Store

__all__ = ["KIND", "PolicyBook", "PolicyRow"]

KIND: Final = "policy"
"""Of the log."""
_POLICIES_MAX: Final = 1000
"""Each is compared with the name of each queue at a start, and when one is set: with 100,000 queues some 30 seconds."""
_FIELDS: Final = tuple(declared.name for declared in fields(Policy))


class PolicyRow(NamedTuple):
    """A policy as an operator sees it.

    Attributes:
        was_set: while the broker ran; otherwise it is one of the settings.
        hidden: it is one of the settings, and one of the same name was set.
    """

    name: str
    policy: Policy
    was_set: bool
    hidden: bool


class PolicyBook:
    """See the module.

    Attributes:
        policies: what is in force. Another object after each change.
    """

    def __init__(self, store: Store, of_settings: Mapping[str, Policy]) -> None:
        self._store = store
        self._of_settings = of_settings
        self._set: dict[str, tuple[Policy, Log]] = {}
        self.policies = Policies(of_settings)

    def recover(self, logs: list[Log]) -> None:
        """Take up what was set before the last stop. What only a newer Segue knows is passed over."""
        for log in logs:
            kept = log.definition["policy"]
            policy = Policy(**{name: kept[name] for name in _FIELDS if name in kept})
            self._set[str(log.definition["name"])] = policy, log
        self._changed()

    def set(self, name: str, policy: Policy) -> None:
        """From now on there is this policy, and no other of its name. Durable with the open batch.

        Raises:
            LimitReachedError: there are too many.
        """
        definition = {"kind": KIND, "name": name, "policy": _kept(policy)}
        if name in self._set:
            log = self._set[name][1]
            self._store.redefine(log, definition)
        elif len(self._set) >= _POLICIES_MAX:
            raise LimitReachedError(f"there are {_POLICIES_MAX} policies that were set; no more are kept")
        else:
            log = self._store.create_log(definition)
        self._set[name] = policy, log
        self._changed()

    def delete(self, name: str) -> None:
        """Delete one that was set; one of the settings that it has hidden is in force again. Durable likewise.

        Raises:
            NotFoundError: there is none of that name.
            InUseError: it is one of the settings.
        """
        if name in self._set:
            self._store.drop_log(self._set.pop(name)[1])
            self._changed()
        elif name in self._of_settings:
            raise InUseError(f"policy '{name}' is one of the settings: it goes when it is taken out of them")
        else:
            raise NotFoundError(f"no policy '{name}'")

    def rows(self) -> Iterator[PolicyRow]:
        """All of them, by name."""
        for name in sorted(self._of_settings.keys() | self._set.keys()):
            if name in self._set:
                yield PolicyRow(name, self._set[name][0], was_set=True, hidden=False)
            if name in self._of_settings:
                yield PolicyRow(name, self._of_settings[name], was_set=False, hidden=name in self._set)

    def _changed(self) -> None:
        self.policies = Policies(self._of_settings, {name: policy for name, (policy, _) in self._set.items()})


def _kept(policy: Policy) -> dict[str, Any]:
    return {name: value for name, value in asdict(policy).items() if value is not None}
