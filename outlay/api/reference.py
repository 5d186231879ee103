"""The API's reference as one page that needs nothing from anywhere else: no script, no font, no other host."""

from __future__ import annotations

from html import escape
from importlib import resources
from typing import Any


def page(openapi: dict[str, Any]) -> str:
    """HTML of an OpenAPI 3.1 document: each operation with its parameters, body and answers."""
    schemas = openapi["components"]["schemas"]
    operations = "".join(
        _operation(method, path, operation, schemas)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    )
    template = resources.files(__package__).joinpath("reference.html").read_text(encoding="utf-8")
    return template.replace("{{operations}}", operations)


def _operation(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    rows = [
        _row(p["name"], p["in"], p["schema"], p.get("description", ""), p.get("required", False))
        for p in operation.get("parameters", [])
    ]
    content = operation.get("requestBody", {}).get("content", {})
    for body in content.values():
        schema = schemas[body["schema"]["$ref"].rpartition("/")[2]]
        required = schema.get("required", [])
        rows += [_row(n, "body", s, s.get("description", ""), n in required) for n, s in schema["properties"].items()]
    table = f"<table><tr><th>name<th>in<th>type<th>meaning</tr>{''.join(rows)}</table>" if rows else ""
    return (
        f"<section><h2><b>{method.upper()}</b> /api{escape(path)}</h2>"
        f"<p>{escape(operation.get('description', ''))}</p>{table}</section>"
    )


def _row(name: str, place: str, schema: dict[str, Any], meaning: str, required: bool) -> str:
    star = "<em title='required'>*</em>" if required else ""
    return f"<tr><td><code>{escape(name)}</code>{star}<td>{place}<td>{escape(_type(schema))}<td>{escape(meaning)}</tr>"


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(branch) for branch in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    return schema.get("format") or schema.get("type", "any")
