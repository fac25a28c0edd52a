"""Holds answers against the description of the API that clients are generated from."""

from __future__ import annotations

import re
from typing import Any, Final

from openapi_schema_validator import OAS31Validator

from segue.protocols.rest.v1.openapi import describe
from segue.protocols.rest.v1.table import OPERATIONS

__all__ = ["DESCRIPTION", "check_described"]

DESCRIPTION: Final = describe(OPERATIONS)


def check_described(method: str, target: str, status: int, body: object) -> None:
    """What is answered to an operation stands in its description, with a body of this type."""
    operation = _operation(method, target.partition("?")[0])
    if operation is None:
        return
    assert str(status) in operation["responses"], f"{method} {target} is not said to answer {status}"
    for content in operation["responses"][str(status)].get("content", {}).values():
        schema = {**content["schema"], "components": DESCRIPTION["components"]}
        errors = [f"{error.json_path}: {error.message}" for error in OAS31Validator(schema).iter_errors(body)]
        assert not errors, f"{method} {target} answers {status} with something else than described: {errors}"


def _operation(method: str, path: str) -> dict[str, Any] | None:
    for template, operations in DESCRIPTION["paths"].items():
        if method.lower() in operations and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            found: dict[str, Any] = operations[method.lower()]
            return found
    return None
