"""Writes docs/reference/http-api.md from the table of operations: `python -m segue.protocols.rest.v1.reference`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Final

import msgspec

from segue.protocols.rest.v1.openapi import problems_of
from segue.protocols.rest.v1.operation import HEADER_PARAMETERS, NDJSON, OCTETS, Operation
from segue.protocols.rest.v1.problems import PROBLEMS
from segue.protocols.rest.v1.table import OPERATIONS

__all__ = ["PAGE", "reference_page"]

PAGE: Final = "docs/reference/http-api.md"

_HEAD: Final = """\
# The HTTP API

Segue's own API, on the [HTTP listener](http.md). [Five minutes with curl](../tutorial/http.md) show it. This page is
written from the table that requests are read by (`python -m segue.protocols.rest.v1.reference`); `GET /openapi.json`
has the same as OpenAPI 3.1, with the types of all answers.

- **Who may.** HTTP Basic, with the [users](../how-to/configure-users.md) of the settings; as long as there are none,
  `guest` with the password `guest` from the broker's own machine.
- **Names in paths.** A slash in the name of a queue or topic is `~1` and a tilde `~0`, as in JSON pointers.
- **What is not known is refused**: parameters, and members of bodies.
- **Done means on disk.** A 2xx is answered when what was asked for survives `kill -9`. A request publishes all of its
  messages or none. With 5xx nothing was stored.
- **Repeats.** A publication with the `Idempotency-Key` of an earlier one adds nothing. The key is the deduplication id
  of a raw message; message *n* of a batch, counted from 0, has the id `KEY-n` unless it has one of its own.
- **Raw messages.** `.../messages/raw` takes the body as it is, with its `Content-Type`, and headers of the request that
  begin with `Segue-Header-` as headers of the message, without that and in lower case.
- **Leases.** What is taken is out until it is settled or its lease ends. A client that goes before it has the whole
  answer leaves nothing behind: the messages are back at once. Leases end with the broker: after a restart their
  messages come again, with `redelivered`.
- **ETag** of a queue stands for its options and whether it is paused, not for its statistics.

## Operations

"""
_PROBLEMS_HEAD: Final = """\
## Problems

Errors are `application/problem+json` (RFC 9457): `type` is `/problems/` and one of these words, and stays the same;
`detail` says what is wrong, `pointer` where in the body (RFC 6901), `parameter` in which parameter. Where `retryable`
is true the same request may succeed later; 429 and 503 come with `Retry-After`.

| type | status | what it means | retryable |
|---|---|---|---|
"""


def reference_page() -> str:
    """The page."""
    parts = [_HEAD, *(part for operation in OPERATIONS for part in _operation(operation)), _PROBLEMS_HEAD]
    parts += [
        f"| `{code}` | {kind.status} | {kind.title} | {'yes' if kind.retryable else 'no'} |\n"
        for code, kind in sorted(PROBLEMS.items())
    ]
    return "".join(parts)


def _operation(operation: Operation[Any, Any]) -> Iterator[str]:
    yield f"### `{operation.method} {operation.path}`\n\n{operation.summary}. {operation.text}".rstrip() + "\n\n"
    rows = [*_parameters(operation), *_members(operation)]
    if rows:
        yield "| | | |\n|---|---|---|\n" + "".join(rows) + "\n"
    statuses = ", ".join(f"{status}: {_lower(reply.text)}" for status, reply in operation.replies.items())
    own = [code for code in problems_of(operation) if code in operation.problems]
    yield f"{statuses}.{' Problems of its own: ' if own else ''}{', '.join(f'`{code}`' for code in own)}\n\n"


def _parameters(operation: Operation[Any, Any]) -> Iterator[str]:
    for name, schema, _ in _described(operation.parameters):
        if name in HEADER_PARAMETERS:
            yield _row("header", HEADER_PARAMETERS[name], schema)
        else:
            yield _row("path" if name in operation.path_names else "query", name, schema)


def _members(operation: Operation[Any, Any]) -> Iterator[str]:
    if operation.content_type == OCTETS:
        yield "| body | | octets of any type |\n"
    elif operation.content_type == NDJSON:
        yield "| body | | lines of JSON, each of them a message |\n"
    elif operation.body is not NoneType:
        for name, schema, defined in _described(operation.body):
            yield _row("body", name, schema)
            for member, inner in _of_items(schema, defined):
                yield _row("body", f"{name}[].{member}", inner)


def _described(kind: Any) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Name and schema of each member of a type, and all types that these refer to."""
    _, defined = msgspec.json.schema_components([kind], ref_template="{name}")
    for name, schema in defined[kind.__name__]["properties"].items():
        yield name, schema, defined


def _of_items(schema: dict[str, Any], defined: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The members of what is in a list, each once."""
    items = schema.get("items", {})
    members: dict[str, dict[str, Any]] = {}
    for choice in items.get("anyOf", [items] if items else []):
        for name, inner in defined[choice["$ref"]]["properties"].items():
            words = [*members.get(name, {}).get("enum", ()), *inner.get("enum", ())]
            members[name] = {**inner, "enum": words} if words else inner
    yield from members.items()


def _row(place: str, name: str, schema: dict[str, Any]) -> str:
    text = schema.get("description", "")
    return f"| {place} | `{name}` | {' '.join([text, _limits(schema)]).strip()} |\n"


def _limits(schema: dict[str, Any]) -> str:
    """The values that a member may have, and the one that it has where it is left out."""
    said = []
    for choice in schema.get("anyOf", ()):
        schema = {**choice, **schema} if choice != {"type": "null"} else schema
    if "enum" in schema:
        said.append(" or ".join(f"`{word}`" for word in schema["enum"]))
    if "minimum" in schema and "maximum" in schema:
        said.append(f"{schema['minimum']} to {schema['maximum']}")
    if "maxItems" in schema:
        said.append(f"{schema['minItems']} to {schema['maxItems']} of them")
    if schema.get("default") not in (None, ""):
        said.append(f"default `{msgspec.json.encode(schema['default']).decode()}`")
    return f"({', '.join(said)})" if said else ""


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


if __name__ == "__main__":
    Path(PAGE).write_text(reference_page(), encoding="utf-8")
