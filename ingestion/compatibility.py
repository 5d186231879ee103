"""Whether a schema may follow another, with the field named that stands in the way.

The rules are those of FULL compatibility in Avro, for schemas that grow as ours do, and two that a registry does not
check: a decimal or a timestamp may not change its meaning, and an enum may not lose a symbol.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastavro.schema import expand_schema

Type = Any  # a name, a definition, or a list of branches


def breaks(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What forbids `after` as the next schema after `before`: a line for each field, such as
    ``amount: its type changes from decimal(18,4) to double``. Empty when nothing does."""
    return list(_type("", expand_schema(before), expand_schema(after)))


def _type(path: str, old: Type, new: Type) -> Iterator[str]:
    kind = _kind(old)
    if kind != _kind(new):
        yield f"{path or 'the event'}: its type changes from {_show(old)} to {_show(new)}"
    elif isinstance(old, list):
        for branch, other in zip(old, new, strict=True):
            yield from _type(path, branch, other)
    elif kind == "record":
        yield from _record(path, old, new)
    elif kind == "enum":
        yield from _enum(path, old, new)
    elif kind in ("array", "map"):
        inside = "items" if kind == "array" else "values"
        yield from _type(f"{path}[]", old[inside], new[inside])


def _record(path: str, old: dict, new: dict) -> Iterator[str]:
    had = {field["name"]: field for field in old["fields"]}
    has = {field["name"]: field for field in new["fields"]}
    for name in had | has:
        at = f"{path}.{name}".lstrip(".")
        if name not in has:
            if "default" not in had[name]:
                yield f"{at}: it is removed, and had no default"
        elif name not in had:
            if "default" not in has[name]:
                yield f"{at}: it is added without a default"
        else:
            yield from _type(at, had[name]["type"], has[name]["type"])


def _enum(path: str, old: dict, new: dict) -> Iterator[str]:
    lost = [symbol for symbol in old["symbols"] if symbol not in new["symbols"]]
    if lost:
        yield f"{path}: it loses {', '.join(lost)}"
    if old["symbols"] != new["symbols"] and not ("default" in old and "default" in new):
        yield f"{path}: its symbols change, and it has no default"


def _kind(schema: Type) -> Any:
    """What must stay: the type, and for a logical type its meaning."""
    if isinstance(schema, list):
        return ("union", len(schema))
    if isinstance(schema, str):
        return schema
    if "logicalType" in schema:
        return schema["type"], schema["logicalType"], schema.get("precision"), schema.get("scale", 0)
    return schema["type"]


def _show(schema: Type) -> str:
    if isinstance(schema, list):
        return " or ".join(map(_show, schema))
    if isinstance(schema, str):
        return schema
    logical = schema.get("logicalType")
    if logical == "decimal":
        return f"decimal({schema['precision']},{schema.get('scale', 0)})"
    return logical or schema["type"]
