"""One operation of the API: what it takes and answers, and how a request for it is read.

The table of them (table.py) is the one description of the API: requests are read and refused by it, and the OpenAPI
document is written from it. So the two can't say different things.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar, cast

import msgspec

from segue.protocols.http import Exchange
from segue.protocols.http.errors import Header
from segue.protocols.rest.json_body import BodyError, read_json
from segue.protocols.rest.v1.problems import ProblemError

if TYPE_CHECKING:
    from segue.broker.node import Node

__all__ = ["HEADER_PARAMETERS", "JSON", "MERGE_PATCH", "NDJSON", "OCTETS", "Call", "NoParameters", "Operation", "Reply"]

JSON: Final = "application/json"
MERGE_PATCH: Final = "application/merge-patch+json"
NDJSON: Final = "application/x-ndjson"
"""A JSON value a line; taken in pieces, by the operation itself."""
OCTETS: Final = "*/*"
"""The body is taken as it is, whatever it is said to be."""
HEADER_PARAMETERS: Final = {"if_match": "If-Match", "idempotency_key": "Idempotency-Key"}
"""Parameters that are headers, by their names in Python; those in the path are not in the query."""

_P = TypeVar("_P", bound=msgspec.Struct)
_B = TypeVar("_B")
_in_path: Final = re.compile(r"\{(\w+)\}").findall
_place: Final = re.compile(r" - at `\$\.?(\w*)[^`]*`$").search
_unknown: Final = re.compile(r"unknown field `([^`]*)`").search


class NoParameters(msgspec.Struct, forbid_unknown_fields=True):
    """Of operations that have none."""


class Reply(NamedTuple):
    """What an operation answers with one status.

    Attributes:
        text: in a sentence.
        type: of the body; None for an empty one.
        headers: name and meaning of those that matter.
        content_type: of the body; of `NDJSON` the type is that of a line.
    """

    text: str
    type: Any = None
    headers: Mapping[str, str] = {}
    content_type: str = JSON


class Call(Generic[_P, _B]):
    """A request that was read, and its answer.

    Attributes:
        exchange: the same in HTTP.
        node: the broker.
        parameters: from path, query and headers.
        body: what it says.
    """

    __slots__ = ("body", "exchange", "node", "parameters")

    def __init__(self, exchange: Exchange, parameters: _P, body: _B) -> None:
        self.exchange = exchange
        self.node: Node = exchange.node
        self.parameters = parameters
        self.body = body

    def answer(self, value: object, status: int = 200, *, headers: Sequence[Header] = ()) -> None:
        """Answer with an object."""
        self.exchange.answer(status, msgspec.json.encode(value) + b"\n", headers=headers)

    def answer_when_durable(self, value: object, status: int = 200, *, headers: Sequence[Header] = ()) -> None:
        """Answer when all that was done so far is on disk."""
        self.exchange.when_durable(lambda: self.answer(value, status, headers=headers))


class Operation(Generic[_P, _B]):
    """One row of the table.

    Attributes:
        name: in camel case: what generated clients call it.
        method: of HTTP.
        path: with `{name}` for parameters.
        summary: a few words.
        text: what else there is to know, in Markdown.
        parameters: their types and limits; a `Struct` that forbids what it does not know.
        body: the type of the body; `NoneType` when there is none, or it is octets.
        content_type: of the body.
        replies: by status.
        problems: the types of problems (problems.py) that are its own; those that any request may have are left out.
        perform: carries it out.
    """

    def __init__(
        self,
        name: str,
        method: str,
        path: str,
        summary: str,
        *,
        perform: Callable[[Call[_P, _B]], None],
        replies: Mapping[int, Reply],
        parameters: type[_P],
        body: type[_B],
        content_type: str = JSON,
        problems: Sequence[str] = (),
        text: str = "",
    ) -> None:
        self.name = name
        self.method = method
        self.path = path
        self.summary = summary
        self.text = text
        self.parameters = parameters
        self.body = body
        self.content_type = content_type
        self.replies = replies
        self.problems = problems
        self.perform = perform
        self.path_names: Sequence[str] = _in_path(path)
        fields = {field.encode_name for field in msgspec.structs.fields(parameters)}
        self._header_names = {name: text.lower() for name, text in HEADER_PARAMETERS.items() if name in fields}
        self._decoder = None if body is NoneType else msgspec.json.Decoder(body)

    @property
    def needs_body(self) -> bool:
        """True when nothing can be asked without saying something in a body."""
        return issubclass(self.body, msgspec.Struct) and any(one.required for one in msgspec.structs.fields(self.body))

    def handle(self, exchange: Exchange) -> None:
        """Read a request, and carry it out: a `segue.protocols.http.routes.Handler`.

        Raises:
            HttpError, BrokerError: the answer.
        """
        self.perform(Call(exchange, self._read_parameters(exchange), self._read_body(exchange)))

    def _read_parameters(self, exchange: Exchange) -> _P:
        request = exchange.request
        elsewhere = [name for name in (*self.path_names, *self._header_names) if name in request.query]
        if elsewhere:
            raise ProblemError("invalid-parameter", "This is no parameter of the query", parameter=elsewhere[0])
        headers = request.headers
        said = {name: headers[header] for name, header in self._header_names.items() if header in headers}
        try:
            return msgspec.convert({**request.query, **said, **request.parameters}, self.parameters, strict=False)
        except msgspec.ValidationError as error:
            raise _invalid_parameter(str(error)) from None

    def _read_body(self, exchange: Exchange) -> _B:
        """The body; None where the operation has none. Octets are left to `perform`."""
        request = exchange.request
        if self._decoder is None:
            if self.content_type not in (OCTETS, NDJSON) and request.body:
                raise BodyError("invalid-body", "There is nothing to be said in a body here")
            return cast("_B", None)
        given = request.headers.get("content-type", "")
        if request.body and given.partition(";")[0].strip().lower() != self.content_type:
            text = f"The body is of type '{given[:100]}' and not '{self.content_type}'"
            raise ProblemError("unsupported-media-type", text)
        return read_json(request.body, self._decoder)


def _invalid_parameter(text: str) -> ProblemError:
    """What msgspec says of a value, such as "Expected `int` <= 1000 - at `$.limit`"."""
    if (unknown := _unknown(text)) is not None:
        return ProblemError("invalid-parameter", "There is no such parameter", parameter=unknown[1])
    found = _place(text)
    if found is None:
        return ProblemError("invalid-parameter", text)
    name = HEADER_PARAMETERS.get(found[1], found[1])
    return ProblemError("invalid-parameter", f"{text[: found.start()]}, in '{name}'", parameter=name)
