"""Landing's files: what is in them, and what a reader learns of a damaged one."""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import fastavro
import pytest

from ingestion import contracts, events
from ingestion.columns import Content
from ingestion.landing import BronzeFile, CorruptedFile, read_file, store
from ingestion.landing.blocks import Blocks
from ingestion.landing.containers import (
    ENVELOPE,
    Container,
    Envelopes,
    day_of,
    events_schema,
    place_prefix,
    unreadable,
    unreadable_schema,
)
from ingestion.landing.naming import Place, place_of
from ingestion.packing import Cells, Sheet

DAY = date(2026, 11, 20)
LOGGED = datetime(2026, 11, 20, 8, 30, 0, 123000, tzinfo=UTC)


def envelope(offset: int) -> dict:
    return {
        "_topic": "transaction",
        "_partition": 3,
        "_offset": offset,
        "_timestamp": int(LOGGED.timestamp() * 1_000_000),
        "_key": b"household",
        "_headers": [{"key": "trace", "value": b"\x00\xff"}, {"key": "empty", "value": None}],
        "_schema_id": 7,
    }


def transaction(number: int) -> dict:
    return events.transaction(
        workspace_id=UUID(int=1),
        transaction_id=UUID(int=number),
        account_id=UUID(int=2),
        kind="expense",
        occurred_on=DAY,
        amount=Decimal("12.3400"),
        currency="EUR",
        source="app",
        description="Käse ☕",
        tags=["a", ""],
        recorded_at=LOGGED,
    )


def encoded(event: dict) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, contracts.schema("transaction"), event)
    return out.getvalue()


def landed(lake, container: Container, path: str) -> BronzeFile:
    written = container.finish()
    size = len(written.content)
    store.put(str(lake), path, written.content)
    return BronzeFile(
        topic="transaction",
        topic_id="log",
        partition=3,
        first_offset=written.first_offset,
        last_offset=written.last_offset,
        kind="events",
        schema_id=7,
        ingest_date=DAY,
        path=path,
        rows=written.rows,
        bytes=size,
        sha256=written.sha256,
    )


@pytest.fixture
def good(tmp_path) -> BronzeFile:
    container = Container(events_schema(contracts.schema("transaction")), schema_id=7, day=DAY)
    for offset in (10, 11, 14):
        container.append(envelope(offset), encoded(transaction(offset)))
    return landed(tmp_path, container, "bronze/transaction/log/ingest_date=2026-11-20/3+10-14.avro")


def test_a_file_gives_back_every_event_as_it_was_written_with_its_place_key_and_headers(tmp_path, good):
    rows = list(read_file(str(tmp_path), good))
    assert (good.first_offset, good.last_offset, good.rows) == (10, 14, 3)
    assert [row["_offset"] for row in rows] == [10, 11, 14]
    assert rows[1].pop("_timestamp") == LOGGED
    assert rows[1].pop("value")["transaction_id"] == UUID(int=11)
    assert rows[1] == {k: v for k, v in envelope(11).items() if k != "_timestamp"}
    assert encoded(rows[2]["value"]) == encoded(transaction(14) | {"event_id": rows[2]["value"]["event_id"]})


def test_many_events_make_many_blocks_and_one_whole_file(tmp_path):
    container = Container(events_schema(contracts.schema("transaction")), schema_id=7, day=DAY)
    value = encoded(transaction(1))
    for offset in range(5_000):
        container.append(envelope(offset), value)
    file = landed(tmp_path, container, "many.avro")
    assert [row["_offset"] for row in read_file(str(tmp_path), file)] == list(range(5_000))


def test_what_cannot_be_decoded_keeps_its_bytes_and_the_reason(tmp_path):
    container = Container(unreadable_schema(), schema_id=None, day=DAY)
    container.append(envelope(5) | {"_schema_id": None}, unreadable(b"\x01garbage", "not in the Confluent framing"))
    container.append(envelope(6) | {"_schema_id": None}, unreadable(None, "a tombstone"))
    rows = list(read_file(str(tmp_path), landed(tmp_path, container, "unreadable.avro")))
    assert [(row["_offset"], row["value"], row["reason"]) for row in rows] == [
        (5, b"\x01garbage", "not in the Confluent framing"),
        (6, None, "a tombstone"),
    ]


def test_a_damaged_file_is_named_with_what_was_expected_and_what_is_there(tmp_path, good):
    path = tmp_path / good.path
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptedFile) as error:
        list(read_file(str(tmp_path), good))
    message = str(error.value)
    assert good.path in message
    assert good.sha256 in message
    assert store.sha256(str(tmp_path), good.path)[1] in message
    assert "Put the file back" in message
    assert "\n" not in message


def test_a_missing_file_is_named(tmp_path, good):
    with pytest.raises(CorruptedFile, match=r"gone\.avro: expected .* found no file"):
        list(read_file(str(tmp_path), replace(good, path="gone.avro")))


def test_a_file_replaces_one_left_by_a_crash_and_leaves_nothing_unfinished(tmp_path):
    store.put(str(tmp_path), "a/file.avro", b"half")
    store.put(str(tmp_path), "a/file.avro", b"whole")
    assert [(p.name, p.read_bytes()) for p in (tmp_path / "a").iterdir()] == [("file.avro", b"whole")]


