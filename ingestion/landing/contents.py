"""What a bronze file says of itself, row by row, whatever the manifest says."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import fastavro

from ingestion.landing.containers import ENVELOPE

_FIELDS = ("_topic", "_partition", "_offset", "_timestamp", "_schema_id")
_RECORDS = {"events": "BronzeEvent", "unreadable": "UnreadableEvent"}


class NotWhole(ValueError):
    """The bytes are no whole bronze file: torn, or something else under its name."""


@dataclass(frozen=True)
class Contents:
    """`logged_at` is the broker's time of the first row; `schema_id` is None for unreadable events."""

    topic: str
    partition: int
    first_offset: int
    last_offset: int
    rows: int
    schema_id: int | None
    logged_at: datetime


def examine(content: bytes, kind: str) -> Contents:
    """Read the place of each row of a file of `kind` (``events`` or ``unreadable``).

    Raises:
        NotWhole: it cannot be read to its end, has no row, or its rows are not of one partition in rising offsets.
    """
    first: dict[str, Any] | None = None
    rows, offset = 0, -1
    try:
        for row in fastavro.reader(io.BytesIO(content), reader_schema=_PLACES[kind]):
            if first is None:
                first = row
            elif row["_offset"] <= offset or any(row[name] != first[name] for name in _SAME):
                raise NotWhole(f"the row after offset {offset} is of another place: {_shown(row)}")
            offset = row["_offset"]
            rows += 1
    except NotWhole:
        raise
    except Exception as error:  # bytes that are not Avro can make any error of the reader or of zstandard
        raise NotWhole(f"cannot be read after {rows} rows ({type(error).__name__})") from None
    if first is None:
        raise NotWhole("holds no row")
    return Contents(
        topic=first["_topic"],
        partition=first["_partition"],
        first_offset=first["_offset"],
        last_offset=offset,
        rows=rows,
        schema_id=first["_schema_id"],
        logged_at=first["_timestamp"],
    )


def _shown(row: dict[str, Any]) -> str:
    return f"{row['_topic']} partition {row['_partition']} offset {row['_offset']}, schema {row['_schema_id']}"


def _places(name: str) -> Any:
    """A reader's schema of the place alone: Avro skips the event."""
    fields = [field for field in ENVELOPE if field["name"] in _FIELDS]
    return fastavro.parse_schema({"type": "record", "name": name, "namespace": "outlay.bronze", "fields": fields})


_PLACES = {kind: _places(name) for kind, name in _RECORDS.items()}
_SAME = ("_topic", "_partition", "_schema_id")
