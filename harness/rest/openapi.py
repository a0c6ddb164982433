"""The OpenAPI document, from the same declarations that requests are routed and validated by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import harness
from harness.rest.microversions import HEADER, MAXIMUM
from harness.rest.operations import Operation
from harness.rest.schemas import Schema

PATTERN_MAX = 200
"""A longer pattern, such as that of all printable characters, says nothing to a reader."""
FAULT: Schema = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": {
        "type": "object",
        "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
        "required": ["code", "message"],
    },
}


def document(operations: Iterable[Operation], minor: int = MAXIMUM) -> dict[str, Any]:
    """OpenAPI 3.1 for microversion 3.minor. Project ids are left out of the paths: they are optional."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        if not operation.since <= minor <= operation.until:
            continue
        methods = paths.setdefault(f"/v3{operation.path}", {})
        method = operation.method.lower()
        if method in methods:
            _add_action(methods[method], operation, minor)
        else:
            methods[method] = _described(operation, minor)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Block Storage API v3, simulated by Crucible",
            "version": f"3.{minor}",
            "description": f"Crucible {harness.__version__}. Refusals have Cinder's fault format.",
        },
        "components": {
            "securitySchemes": {"noauth": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}},
            "schemas": {"Fault": FAULT},
        },
        "security": [{"noauth": []}],
        "paths": paths,
    }


def _described(operation: Operation, minor: int) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    parameters += [{"name": name, "in": "query", "schema": {"type": "string"}} for name in operation.query]
    parameters.append(
        {"name": HEADER, "in": "header", "schema": {"type": "string", "enum": [f"volume 3.{minor}"]}}
    )
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.path.split("/")[1]],
        "parameters": parameters,
        "responses": {
            str(operation.code): {"description": operation.summary},
            "4XX": {
                "description": "A refusal",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Fault"}}},
            },
        },
    }
    schema = operation.body_schema(minor)
    if schema is not None:
        described["requestBody"] = _body(_plain(schema))
    return described


def _body(schema: Schema) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _add_action(described: dict[str, Any], operation: Operation, minor: int) -> None:
    """One more action on the same path: its body is another choice."""
    content = described["requestBody"]["content"]["application/json"]
    choices = content["schema"].get("oneOf", [content["schema"]])
    content["schema"] = {"oneOf": [*choices, _plain(operation.body_schema(minor) or {})]}
    described["operationId"] = f"{operation.method} {operation.path}"
    described["summary"] = "One of the actions below."
    described["responses"][str(operation.code)] = {"description": "Done, or accepted"}


def _plain(schema: Any) -> Any:
    """The schema for readers and tools: without very long patterns."""
    if isinstance(schema, Mapping):
        return {
            key: _plain(value)
            for key, value in schema.items()
            if not (key == "pattern" and isinstance(value, str) and len(value) > PATTERN_MAX)
        }
    return [_plain(each) for each in schema] if isinstance(schema, (list, tuple)) else schema
