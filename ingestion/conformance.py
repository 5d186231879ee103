"""Whether an event's values are what its Avro schema promises, with the field's name where they are not.

fastavro writes some wrong values without a word (a naive datetime, text as a UUID) and reads some that PostgreSQL
cannot hold (NUL characters, integers beyond 32 bits). A check is compiled once per schema and runs on every event, in
both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


class NotConforming(ValueError):
    """A value does not fit the schema. The message says the field, what was expected and what came."""

    def __init__(self, problem: str):
        super().__init__(problem)
        self.problem = problem
        self.path: list[str] = []

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}: {self.problem}" if self.path else self.problem

    def within(self, name: str | int) -> NotConforming:
        self.path.insert(0, str(name))
        return self


Check = Callable[[Any], None]
"""Takes a value; raises NotConforming when it does not fit."""


def compiled(schema: Mapping[str, Any]) -> Check:
    """The check of events written with `schema`: a record, as fastavro's `parse_schema` gives it (names in full)."""
    return _compile(schema, {})


def _compile(schema: Any, named: dict[str, Check]) -> Check:
    if isinstance(schema, list):
        return _union(schema, [_compile(branch, named) for branch in schema if branch != "null"])
    if isinstance(schema, str):
        return named.get(schema) or _PRIMITIVES[schema]
    match schema["type"]:
        case "record":
            return _named(schema, named, _record(schema, named))
        case "enum":
            return _named(schema, named, _enum(schema["symbols"]))
        case "array":
            return _array(_compile(schema["items"], named))
        case "map":
            return _map(_compile(schema["values"], named))
    if schema.get("logicalType") == "decimal":
        return _decimal(schema["precision"], schema.get("scale", 0))
    return _LOGICAL.get(schema.get("logicalType", "")) or _compile(schema["type"], named)


def _named(schema: Mapping[str, Any], named: dict[str, Check], check: Check) -> Check:
    named[schema["name"]] = check
    return check


def _record(schema: Mapping[str, Any], named: dict[str, Check]) -> Check:
    fields = [(field["name"], "default" in field, _compile(field["type"], named)) for field in schema["fields"]]
    names = frozenset(name for name, _, _ in fields)

    def check(value: Any) -> None:
        if type(value) is not dict:
            raise NotConforming(f"expected a record, got {_what(value)}")
        for name, has_default, check_field in fields:
            try:
                check_field(value[name])
            except KeyError:
                if not has_default:
                    raise NotConforming("missing, and the contract has no default for it").within(name) from None
            except NotConforming as problem:
                raise problem.within(name) from None
        if not names.issuperset(value):
            raise NotConforming("no such field in the contract").within(min(map(str, value.keys() - names)))

    return check


def _union(branches: list[Any], checks: list[Check]) -> Check:
    nullable = "null" in branches

    def check(value: Any) -> None:
        if value is None:
            if not nullable:
                raise NotConforming("expected a value, got null")
            return
        for position, check_branch in enumerate(checks, start=1):
            try:
                return check_branch(value)
            except NotConforming:
                if position == len(checks):
                    raise

    return check


def _array(check_item: Check) -> Check:
    def check(value: Any) -> None:
        if type(value) is not list:
            raise NotConforming(f"expected a list, got {_what(value)}")
        for position, item in enumerate(value):
            try:
                check_item(item)
            except NotConforming as problem:
                raise problem.within(position) from None

    return check


def _map(check_item: Check) -> Check:
    def check(value: Any) -> None:
        if type(value) is not dict:
            raise NotConforming(f"expected a map, got {_what(value)}")
        for name, item in value.items():
            _text(name)
            try:
                check_item(item)
            except NotConforming as problem:
                raise problem.within(name) from None

    return check


def _enum(symbols: list[str]) -> Check:
    known = frozenset(symbols)

    def check(value: Any) -> None:
        if value not in known:
            raise NotConforming(f"expected one of {', '.join(symbols)}; got {value!r}")

    return check


def _decimal(precision: int, scale: int) -> Check:
    limit, step = Decimal(10) ** (precision - scale), -scale

    def check(value: Any) -> None:
        if type(value) is not Decimal:
            raise NotConforming(f"expected a Decimal, got {_what(value)}")
        if not value.is_finite():
            raise NotConforming(f"expected a finite Decimal, got {value}")
        if value.as_tuple().exponent < step:
            raise NotConforming(f"expected at most {scale} digits after the point, got {value}")
        if not -limit < value < limit:
            raise NotConforming(f"expected at most {precision - scale} digits before the point, got {value}")

    return check


def _text(value: Any) -> None:
    if type(value) is not str:
        raise NotConforming(f"expected text, got {_what(value)}")
    if "\0" in value:
        raise NotConforming(f"holds a NUL character, which PostgreSQL cannot store: {value[:40]!r}")


def _integer(bits: int) -> Check:
    limit = 1 << (bits - 1)

    def check(value: Any) -> None:
        if type(value) is not int:
            raise NotConforming(f"expected an integer, got {_what(value)}")
        if not -limit <= value < limit:
            raise NotConforming(f"expected an integer of {bits} bits, got {value}")

    return check


def _instant(value: Any) -> None:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise NotConforming(f"expected a datetime with a time zone, got {_what(value)}")


def _local_time(value: Any) -> None:
    if not isinstance(value, datetime) or value.tzinfo is not None:
        raise NotConforming(f"expected a datetime without a time zone, got {_what(value)}")


def _of(expected: str, *types: type) -> Check:
    def check(value: Any) -> None:
        if type(value) not in types:
            raise NotConforming(f"expected {expected}, got {_what(value)}")

    return check


def _what(value: Any) -> str:
    return "null" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"


_PRIMITIVES: dict[str, Check] = {
    "null": _of("null", type(None)),
    "boolean": _of("a boolean", bool),
    "int": _integer(32),
    "long": _integer(64),
    "float": _of("a number", float, int),
    "double": _of("a number", float, int),
    "bytes": _of("bytes", bytes),
    "string": _text,
}
_LOGICAL: dict[str, Check] = {
    "uuid": _of("a UUID", UUID),
    "date": _of("a date", date),
    "timestamp-micros": _instant,
    "local-timestamp-micros": _local_time,
}
