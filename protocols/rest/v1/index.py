"""What stands at the root of the API: where its description is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from segue import broker

if TYPE_CHECKING:
    from segue.protocols.rest.v1.operation import Call, NoParameters

__all__ = ["OPENAPI_PATH", "Index", "show_index"]

OPENAPI_PATH: Final = "/openapi.json"


class Index(msgspec.Struct):
    """The API."""

    version: str
    openapi: str
    queues: str


def show_index(call: Call[NoParameters, None]) -> None:
    """Say where to go on from here."""
    call.answer(Index(broker.__version__, OPENAPI_PATH, "/v1/queues"))
