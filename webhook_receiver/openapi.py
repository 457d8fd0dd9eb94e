"""The description of the URLs for the loan origination system, made from the schemas they are checked against."""

from typing import Any

from webhook_receiver.los_schemas import Operations, Progress, Submitted

TOKEN_HEADER = "X-Internal-Token"  # noqa: S105  a header's name

_TEXT = {"content": {"text/plain": {"schema": {"type": "string"}}}}


def describe(operations: Operations, most: int) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    paths: dict[str, Any] = {}
    for name in operations.schemas:
        paths[f"/los/{name}"] = {"post": _submit(name, most)}
        paths[f"/los/{name}/{{submission_id}}"] = {"get": _look_up(name)}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Turno LMS: operations of the loan origination system",
            "version": "1",
            "description": "Clients and loans, submitted singly or many at once. A submission is stored before it is "
            "answered 202 and done afterwards; sent again under the same reference it is recognised.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": TOKEN_HEADER}},
            "schemas": _schemas(operations),
        },
    }


def _submit(name: str, most: int) -> dict[str, Any]:
    one = _ref(name)
    many = {"type": "array", "minItems": 1, "maxItems": most, "items": one}
    results = {"oneOf": [_ref("Result"), _ref("Results")]}
    return {
        "operationId": name,
        "summary": f"Submit {name}, one or many.",
        "requestBody": {"required": True, "content": _content({"oneOf": [one, many]})},
        "responses": {
            "202": _answer(
                "Stored, or known already; of many, at least one. Each says what became of it.", results
            ),
            "400": _answer("The body is not JSON, or broke off.", _ref("Error")),
            "401": _answer("The token is missing or does not stand.", _ref("Error")),
            "409": _answer("Another submission stands under the same reference.", results),
            "411": _answer("The body's length is missing.", _ref("Error")),
            "413": _answer("The body is too large.", _ref("Error")),
            "422": _answer(
                "No submission by the schema; the problems say why.", {"anyOf": [results, _ref("Error")]}
            ),
            "503": _answer("Nothing was stored; send it again.", _ref("Error")),
        },
    }


def _look_up(name: str) -> dict[str, Any]:
    parameter = {
        "name": "submission_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
    }
    missing = _answer("No such submission of this caller.", _ref("Error"))
    return {
        "operationId": f"look_up_{name}",
        "summary": f"What became of a submission of {name}.",
        "parameters": [parameter],
        "responses": {
            "200": _answer("The submission and its result.", _ref("Submission")),
            "401": _answer("The token is missing or does not stand.", _ref("Error")),
            "404": missing | {"content": missing["content"] | _TEXT["content"]},
            "503": _answer("Try again.", _ref("Error")),
        },
    }


def _schemas(operations: Operations) -> dict[str, Any]:
    text = {"type": "string"}
    problem = {
        "type": "object",
        "required": ["field", "message"],
        "properties": {"field": text, "message": text},
    }
    result = {
        "type": "object",
        "required": ["reference", "status", "problems"],
        "properties": {
            "reference": {"type": ["string", "null"]},
            "status": {"enum": list(Submitted)},
            "submission_id": {"type": "string", "format": "uuid"},
            "problems": {"type": "array", "items": problem},
        },
        "additionalProperties": False,
    }
    return {
        **{name: _inlined(schema, schema["$defs"]) for name, schema in operations.schemas.items()},
        "Result": result,
        "Results": {
            "type": "object",
            "required": ["submissions"],
            "properties": {"submissions": {"type": "array", "items": _ref("Result")}},
            "additionalProperties": False,
        },
        "Submission": {
            "type": "object",
            "required": ["submission_id", "operation", "reference", "received_at", "state"],
            "properties": {
                "submission_id": {"type": "string", "format": "uuid"},
                "operation": text,
                "reference": text,
                "received_at": {"type": "string", "format": "date-time"},
                "state": {"enum": list(Progress)},
                "reason": text | {"description": "Why it waits, is held or was refused: a code."},
                "message": text,
                "waiting_since": {"type": "string", "format": "date-time"},
                "ended_at": {"type": "string", "format": "date-time"},
                "recognised": {"type": "boolean", "description": "It was done before; nothing was sent."},
                "result": {"type": "object", "description": "Fineract's numbers, days, and rupees as text."},
            },
            "additionalProperties": False,
        },
        "Error": {
            "type": "object",
            "required": ["error"],
            "properties": {"error": text},
            "additionalProperties": False,
        },
    }


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """A schema without references of its own: in this document they would point elsewhere."""
    if isinstance(schema, list):
        return [_inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    kept = {name: part for name, part in schema.items() if name not in {"$defs", "$schema"}}
    return {name: _inlined(part, definitions) for name, part in kept.items()}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": _content(schema)}
