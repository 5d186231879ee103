"""Whether bytes are Avro as every reader of Avro reads it: a step through them for each writer's schema.

fastavro is more lenient than the readers behind it. It counts a negative symbol from the end of an enum, takes numbers
of any length, and needs minutes for a decimal of a megabyte. What passes here costs little to decode and means the same
to Spark, which gets bronze's bytes as they came.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ingestion.conformance import NotConforming

_INT, _LONG = 5, 10  # bytes of the longest number
_DECIMAL = 32  # bytes; more than any precision in use
_UUID = 36  # characters of RFC 9562's form; in one case, as Spark compares ids as text
_FORM = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Step = Callable[[bytes, int], int]
"""Takes the bytes and where a value begins; returns where it ends. Raises NotConforming, or IndexError at the end."""


def compiled(schema: Mapping[str, Any]) -> Step:
    """The step through an event written with `schema`: a record, as fastavro's `parse_schema` gives it."""
    return _step(schema, {})


def _step(schema: Any, named: dict[str, Step]) -> Step:
    if isinstance(schema, list):
        return _union([_step(branch, named) for branch in schema])
    if isinstance(schema, str):
        return named.get(schema) or _PRIMITIVES[schema]
    match schema["type"], schema.get("logicalType"):
        case "record", _:
            steps = [(field["name"], _step(field["type"], named)) for field in schema["fields"]]
            return _named(schema, named, _record(steps))
        case "enum", _:
            return _named(schema, named, _enum(len(schema["symbols"])))
        case "array", _:
            return _blocks(_step(schema["items"], named))
        case "map", _:
            item = _step(schema["values"], named)
            return _blocks(lambda data, at: item(data, _run(data, at)))
        case "bytes", "decimal":
            return _decimal
        case "string", "uuid":
            return _uuid
    return _step(schema["type"], named)


def _named(schema: Mapping[str, Any], named: dict[str, Step], step: Step) -> Step:
    named[schema["name"]] = step
    return step


def _record(steps: list[tuple[str, Step]]) -> Step:
    def step(data: bytes, at: int) -> int:
        for name, each in steps:
            try:
                at = each(data, at)
            except NotConforming as problem:
                raise problem.within(name) from None
        return at

    return step


def _union(steps: list[Step]) -> Step:
    by_number = dict(zip(range(0, 128, 2), steps, strict=False))  # as they stand in one byte

    def step(data: bytes, at: int) -> int:
        each = by_number.get(data[at])
        if each is _null:
            return at + 1
        if each is not None:
            return each(data, at + 1)
        number, at = _below(len(steps), data, at)
        return steps[number](data, at)

    return step


def _enum(count: int) -> Step:
    def step(data: bytes, at: int) -> int:
        return _below(count, data, at)[1]

    return step


def _below(count: int, data: bytes, at: int) -> tuple[int, int]:
    number, at = _number(data, at, _INT)
    if number & 1 or number >= 2 * count:
        raise NotConforming(f"expected one of {count} numbered from 0, got {_shown(number)}")
    return number >> 1, at


def _blocks(item: Step) -> Step:
    def step(data: bytes, at: int) -> int:
        while data[at]:
            number, at = _number(data, at, _LONG)
            if number & 1:
                at = _of(_LONG)(data, at)  # the block's size
            for _ in range((number + 1) >> 1):
                at = item(data, at)
        return at + 1

    return step


def _decimal(data: bytes, at: int) -> int:
    number = _number(data, at, _LONG)[0]
    if number == 0 or number > 2 * _DECIMAL:
        raise NotConforming(f"expected a decimal of 1 to {_DECIMAL} bytes, got {_shown(number)}")
    return _run(data, at)


def _uuid(data: bytes, at: int) -> int:
    if data[at] == 2 * _UUID and _FORM.match(data, at + 1):
        return at + 1 + _UUID
    end = _run(data, at)
    raise NotConforming(f"expected a UUID of {_UUID} characters in lower case, got {data[at + 1 : end][:40]!r}")


def _run(data: bytes, at: int) -> int:
    """Text and bytes: a length, then as many."""
    number = data[at]
    if number < 128:
        at += 1
    else:
        number, at = _number(data, at, _LONG)
    end = at + (number >> 1)
    if number & 1 or end > len(data):
        raise NotConforming(f"expected a length of at most {len(data) - at} bytes, got {_shown(number)}")
    return end


def _null(data: bytes, at: int) -> int:
    return at


def _boolean(data: bytes, at: int) -> int:
    if data[at] > 1:
        raise NotConforming(f"expected a boolean of 0 or 1, got {data[at]}")
    return at + 1


def _of(most: int) -> Step:
    def step(data: bytes, at: int) -> int:
        return _number(data, at, most)[1]

    return step


def _fixed(count: int) -> Step:
    def step(data: bytes, at: int) -> int:
        return at + count

    return step


def _number(data: bytes, at: int, most: int) -> tuple[int, int]:
    """A number before its sign is undone (an even one is twice the value), and where it ends."""
    number = data[at]
    if number < 128:
        return number, at + 1
    number &= 127
    for place in range(1, most):
        following = data[at + place]
        number |= (following & 127) << (7 * place)
        if following < 128:
            if number >> (32 if most == _INT else 64):
                break
            return number, at + place + 1
    bits = 32 if most == _INT else 64
    raise NotConforming(f"expected a number of {bits} bits, got bytes {data[at : at + most].hex()}")


def _shown(number: int) -> int:
    return (number >> 1) ^ -(number & 1)


_PRIMITIVES: dict[str, Step] = {
    "null": _null,
    "boolean": _boolean,
    "int": _of(_INT),
    "long": _of(_LONG),
    "float": _fixed(4),
    "double": _fixed(8),
    "bytes": _run,
    "string": _run,
}
