"""Reading the log again: what bronze holds, what it does not, and names that change their schema."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ingestion.codec import Codec
from ingestion.landing import store
from ingestion.landing.containers import Container, events_schema, unreadable, unreadable_schema
from ingestion.landing.errors import CorruptedFile, OffsetsGone
from ingestion.landing.manifest import BronzeFile
from ingestion.landing.ranges import Gap
from ingestion.projection.log import Partition, Topic
from ingestion.replay.catalogue import differences, retargeted
from ingestion.replay.errors import ReplayError
from ingestion.replay.source import Covered, Source, parts
from ingestion.replay.stored import merged

SCHEMA = {"type": "record", "name": "Note", "fields": [{"name": "text", "type": "string"}]}
DAY = date(2026, 5, 1)


def put(lake: Path, kind: str, *offsets: int, schema_id: int = 7, name: str = "") -> BronzeFile:
    """A file of bronze in the lake; the event at offset n says "n"."""
    events = kind == "events"
    container = Container(
        events_schema(SCHEMA) if events else unreadable_schema(), schema_id=schema_id if events else None, day=DAY
    )
    for offset in offsets:
        text = str(offset).encode()
        value = bytes([2 * len(text)]) + text
        container.append(envelope(offset, schema_id if events else None), value if events else unreadable(text, "odd"))
    written = container.finish()
    path = f"{name or kind}-{offsets[0]}-{schema_id}.avro"
    store.put(str(lake), path, written.content)
    return BronzeFile(
        *("transaction", "id", 0, written.first_offset, written.last_offset, kind, schema_id if events else None, DAY),
        *(path, written.rows, len(written.content), written.sha256),
    )


def envelope(offset: int, schema_id: int | None) -> dict[str, Any]:
    headers = [{"key": "from", "value": b"\x00"}, {"key": "empty", "value": None}]
    place = {"_topic": "transaction", "_partition": 0, "_offset": offset, "_timestamp": 1_700_000_000_123_000}
    return {**place, "_key": b"k", "_headers": headers, "_schema_id": schema_id}


def test_files_that_lie_between_each_other_give_the_messages_in_the_order_of_the_log(tmp_path):
    files = [
        put(tmp_path, "events", 0, 1, 3, 8),
        put(tmp_path, "unreadable", 2, 6),
        put(tmp_path, "events", 5, 7, schema_id=8),
        put(tmp_path, "events", 9, 12),
    ]
    found = list(merged(str(tmp_path), files, 1, 12))
    assert [message.offset() for message in found] == [1, 2, 3, 5, 6, 7, 8, 9]
    values = {message.offset(): message.value() for message in found}
    assert values[3] == b"\x00\x00\x00\x00\x07" + b"\x023"
    assert values[7] == b"\x00\x00\x00\x00\x08" + b"\x027"
    assert values[6] == b"6"
    for message in found:
        assert (message.topic(), message.partition(), message.key()) == ("transaction", 0, b"k")
        assert message.headers() == [("from", b"\x00"), ("empty", None)]
        assert message.timestamp()[1] == 1_700_000_000_123


def test_only_the_files_that_hold_a_place_are_open_at_once(tmp_path, monkeypatch):
    files = [put(tmp_path, "events", *range(first, first + 10)) for first in range(0, 50, 10)]
    opened = []
    monkeypatch.setattr(store, "read", lambda lake, path, read=store.read: (opened.append(path), read(lake, path))[1])
    reader = merged(str(tmp_path), files, 0, 50)
    assert [next(reader).offset() for _ in range(15)] == list(range(15))
    assert len(opened) == 2


def test_an_offset_that_two_files_hold_is_named(tmp_path):
    files = [put(tmp_path, "events", 0, 1, name="a"), put(tmp_path, "events", 1, 2, name="b")]
    with pytest.raises(ReplayError, match=r"b-1-7\.avro holds offset 1, which another file of bronze holds too"):
        list(merged(str(tmp_path), files, 0, 3))


def test_a_file_that_is_not_the_manifests_is_named(tmp_path):
    file = put(tmp_path, "events", 0)
    with pytest.raises(CorruptedFile, match=r"events-0-7\.avro: expected"):
        list(merged(str(tmp_path), [replace(file, sha256="0" * 64)], 0, 1))


def file(first: int, last: int, kind: str = "events") -> BronzeFile:
    return BronzeFile("transaction", "id", 0, first, last, kind, 7, DAY, f"{kind}-{first}", 1, 1, "")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 40, [(0, 9), Gap(10, 14), (15, 29), Gap(30, 39)]),
        (0, 20, [(0, 9), Gap(10, 14), (15, 19)]),
        (5, 12, [(5, 9), Gap(10, 11)]),
        (11, 13, [Gap(11, 12)]),
        (30, 31, [Gap(30, 30)]),
        (29, 30, [(29, 29)]),
    ],
)
def test_each_offset_is_read_once_from_where_it_is(start, end, expected):
    files = [file(15, 19), file(0, 9), file(17, 18, "unreadable"), file(20, 29)]
    found = list(parts(files, start, end))
    assert [part if isinstance(part, Gap) else (part.first, part.last) for part in found] == expected


def test_neighbours_are_read_as_one_and_in_order():
    [part] = parts([file(20, 29), file(0, 9), file(10, 19)], 0, 30)
    assert isinstance(part, Covered)
    assert [each.first_offset for each in part.files] == [0, 10, 20]


class EmptyManifest:
    """A database whose manifest names nothing, and whose live has no letters."""

    def cursor(self, **_: object):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, *_: object):
        return self

    def fetchall(self) -> list:
        return []

    def __iter__(self):
        return iter(())


def test_offsets_that_neither_bronze_nor_kafka_holds_are_named():
    def gone(*_: object):
        raise OffsetsGone("the log begins at 40")

    source = Source(
        EmptyManifest(), "/nowhere", SimpleNamespace(batches=gone), Codec("http://nowhere"), {"user": Topic("id", 1)}
    )
    with pytest.raises(ReplayError, match=r"user partition 0: 40 offsets, 0 to 39 stand in no bronze file, and Kafka"):
        list(source.records(Partition("user", 0), 0, 40))


def test_only_the_names_of_tables_move_to_the_other_schema():
    text = "CREATE INDEX i ON live.events USING btree (f(live.current_workspace()), alive.events, live.events_old)"
    moved = "CREATE INDEX i ON replay.events USING btree (f(live.current_workspace()), alive.events, live.events_old)"
    assert retargeted(text, ["events", "offsets"], "live", "replay") == moved


def test_what_differs_between_two_catalogues_is_named_on_either_side():
    one = {("events", "index a"): "x", ("events", "index b"): "y", ("events", "table"): "same"}
    other = {("events", "index a"): "z", ("events", "policy p"): "q", ("events", "table"): "same"}
    assert differences(one, other) == ["events index a", "events index b", "events policy p"]
