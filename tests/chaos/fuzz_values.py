"""Boundary, rare and wrong values of every type of the contracts, as the bytes that stand in an event.

They are put together by hand, for no encoder writes most of them. Each has a name, such as "two bytes of a number".
"""

from __future__ import annotations

import struct
from random import Random
from typing import Any

_CHANCE = Random(7)  # noqa: S311
_LONG_MIN, _LONG_MAX = -(1 << 63), (1 << 63) - 1
_INT_MIN, _INT_MAX = -(1 << 31), (1 << 31) - 1
_DAYS = (-719_162, 2_932_896)  # 0001-01-01 and 9999-12-31
_MICROS = (_DAYS[0] * 86_400_000_000, (_DAYS[1] + 1) * 86_400_000_000 - 1)
_LARGEST = 10**18 - 1  # of a decimal(18,4), unscaled
_UUID = "0192f0c8-7a1b-7c3d-8e4f-a0b1c2d3e4f5"

INCOMPRESSIBLE = bytes(_CHANCE.choices(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-", k=8_000))
"""A text that no index of PostgreSQL holds, for it does not get smaller by compression."""

Variants = dict[str, bytes]
Type = Any


def number(value: int) -> bytes:
    """Avro's variable-length integer, of any size."""
    return unsigned((value << 1) if value >= 0 else (-value << 1) - 1)


def unsigned(left: int) -> bytes:
    out = bytearray()
    while left >= 128:
        out.append(left & 127 | 128)
        left >>= 7
    out.append(left)
    return bytes(out)


def run(content: bytes) -> bytes:
    """Text or bytes: the length, then as many."""
    return number(len(content)) + content


def padded(value: int, count: int) -> bytes:
    """A number in more bytes than it needs."""
    least = number(value)
    return bytes([*(byte | 128 for byte in least), *[128] * (count - len(least) - 1), 0])


_NUMBERS = {
    "0": number(0),
    "1": number(1),
    "-1": number(-1),
    "the least int": number(_INT_MIN),
    "the most int": number(_INT_MAX),
    "below an int": number(_INT_MIN - 1),
    "above an int": number(_INT_MAX + 1),
    "the least long": number(_LONG_MIN),
    "the most long": number(_LONG_MAX),
    "above a long": unsigned(1 << 64),
    "a number in two bytes for one": padded(1, 2),
    "a number in six bytes": padded(1, 6),
    "a number in ten bytes": padded(1, 10),
    "a number in eleven bytes": padded(1, 11),
    "a number without end": b"\xff" * 30,
}
_LENGTHS = {
    "a length of -1": number(-1),
    "the least length": number(_LONG_MIN),
    "a length of 2^40": number(1 << 40),
    "the most length": number(_LONG_MAX),
    "a length without end": b"\xff" * 12,
    "a length in two bytes for one": padded(3, 2) + b"abc",
    "a length in nine bytes": padded(3, 9) + b"abc",
    "a length in eleven bytes": padded(3, 11) + b"abc",
}
_TEXTS = {
    "empty": b"",
    "NUL": b"a\0b",
    "NUL alone": b"\0",
    "the character after NUL": b"\x01\x7f\x1f\x0b",
    "a stray byte": b"a\xffb",
    "a cut character": "ü".encode()[:1],
    "a lone surrogate": b"\xed\xa0\x80",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "NUL in two bytes": b"\xc0\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "the last character": "\U0010ffff\uffff\ufffe".encode(),
    "emoji and right to left": "👩‍👩‍👧 \u202eשלום é é ﷽".encode(),
    "what JSON and COPY escape": b"\"\\\\u0000\\N\t\r\n\b\f{}[],'\\x00",
    "NaN": b"NaN",
    "a byte order mark": "\ufeffEUR".encode(),
    "an unknown currency": b"XQZ",
    "300 characters": "ß".encode() * 300,
    "20,000 characters": b"x" * 20_000,
    "2,001 characters": b"y" * 2_001,
    "1,997 characters": b"z" * 1_997,
    "too long for an index": INCOMPRESSIBLE,
}
_UUIDS = {
    "nil": b"00000000-0000-0000-0000-000000000000",
    "the last": b"ffffffff-ffff-ffff-ffff-ffffffffffff",
    "in capitals": _UUID.upper().encode(),
    "in braces": b"{%s}" % _UUID.encode(),
    "without hyphens": _UUID.replace("-", "").encode(),
    "a URN": b"urn:uuid:" + _UUID.encode(),
    "too short": _UUID[:-1].encode(),
    "too long": _UUID.encode() + b"0",
    "not hexadecimal": b"g" + _UUID[1:].encode(),
    "an underscore for a digit": _UUID[:12].encode() + b"_" + _UUID[13:].encode(),
    "a hyphen elsewhere": b"0192f0c87-a1b-7c3d-8e4f-a0b1c2d3e4f5",
    "a sign and hyphens": b"+192f0c8-7a1b-7c3d-8e4f-a0b1c2d3e4f5",
    "wide digits": "０192f0c8-7a1b-7c3d-8e4f-a0b1c2d3e4f".encode(),
    "NUL characters": b"\0" * 36,
    "empty": b"",
}


def _decimals() -> Variants:
    def of(value: int, count: int | None = None) -> bytes:
        least = max(1, (value.bit_length() + 8) // 8)
        return run(value.to_bytes(count or least, "big", signed=True))

    return _LENGTHS | {
        "zero": of(0),
        "the least step": of(-1),
        "the largest": of(_LARGEST),
        "the least": of(-_LARGEST),
        "above the largest": of(_LARGEST + 1),
        "below the least": of(-_LARGEST - 1),
        "rounded to the largest": of(10 * _LARGEST + 4),
        "2^63 - 1": of(_LONG_MAX),
        "-2^63": of(_LONG_MIN),
        "2^64": of(1 << 64),
        "2^55": of(1 << 55),
        "without a byte": run(b""),
        "in 16 bytes": of(-123_400, 16),
        "in 32 bytes": of(123_400, 32),
        "in 33 bytes": of(123_400, 33),
        "32 bytes full": run(b"\x7f" + b"\xff" * 31),
        "2,000 bytes full": run(b"\x7f" * 2_000),
        "NaN": run(b"NaN"),
        "a number as text": run(b"12.3400"),
    }


def _days() -> Variants:
    edges = {"year 1": _DAYS[0], "before year 1": _DAYS[0] - 1, "year 9999": _DAYS[1], "after year 9999": _DAYS[1] + 1}
    rare = {"a leap day": 11_016, "a leap day of 1900, which has none": -25_509, "the day before 1970": -1}
    return _NUMBERS | {name: number(day) for name, day in (edges | rare).items()}


def _instants() -> Variants:
    edges = {
        "the first microsecond": _MICROS[0],
        "before the first": _MICROS[0] - 1,
        "the last microsecond": _MICROS[1],
        "after the last": _MICROS[1] + 1,
        "the year 2000": 946_684_800_000_000,
        "one before the year 2000": 946_684_799_999_999,
    }
    return _NUMBERS | {name: number(instant) for name, instant in edges.items()}


def _doubles() -> Variants:
    values = {
        "NaN": float("nan"),
        "infinite": float("inf"),
        "minus infinite": float("-inf"),
        "-0.0": -0.0,
        "the least above 0": 5e-324,
        "the largest": 1.7976931348623157e308,
        "0.1": 0.1,
        "1e16": 1e16,
        "-1e-7": -1e-7,
    }
    packed = {name: struct.pack("<d", value) for name, value in values.items()}
    return packed | {"NaN of another kind": b"\x01\0\0\0\0\0\xf0\xff", "four bytes": b"\0\0\0\0"}


def _enum(count: int) -> Variants:
    known = {f"symbol {place}": number(place) for place in range(count)}
    return known | {
        "beyond the last symbol": number(count),
        "symbol -1": number(-1),
        "the first from the end": number(-count),
        "symbol 2^31": number(1 << 31),
        "symbol 2^62": number(1 << 62),
        "a symbol in two bytes for one": padded(1, 2),
        "a symbol in six bytes": padded(1, 6),
    }


def valid(schema: Type) -> bytes:
    """A plain value of the type."""
    if isinstance(schema, list):
        return number(1) + valid(schema[1])
    if isinstance(schema, str):
        return {"string": run(b"abc"), "int": number(3), "double": struct.pack("<d", 0.5), "boolean": b"\1"}.get(
            schema, run(b"abc")
        )
    match schema["type"], schema.get("logicalType"):
        case "record", _:
            return b"".join(valid(field["type"]) for field in schema["fields"])
        case "enum", _:
            return number(1)
        case "array", _:
            return number(1) + valid(schema["items"]) + b"\0"
        case "map", _:
            return number(1) + run(b"key") + valid(schema["values"]) + b"\0"
        case _, "uuid":
            return run(_UUID.encode())
        case _, "decimal":
            return run(b"\x01\xe2\x08")
        case _, "date":
            return number(20_000)
        case "long", _:
            return number(1_790_000_000_000_000)
    return valid(schema["type"])


def variants(schema: Type) -> Variants:
    """The values of the type, those of its parts included."""
    if isinstance(schema, list):
        return _union(schema)
    if isinstance(schema, str):
        return {
            "string": _LENGTHS | {name: run(text) for name, text in _TEXTS.items()},
            "bytes": _LENGTHS | {"empty": run(b""), "every byte": run(bytes(range(256)))},
            "int": _NUMBERS,
            "long": _NUMBERS,
            "double": _doubles(),
            "boolean": {"false": b"\0", "true": b"\1", "2": b"\2", "255": b"\xff"},
        }[schema]
    match schema["type"], schema.get("logicalType"):
        case "record", _:
            return _record(schema["fields"])
        case "enum", _:
            return _enum(len(schema["symbols"]))
        case "array", _:
            return _blocks(valid(schema["items"]), variants(schema["items"]))
        case "map", _:
            keys, values = variants("string"), variants(schema["values"])
            of_key = {f"key: {name}": key + valid(schema["values"]) for name, key in keys.items()}
            of_value = {f"value: {name}": run(b"key") + value for name, value in values.items()}
            return _blocks(run(b"key") + valid(schema["values"]), of_key | of_value)
        case _, "uuid":
            return _LENGTHS | {name: run(text) for name, text in _UUIDS.items()}
        case _, "decimal":
            return _decimals()
        case _, "date":
            return _days()
        case "long", _:
            return _instants()
    return variants(schema["type"])


def _union(branches: list[Type]) -> Variants:
    plain = valid(branches[1])
    return {f"{name}": number(1) + value for name, value in variants(branches[1]).items()} | {
        "null": number(0),
        "type 2": number(2) + plain,
        "type -1": number(-1) + plain,
        "type -2": number(-2),
        "type 2^31": number(1 << 31) + plain,
        "a type in two bytes for one": padded(1, 2) + plain,
        "a type in six bytes": padded(1, 6) + plain,
    }


def _record(fields: list[dict]) -> Variants:
    plain = [valid(field["type"]) for field in fields]
    return {
        f"{field['name']}: {name}": b"".join([*plain[:place], value, *plain[place + 1 :]])
        for place, field in enumerate(fields)
        for name, value in variants(field["type"]).items()
    }


def _blocks(item: bytes, items: Variants) -> Variants:
    size = len(item)
    return {f"an item: {name}": number(1) + value + b"\0" for name, value in items.items()} | {
        "no item": b"\0",
        "three items": number(3) + 3 * item + b"\0",
        "150 items": number(150) + 150 * item + b"\0",
        "a block with its size": number(-2) + number(2 * size) + 2 * item + b"\0",
        "two blocks": number(1) + item + number(-1) + number(size) + item + b"\0",
        "a block with a wrong size": number(-1) + number(size + 7) + item + b"\0",
        "a block of a negative size": number(-1) + number(-size) + item + b"\0",
        "2^40 items": number(1 << 40) + item + b"\0",
        "the least number of items": number(_LONG_MIN) + number(size) + item + b"\0",
        "no end": number(1) + item,
    }
