"""The rows of files of bronze of events, some thousand at a time, by column: a fifth of the cost of decoding them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import fastavro
from fastavro import parse_schema, schemaless_reader

from ingestion.landing import reading
from ingestion.landing.containers import ENVELOPE, place_prefix
from ingestion.landing.manifest import BronzeFile
from ingestion.screening import Columns, Screen

_ROWS, _BYTES = 4_000, 4 << 20  # from either on, to read more at once gains nothing


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
        """The rows of a file of events in their order, those of some of its blocks together.

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
        for blocks in _several(reader):
            cut = [_cut(content, prefix) for content, _ in blocks]
            rows = list(chain.from_iterable(cut))
            columns = screen.read(rows)
            # Each row was read from its begin, and ended where the next one begins: they are the rows. Else they may be
            # cut inside a text that looks like the begin of one.
            if [len(each) for each in cut] != [count for _, count in blocks] or not columns.sure.all():
                rows = [row for content, count in blocks for row in _read_through(content, count, written)]
                columns = screen.read(rows)
            yield Block(rows, columns)


def _several(reader: fastavro.block_reader) -> Iterator[list[tuple[bytes, int]]]:
    """The contents of the file's blocks and how many rows they hold, so many blocks together as are worth a reading."""
    blocks, rows, size = [], 0, 0
    for block in reader:
        content = block.bytes_.getvalue()
        blocks.append((content, block.num_records))
        rows, size = rows + block.num_records, size + len(content)
        if rows >= _ROWS or size >= _BYTES:
            yield blocks
            blocks, rows, size = [], 0, 0
    if blocks:
        yield blocks


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
