"""The rows of bronze's files of events, a block at a time, by column: a reading costs a fifth of decoding them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import NamedTuple

import fastavro
from fastavro import parse_schema, schemaless_reader

from ingestion.landing import reading
from ingestion.landing.containers import ENVELOPE, place_prefix
from ingestion.landing.manifest import BronzeFile
from ingestion.screening import Columns, Screen


class Block(NamedTuple):
    """`rows` are Avro: the fields of the envelope, then the event as its writer encoded it.

    `columns` holds the fields of both side by side; the envelope's names begin with ``_``.
    """

    rows: list[bytes]
    columns: Columns


class Blocks:
    """Reads files. What a writer's schema needs is made once."""

    def __init__(self) -> None:
        self._screens: dict[int | None, Screen] = {}

    def read(self, lake: str, file: BronzeFile) -> Iterator[Block]:
        """The blocks of a file of events, in their order.

        Raises what `ingestion.landing.reading.content` raises.
        """
        reader = fastavro.block_reader(io.BytesIO(reading.content(lake, file)))
        written = reader.writer_schema
        screen = self._screens.get(file.schema_id)
        if screen is None:
            event = next(field["type"] for field in written["fields"] if field["name"] == "value")
            screen = Screen({"fields": [*parse_schema(_ENVELOPE)["fields"], *event["fields"]]}, skip=0)
            self._screens[file.schema_id] = screen
        prefix = place_prefix(file.topic, file.partition)
        for block in reader:
            content, count = block.bytes_.getvalue(), block.num_records
            rows = _cut(content, prefix)
            columns = screen.read(rows)
            # Each row was read from its begin, and ended where the next one begins: they are the rows. Else they may be
            # cut inside a text that looks like the begin of one.
            if len(rows) != count or not columns.sure.all():
                rows = _read_through(content, count, written)
                columns = screen.read(rows)
            yield Block(rows, columns)


def _cut(content: bytes, prefix: bytes) -> list[bytes]:
    """The content from each occurrence of `prefix` to the next."""
    starts = [0]
    at = content.find(prefix, 1)
    while at > 0:
        starts.append(at)
        at = content.find(prefix, at + 1)
    return [content[start:end] for start, end in zip(starts, [*starts[1:], len(content)], strict=True)]


def _read_through(content: bytes, count: int, written: dict) -> list[bytes]:
    """The same by decoding one row after the other."""
    rows, stream, start = [], io.BytesIO(content), 0
    schema, nothing = parse_schema(written), parse_schema({"type": "record", "name": written["name"], "fields": []})
    for _ in range(count):
        schemaless_reader(stream, schema, nothing)
        rows.append(content[start : stream.tell()])
        start = stream.tell()
    return rows


_ENVELOPE = {"type": "record", "name": "Envelope", "namespace": "outlay.bronze", "fields": ENVELOPE}
