"""The control protocol's codec: lines of JSON to requests and replies, and back. No I/O.

    > {"id": 1, "do": "queue.purge", "with": {"queue": "orders"}}
    < {"id": 1, "progress": {"done": 0, "total": 5000000}}
    < {"id": 1, "result": {"purged": 5000000}}
    > {"id": 2, "do": "queue.list"}
    < {"id": 2, "items": [{"name": "orders", …}, …]}
    < {"id": 2, "result": {"count": 1}}
    > {"id": 3, "do": "queue.show", "with": {"queue": "x"}}
    < {"id": 3, "error": {"code": "not-found", "message": "no queue 'x'"}}

Rule: requests are answered in the order in which they came, each with any number of `progress` and `items` lines and
then exactly one `result` or `error`. `id` is whatever the client chose, a number or a text. Every line is one JSON
object in UTF-8, ended by LF, and has a largest length: a line that is longer ends the connection, anything else that is
wrong with one is answered.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

__all__ = [
    "ControlError",
    "ErrorCode",
    "Reply",
    "ReplyReader",
    "Request",
    "RequestId",
    "RequestReader",
    "error_line",
    "items_line",
    "progress_line",
    "request_line",
    "result_line",
]

RequestId = int | str | None
"""None stands for a request whose id could not be read."""

_ID_LENGTH_MAX: Final = 200
_KINDS: Final = ("result", "error", "items", "progress")


class ErrorCode(StrEnum):
    """Why a request was not carried out. Stable: scripts compare them."""

    BAD_REQUEST = "bad-request"
    """The line is no request, or an argument is missing or wrong."""
    UNKNOWN_COMMAND = "unknown-command"
    """This daemon does not know the command: it may be of another version than the client."""
    LINE_TOO_LONG = "line-too-long"
    """The connection ends."""
    NOT_ALLOWED = "not-allowed"
    """Another account's process; the connection ends."""
    TOO_MANY = "too-many-connections"
    """The connection ends."""
    NOT_FOUND = "not-found"
    IN_USE = "in-use"
    LIMIT_REACHED = "limit-reached"
    HELD = "held"
    """Publishers are held; the text says why."""
    UNREADABLE = "unreadable"
    """What lies on disk can't be read."""
    SHUTTING_DOWN = "shutting-down"
    REFUSED = "refused"
    """Not possible as things are; the text says why."""
    INTERNAL = "internal"
    """An error in Segue; the daemon's log has it."""


class ControlError(Exception):
    """A request that can't be carried out.

    Attributes:
        code: why.
        id: of the request.
        ends_connection: what follows in the stream can't be understood, or is not wanted.
    """

    def __init__(
        self, code: ErrorCode, message: str, *, request_id: RequestId = None, ends_connection: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.id = request_id
        self.ends_connection = ends_connection


@dataclass(frozen=True, slots=True)
class Request:
    """What a client wants: `do` with these arguments."""

    id: RequestId
    do: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """One line of an answer. `kind` is result, error, items or progress, and `value` what stands behind it."""

    id: RequestId
    kind: str
    value: Any


class _Lines:
    """Octets to lines without their LF."""

    def __init__(self, line_bytes_max: int) -> None:
        self._line_bytes_max = line_bytes_max
        self._buffer = bytearray()
        self._searched = 0

    def receive_data(self, data: bytes) -> Iterable[bytes]:
        """Every whole line.

        Raises:
            ControlError: LINE_TOO_LONG; nothing is to be given to it after that.
        """
        buffer = self._buffer
        buffer += data
        while (end := buffer.find(b"\n", self._searched)) >= 0:
            self._check(end)
            line = bytes(memoryview(buffer)[:end])
            del buffer[: end + 1]
            self._searched = 0
            yield line
        self._searched = len(buffer)
        self._check(len(buffer))

    def _check(self, size: int) -> None:
        if size > self._line_bytes_max:
            problem = f"the request is longer than {self._line_bytes_max} bytes"
            raise ControlError(ErrorCode.LINE_TOO_LONG, problem, ends_connection=True)


class RequestReader:
    """The daemon's side of the stream.

    Args:
        line_bytes_max: without the LF.
    """

    def __init__(self, line_bytes_max: int) -> None:
        self._lines = _Lines(line_bytes_max)

    def receive_data(self, data: bytes) -> list[Request | ControlError]:
        """What has come, in order; an error stands where a request can't be understood."""
        found: list[Request | ControlError] = []
        try:
            # extend() keeps what it got before an exception.
            found.extend(_request(line) for line in self._lines.receive_data(data) if line.strip())
        except ControlError as error:
            found.append(error)
        return found


class ReplyReader:
    """The client's side of the stream."""

    def __init__(self, line_bytes_max: int) -> None:
        self._lines = _Lines(line_bytes_max)

    def receive_data(self, data: bytes) -> list[Reply]:
        """What has come, in order.

        Raises:
            ControlError: whoever is there does not speak this protocol.
        """
        return [_reply(line) for line in self._lines.receive_data(data)]


def request_line(request_id: RequestId, do: str, arguments: Mapping[str, Any]) -> bytes:
    """A request."""
    return _line({"id": request_id, "do": do, "with": arguments})


def items_line(request_id: RequestId, items: list[Mapping[str, Any]]) -> bytes:
    """A part of a list."""
    return _line({"id": request_id, "items": items})


def progress_line(request_id: RequestId, done: int, total: int) -> bytes:
    """How far a long operation has come."""
    return _line({"id": request_id, "progress": {"done": done, "total": total}})


def result_line(request_id: RequestId, result: Mapping[str, Any]) -> bytes:
    """The end of a request that was carried out."""
    return _line({"id": request_id, "result": result})


def error_line(error: ControlError, request_id: RequestId = None) -> bytes:
    """The end of a request that was not."""
    identity = error.id if request_id is None else request_id
    return _line({"id": identity, "error": {"code": error.code.value, "message": str(error)}})


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise ControlError(ErrorCode.BAD_REQUEST, "a line is one JSON object in UTF-8") from None
    if not isinstance(value, dict):
        raise ControlError(ErrorCode.BAD_REQUEST, "a line is one JSON object")
    return value


def _id_of(value: Mapping[str, Any]) -> RequestId:
    identity = value.get("id")
    is_id = isinstance(identity, int | str) and not isinstance(identity, bool) and len(str(identity)) <= _ID_LENGTH_MAX
    return identity if is_id else None


def _request(line: bytes) -> Request | ControlError:
    try:
        value = _object(line)
    except ControlError as error:
        return error
    identity = _id_of(value)
    strange = value.keys() - {"id", "do", "with"}
    arguments = value.get("with", {})
    if identity is None:
        problem = f"'id' is a number, or a text of at most {_ID_LENGTH_MAX} characters"
    elif strange:
        problem = f"{sorted(strange)[0]!r} is no part of a request: it has 'id', 'do' and 'with'"
    elif not isinstance(value.get("do"), str):
        problem = "'do' names a command"
    elif not isinstance(arguments, dict):
        problem = "'with' is an object: the arguments of the command"
    else:
        return Request(identity, value["do"], arguments)
    return ControlError(ErrorCode.BAD_REQUEST, problem, request_id=identity)


def _reply(line: bytes) -> Reply:
    value = _object(line)
    for kind in _KINDS:
        if kind in value:
            return Reply(_id_of(value), kind, value[kind])
    raise ControlError(ErrorCode.BAD_REQUEST, "a reply has a result, an error, items or progress")
