"""The description of the API in OpenAPI 3.1, written from the table of operations that requests are read by."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType
from typing import Any, Final

import msgspec

from segue import broker
from segue.protocols.rest.v1.operation import HEADER_PARAMETERS, NDJSON, OCTETS, Operation, Reply
from segue.protocols.rest.v1.problems import PROBLEM_JSON, PROBLEMS, RETRY_STATUSES, Problem

__all__ = ["describe", "problems_of"]

_REFERENCE: Final = "#/components/schemas/{name}"
_ANY_REQUEST: Final = (
    "bad-target",
    "body-too-large",
    "content-encoding",
    "foreign-origin",
    "internal-error",
    "invalid-body",
    "invalid-parameter",
    "request-timeout",
    "shutting-down",
    "unauthorized",
    "unknown-host",
)
_JSON_BODY: Final = ("bad-json", "unsupported-media-type")
_TEXT: Final = """\
Errors are `application/problem+json` (RFC 9457); `retryable` is true when the same request may succeed later. \
Members and parameters that are not known are refused. Without users in the settings, a client on the broker's machine \
comes in as `guest` with the password `guest`."""
_attribute: Final = re.compile(r"^([a-z_]+(?:, [a-z_]+)*): (.+(?:\n    .+)*)", re.MULTILINE).findall

_Json = dict[str, Any]


def describe(operations: Sequence[Operation[Any, Any]]) -> _Json:
    """The whole document, as an object of JSON."""
    paths: dict[str, _Json] = defaultdict(dict)
    components = _components(operations)
    for operation in operations:
        paths[operation.path][operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Segue",
            "version": broker.__version__,
            "summary": "A durable message broker",
            "description": _TEXT,
        },
        "servers": [{"url": "/"}],
        "security": [{"basic": []}],
        "paths": dict(paths),
        "components": {"schemas": components, "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}}},
    }


def problems_of(operation: Operation[Any, Any]) -> list[str]:
    """The types of all problems that an operation is answered with: its own, and those of any request."""
    return sorted({*_ANY_REQUEST, *(() if operation.body is NoneType else _JSON_BODY), *operation.problems})


def _operation(operation: Operation[Any, Any]) -> _Json:
    described: _Json = {
        "operationId": operation.name,
        "tags": [_tag(operation.path)],
        "summary": operation.summary,
        "parameters": list(_parameters(operation)),
        "responses": {
            **{str(status): _response(reply) for status, reply in operation.replies.items()},
            **_problem_responses(problems_of(operation)),
        },
    }
    if operation.text:
        described["description"] = operation.text
    if operation.content_type in (OCTETS, NDJSON):
        # OpenAPI 3.1: what is no text has a media type, and no schema; for a sequence of values it has no words.
        described["requestBody"] = {"required": False, "content": {operation.content_type: {}}}
    elif operation.body is not NoneType:
        content = {operation.content_type: {"schema": _schema(operation.body)}}
        described["requestBody"] = {"required": operation.needs_body, "content": content}
    return described


def _tag(path: str) -> str:
    """What it is about: `messages` for `/v1/queues/{queue}/messages/raw`."""
    words = [word for word in path.split("/")[2:] if not word.startswith("{")]
    return words[min(1, len(words) - 1)] if words else "api"


def _parameters(operation: Operation[Any, Any]) -> Iterable[_Json]:
    _, defined = msgspec.json.schema_components([operation.parameters])
    (described,) = defined.values()
    for name, schema in described["properties"].items():
        schema = dict(schema)
        text = schema.pop("description", "")
        if name in HEADER_PARAMETERS:
            yield {"name": HEADER_PARAMETERS[name], "in": "header", "description": text, "schema": schema}
        elif name in operation.path_names:
            yield {"name": name, "in": "path", "required": True, "description": text, "schema": schema}
        else:
            required = name in described.get("required", ())
            yield {"name": name, "in": "query", "required": required, "description": text, "schema": schema}


def _response(reply: Reply) -> _Json:
    described: _Json = {"description": reply.text}
    if reply.headers:
        described["headers"] = {name: _header(text) for name, text in reply.headers.items()}
    if reply.type is not None:
        described["content"] = {reply.content_type: {"schema": _schema(reply.type)}}
    return described


def _problem_responses(codes: Iterable[str]) -> dict[str, _Json]:
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in codes:
        by_status[PROBLEMS[code].status].append(code)
    return {str(status): _problem_response(status, codes) for status, codes in sorted(by_status.items())}


def _problem_response(status: int, codes: Sequence[str]) -> _Json:
    described: _Json = {
        "description": "\n".join(f"- `{code}`: {PROBLEMS[code].title}." for code in codes),
        "content": {PROBLEM_JSON.decode(): {"schema": _schema(Problem)}},
    }
    if status in RETRY_STATUSES:
        described["headers"] = {"Retry-After": _header("Seconds after which to come again.")}
    elif status == PROBLEMS["unauthorized"].status:
        described["headers"] = {"WWW-Authenticate": _header("How to say who you are.")}
    return described


def _header(text: str) -> _Json:
    return {"description": text, "schema": {"type": "string"}}


def _schema(kind: Any) -> Any:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=_REFERENCE)
    return schema


def _components(operations: Sequence[Operation[Any, Any]]) -> dict[str, Any]:
    bodies = [operation.body for operation in operations if operation.body is not NoneType]
    answers = [reply.type for operation in operations for reply in operation.replies.values() if reply.type]
    _, defined = msgspec.json.schema_components([*bodies, *answers, Problem], ref_template=_REFERENCE)
    return {name: _without_docstring(schema) for name, schema in sorted(defined.items())}


def _without_docstring(schema: Mapping[str, Any]) -> _Json:
    """What a docstring says of attributes is said where they are described; its first paragraph is left."""
    text, _, attributes = inspect.cleandoc(schema.get("description", "")).partition("\n\nAttributes:\n")
    properties = {name: dict(described) for name, described in schema.get("properties", {}).items()}
    for names, meaning in _attribute(inspect.cleandoc(attributes)):
        for name in names.split(", "):
            if name in properties and "$ref" not in properties[name]:
                properties[name].setdefault("description", " ".join(meaning.split()))
    return {**schema, "description": text} | ({"properties": properties} if properties else {})
