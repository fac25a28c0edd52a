"""The options of queues as they are written in JSON: the keys of policies, with their kinds and limits.

They are declared once, in the settings; here they become the members of an object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from segue.broker.queue_options import QueueOptions
from segue.broker.settings.keys import Key
from segue.broker.settings.kinds import Choice, Count, Flag, Size
from segue.broker.settings.policy_reading import POLICY_KEYS
from segue.broker.settings.queue_kinds import Milliseconds
from segue.protocols.rest.json_body import BodyError

__all__ = ["QueueChanges", "QueueDeclaration", "changed_options"]

_NAMES: Final = tuple(option.name for option in fields(QueueOptions))


def _type_of(key: Key) -> Any:
    """The type of a member; null takes an option away, and a member that is left out says nothing."""
    setting = key.setting
    kind = setting.kind
    value: Any = str
    if isinstance(kind, Choice):
        value = Literal[kind.words]
    elif isinstance(kind, Flag):
        value = bool
    elif isinstance(kind, Count | Size | Milliseconds):
        value = Annotated[int, Meta(ge=setting.minimum, le=setting.maximum)]
    return Annotated[value | UnsetType | None, Meta(description=setting.text)]


QueueDeclaration: Final = msgspec.defstruct(
    "QueueDeclaration",
    [(name, _type_of(POLICY_KEYS[name]), UNSET) for name in _NAMES],
    namespace={"__doc__": "The options of a queue that is made."},
    module=__name__,
    forbid_unknown_fields=True,
)
QueueChanges: Final = msgspec.defstruct(
    "QueueChanges",
    [
        (
            "paused",
            Annotated[bool | UnsetType, Meta(description="True: nothing is delivered, until it is false.")],
            UNSET,
        )
    ],
    bases=(QueueDeclaration,),
    namespace={"__doc__": "What is to be changed about a queue: a JSON merge patch (RFC 7396)."},
    module=__name__,
    forbid_unknown_fields=True,
)


def changed_options(declared: Mapping[str, Any], said: msgspec.Struct) -> QueueOptions:
    """The options that a queue is declared with.

    Args:
        declared: those that it was declared with until now.
        said: a `QueueDeclaration`.

    Raises:
        BodyError: a value can't be.
    """
    options = dict(declared)
    for name in _NAMES:
        value = getattr(said, name)
        if value is None:
            options.pop(name, None)
        elif value is not UNSET:
            options[name] = _read(name, value)
    return QueueOptions(**options)


def _read(name: str, value: Any) -> Any:
    try:
        return POLICY_KEYS[name].setting.kind.read(value)
    except ValueError as error:
        raise BodyError("invalid-body", f"The option {error}", f"/{name}") from None
