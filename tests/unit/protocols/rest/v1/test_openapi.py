"""The description of the API is valid OpenAPI, and says what the table says."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import openapi_spec_validator
import pytest

from segue.protocols.rest.v1.openapi import problems_of
from segue.protocols.rest.v1.operation import HEADER_PARAMETERS, Operation
from segue.protocols.rest.v1.problems import PROBLEMS
from segue.protocols.rest.v1.table import OPERATIONS
from tests.helpers.http_client import request
from tests.unit.protocols.rest.v1.description import DESCRIPTION
from tests.unit.protocols.rest.v1.v1_world import V1World

every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)


def described(operation: Operation[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = DESCRIPTION["paths"][operation.path][operation.method.lower()]
    return found


def test_it_is_valid() -> None:
    openapi_spec_validator.validate(DESCRIPTION)


def test_it_is_served_to_everybody(world: V1World) -> None:
    world.conversation.receive(request("/openapi.json"))
    world.settle_down()
    _, _, body = bytes(world.connection.written).partition(b"\r\n\r\n")
    world.connection.written.clear()
    assert json.loads(body) == DESCRIPTION
    assert world.ask("GET", "/v1").body["openapi"] == "/openapi.json"


def test_every_operation_has_a_name_of_its_own() -> None:
    assert len({operation.name for operation in OPERATIONS}) == len(OPERATIONS)


@every_operation
def test_every_parameter_is_described_where_it_is_read(operation: Operation[Any, Any]) -> None:
    fields = [field.encode_name for field in msgspec.structs.fields(operation.parameters)]
    expected = {
        (HEADER_PARAMETERS[name], "header")
        if name in HEADER_PARAMETERS
        else (name, "path" if f"{{{name}}}" in operation.path else "query")
        for name in fields
    }
    parameters = described(operation)["parameters"]
    assert {(parameter["name"], parameter["in"]) for parameter in parameters} == expected
    assert all(parameter["description"] for parameter in parameters)


@every_operation
def test_every_status_is_described(operation: Operation[Any, Any]) -> None:
    statuses = {*operation.replies, *(PROBLEMS[code].status for code in problems_of(operation))}
    assert described(operation)["responses"].keys() == {str(status) for status in statuses}


@every_operation
def test_a_body_is_required_where_nothing_can_be_asked_without_one(operation: Operation[Any, Any]) -> None:
    body = described(operation).get("requestBody", {"required": False})
    assert body["required"] == (operation.name in {"publish", "publishToTopic", "settle", "startJob"})


def test_what_docstrings_say_of_attributes_is_said_of_members() -> None:
    statistics = DESCRIPTION["components"]["schemas"]["QueueStatistics"]
    assert "Attributes" not in statistics["description"]
    assert statistics["properties"]["in_flight"]["description"] == "out with consumers."