def test_files_land_on_any_file_system_that_fsspec_knows():
    store.put("memory://lake/root", "a/file.avro", memoryview(b"whole"))
    assert store.sha256("memory://lake/root", "a/file.avro")[0] == 5


def test_the_same_rows_are_the_same_bytes():
    value = encoded(transaction(1))

    def written() -> bytes:
        container = Container(events_schema(contracts.schema("transaction")), schema_id=7, day=DAY)
        for offset in range(2_000):
            container.append(envelope(offset), value)
        return bytes(container.finish().content)

    assert written() == written()


class FakeMessage:
    def __init__(self, offset: int, key: bytes | None, headers: list | None):
        self.offset, self.key, self.headers = lambda: offset, lambda: key, lambda: headers


def test_an_envelope_is_the_bytes_that_fastavro_writes():
    schema = {"type": "record", "name": "Envelope", "namespace": "outlay.bronze", "fields": ENVELOPE}
    envelopes = Envelopes("transaktionen ☕", 11)
    places = [0, 1, 63, 64, 8_191, 8_192, 2**31, 2**62]
    for offset, timestamp in zip(places, [0, -1, 1, 1_763_000_000_000, 1_763_000_000_000, 2**50, 5, 0], strict=True):
        for key, headers, schema_id in (
            (None, None, None),
            (b"", [], 1),
            (b"k" * 200, [("trace", b"\x00\xff"), ("empty", None)], 2**31 - 1),
        ):
            out = io.BytesIO()
            record = {
                "_topic": "transaktionen ☕",
                "_partition": 11,
                "_offset": offset,
                "_timestamp": timestamp * 1000,
                "_key": key,
                "_headers": [{"key": name, "value": value} for name, value in headers or ()],
                "_schema_id": schema_id,
            }
            fastavro.schemaless_writer(out, schema, record)
            assert envelopes.encode(FakeMessage(offset, key, headers), timestamp, schema_id) == out.getvalue()


@pytest.mark.parametrize(
    ("timestamp", "day"),
    [(-1, date(1969, 12, 31)), (0, date(1970, 1, 1)), (1_763_000_000_000, date(2025, 11, 13))],
)
def test_a_files_day_is_the_brokers_in_utc(timestamp, day):
    assert day_of(timestamp) == day


@pytest.mark.parametrize("kind", ["events", "unreadable"])
def test_a_path_says_where_its_rows_come_from(kind):
    place = Place("transaction", "Xa+3Xn5SQO2/q5E1P6DdGQ", kind, DAY, 3, 10, 14)
    assert place.path.endswith("transaction/Xa-3Xn5SQO2_q5E1P6DdGQ/ingest_date=2026-11-20/3+10-14.avro")
    assert place_of(place.path) == place


@pytest.mark.parametrize(
    "path",
    [
        "bronze/transaction/log/ingest_date=2026-11-20/3+14-10.avro",
        "bronze/transaction/log/ingest_date=2026-13-20/3+10-14.avro",
        "bronze/transaction/log/ingest_date=2026-11-20/3+010-14.avro",
        "bronze/transaction/log/ingest_date=2026-11-20/.5f.unfinished",
        "silver/transaction/log/ingest_date=2026-11-20/3+10-14.avro",
        "bronze/transaction/ingest_date=2026-11-20/3+10-14.avro",
    ],
)
def test_a_path_that_no_landing_writes_is_not_read_as_one(path):
    assert place_of(path) is None


def values(cells: Cells) -> Iterator[bytes]:
    sheet = Sheet(len(cells.values))
    sheet.cells(cells)
    return iter(sheet.rows())


def test_a_files_rows_by_column_are_what_fastavro_reads_whatever_they_say(tmp_path):
    container = Container(events_schema(contracts.schema("transaction")), schema_id=7, day=DAY)
    begins_a_row = place_prefix("transaction", 3).decode()
    for number, text in enumerate(["plain", begins_a_row, f"a {begins_a_row}{begins_a_row}", None, "Käse"] * 1800):
        changes = {"description": text, "tags": []} if number % 7 else {"note": text}
        container.append(
            envelope(number) | ({"_headers": []} if number % 3 else {}), encoded(transaction(number) | changes)
        )
    file = landed(tmp_path, container, "f.avro")
    expected = list(read_file(str(tmp_path), file))
    number = readings = 0
    with (tmp_path / "f.avro").open("rb") as stream:
        blocks = sum(1 for _ in fastavro.block_reader(stream))
    for block in Blocks().read(str(tmp_path), file):
        readings += 1
        content = Content(block.columns)
        offsets, instants = block.columns.numbers("_offset"), block.columns.numbers("_timestamp")
        texts, things = values(content.texts("description")), values(content.ids("transaction_id"))
        for row, offset in enumerate(offsets.tolist()):
            event = expected[number]
            assert block.columns.sure[row]
            assert (offset, instants[row]) == (number, int(LOGGED.timestamp() * 1_000_000))
            if block.columns.flat[row]:
                assert (next(texts), next(things)) == (
                    (event["value"]["description"] or "").encode(),
                    event["value"]["transaction_id"].bytes,
                )
            assert block.columns.flat[row] == (not event["_headers"] and not event["value"]["tags"])
            number += 1
    assert number == len(expected) == 9_000
    assert 1 < readings < blocks, "several blocks are read at once, and not all"
