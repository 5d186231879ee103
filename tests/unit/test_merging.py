"""Merged files hold what the files before them held: every row, in the order in which a reader gets them."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.landing import LakeUnavailable, store
from orchestration.batches import reading
from orchestration.batches.reading import Folder, NotReadable
from orchestration.merging.rewrite import rewrite
from orchestration.merging.verify import _same, _side_by_side

REWRITING = importlib.import_module("orchestration.merging.rewrite")

FIRST, SECOND = date(2026, 11, 20), date(2026, 11, 21)
SCHEMA = pa.schema(
    {
        "offset": pa.int64(),
        "note": pa.string(),
        "amount": pa.decimal128(18, 4),
        "at": pa.timestamp("us", "UTC"),
        "confidence": pa.float64(),
        "lines": pa.list_(pa.struct({"line_id": pa.string(), "amount": pa.decimal128(18, 4)})),
    }
)


def event(offset: int, **changes: Any) -> dict[str, Any]:
    plain = {
        "offset": offset,
        "note": None if offset % 3 else 'ümläut, "quoted"\n',
        "amount": Decimal(offset) / 4,
        "at": offset * 1_000_001,
        "confidence": [None, 0.5, float("nan")][offset % 3],
        "lines": [{"line_id": str(n), "amount": Decimal(n)} for n in range(offset % 3)],
    }
    return plain | changes


def batch(lake: Path, batch_id: int, days: dict[date, Sequence[int]], schema: pa.Schema = SCHEMA) -> Folder:
    """A batch as Spark writes it: two files of each ingest date, the second of at most one row."""
    folder = f"silver/transaction/batch={batch_id:08}"
    for day, offsets in days.items():
        for number, some in enumerate((offsets[:-1], offsets[-1:])):
            if some:
                path = lake / folder / "events" / f"ingest_date={day}" / f"part-{number:05}-x.c000.snappy.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                rows = [{name: event(offset).get(name) for name in schema.names} for offset in some]
                pq.write_table(pa.Table.from_pylist(rows, schema), path, write_page_checksum=True)
    store.put(str(lake), f"{folder}/events/_SUCCESS", b"")
    return Folder(folder, [batch_id])


def merged(lake: Path, folders: Sequence[Folder], name: str = "merged") -> Folder:
    path = f"silver/transaction/batch={name}"
    rewrite(str(lake), reading.files(str(lake), folders), path)
    return Folder(path, [batch_id for folder in folders for batch_id in folder.batch_ids])


def read(lake: Path, folders: Sequence[Folder]) -> list[dict[str, Any]]:
    return [row for rows in reading.rows(str(lake), folders, "events") for row in rows.to_pylist()]


def as_text(rows: list[dict[str, Any]]) -> list[str]:
    return [repr(row) for row in rows]  # not a number is itself


def test_a_reader_gets_the_rows_by_ingest_date_then_batch_with_both_as_columns(tmp_path):
    late = batch(tmp_path, 7, {SECOND: [5], FIRST: [1, 2]})
    rows = read(tmp_path, [late, batch(tmp_path, 9, {FIRST: [3]})])
    assert [(row["ingest_date"], row["batch_id"], row["offset"]) for row in rows] == [
        (FIRST, 7, 1),
        (FIRST, 7, 2),
        (FIRST, 9, 3),
        (SECOND, 7, 5),
    ]
    assert rows[2] | {"confidence": None} == event(3, batch_id=9, ingest_date=FIRST, at=rows[2]["at"]) | {
        "confidence": None
    }


@pytest.mark.parametrize("columns", [["offset"], ["batch_id"], ["ingest_date", "lines", "batch_id"], ["ingest_date"]])
def test_a_reader_may_ask_for_some_columns_of_merged_files_and_of_others(tmp_path, columns):
    plain = [batch(tmp_path, 1, {FIRST: range(5)}), batch(tmp_path, 2, {FIRST: range(5, 8)})]
    expected = [{name: row[name] for name in columns} for row in read(tmp_path, plain)]
    for folders in (plain, [merged(tmp_path, plain)]):
        found = [r for rows in reading.rows(str(tmp_path), folders, "events", columns) for r in rows.to_pylist()]
        assert [list(row) for row in found] == [columns] * 8
        assert found == expected


def test_the_files_of_a_day_become_one_of_each_ingest_date(tmp_path):
    plain = [batch(tmp_path, n, {FIRST: [n, n + 1], SECOND: [n + 2]}) for n in range(1, 30)]
    one = merged(tmp_path, plain)
    listed = [file.path for file in reading.files(str(tmp_path), [one])]
    assert listed == [f"{one.path}/events/ingest_date={day}/00000.parquet" for day in (FIRST, SECOND)]
    assert as_text(read(tmp_path, [one])) == as_text(read(tmp_path, plain))
    file = pq.ParquetFile(tmp_path / listed[0])
    assert file.num_row_groups == 1
    assert (file.metadata.row_group(0).column(0).statistics.min, file.schema_arrow.names[0]) == (1, "batch_id")


def test_merged_files_are_merged_again_with_what_came_late(tmp_path):
    plain = [batch(tmp_path, n, {FIRST: [n, n + 1]}) for n in range(1, 6)]
    once = merged(tmp_path, plain[:3])
    twice = merged(tmp_path, [once, *plain[3:]], "twice")
    assert twice.batch_ids == [1, 2, 3, 4, 5]
    assert as_text(read(tmp_path, [twice])) == as_text(read(tmp_path, plain))


def test_rows_of_a_batch_that_the_manifest_does_not_name_there_do_not_count(tmp_path):
    plain = [batch(tmp_path, n, {FIRST: [n, n + 1]}) for n in range(1, 4)]
    whole = merged(tmp_path, plain)
    left = Folder(whole.path, [1, 3])
    assert as_text(read(tmp_path, [left])) == as_text(read(tmp_path, [plain[0], plain[2]]))
    assert as_text(read(tmp_path, [merged(tmp_path, [left], "again")])) == as_text(read(tmp_path, [left]))


def test_a_file_ends_where_the_schema_changes_and_older_rows_keep_theirs(tmp_path):
    older = pa.schema([field for field in SCHEMA if field.name != "confidence"])
    plain = [batch(tmp_path, 1, {FIRST: [1, 2]}, older), batch(tmp_path, 2, {FIRST: [3, 4]})]
    one = merged(tmp_path, plain)
    assert len(reading.files(str(tmp_path), [one])) == 2
    assert as_text(read(tmp_path, [one])) == as_text(read(tmp_path, plain))


@pytest.mark.parametrize(
    ("bound", "value", "groups"),
    [
        ("MOST_ROWS", 30, [2, 2, 2, 2, 1]),
        ("MOST_BYTES", 1, [1] * 9),
        ("GROUP_ROWS", 60, [3]),
        ("GROUP_BYTES", 1, [27]),
    ],
)
def test_files_and_row_groups_end_where_they_are_full(tmp_path, monkeypatch, bound, value, groups):
    monkeypatch.setattr(reading, "ROWS", 7)
    monkeypatch.setattr(REWRITING, "GROUP_ROWS", 15)
    monkeypatch.setattr(REWRITING, bound, value)
    plain = [batch(tmp_path, n, {FIRST: range(n * 15, n * 15 + 15)}) for n in range(9)]
    one = merged(tmp_path, plain)
    written = [pq.ParquetFile(tmp_path / file.path) for file in reading.files(str(tmp_path), [one])]
    assert [file.num_row_groups for file in written] == groups
    assert as_text(read(tmp_path, [one])) == as_text(read(tmp_path, plain))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from([FIRST, SECOND]), st.integers(1, 4), min_size=1), min_size=2, max_size=6),
    st.data(),
)
def test_however_batches_and_days_fall_rows_and_order_stay(tmp_path_factory, counts, data):
    lake = tmp_path_factory.mktemp("lake")
    plain = [
        batch(lake, number, {day: range(number * 10, number * 10 + count) for day, count in days.items()})
        for number, days in enumerate(counts, start=1)
    ]
    before = as_text(read(lake, plain))
    cut = data.draw(st.integers(1, len(plain)))
    folders = [merged(lake, plain[:cut], "first"), *plain[cut:]]
    assert as_text(read(lake, folders)) == before
    assert as_text(read(lake, [merged(lake, folders, "second")])) == before


def batches(*cut: Sequence[int], **changes: Any) -> Iterator[pa.RecordBatch]:
    schema = SCHEMA.insert(0, pa.field("batch_id", pa.int64()))
    return (pa.RecordBatch.from_pylist([event(n, batch_id=1, **changes) for n in some], schema=schema) for some in cut)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (batches([1, 2, 3], [4, 5]), batches([1], [], [2, 3, 4, 5]), True),
        (batches(), batches([]), True),
        (batches([1, 2, 3]), batches([1, 3, 2]), False),
        (batches([1, 2]), batches([1], [2, 3]), False),
        (batches([1, 2], [3]), batches([1, 2]), False),
        (batches([1, 2]), batches([1, 2], note=""), False),
        (batches([2]), batches([2], confidence=0.5), False),
        (batches([2]), batches([2], lines=[{"line_id": "0", "amount": None}, {"line_id": "1", "amount": 1}]), False),
        (batches([2]), (each.drop_columns("note") for each in batches([2])), False),
    ],
    ids=["cut otherwise", "empty", "order", "a row more", "a row less", "null", "nan", "nested", "a column less"],
)
def test_comparing_sees_every_difference_and_no_other(one, other, same):
    assert all(_same(*pair) for pair in _side_by_side(one, other)) is same


def test_a_folder_without_parquet_is_an_error_and_not_an_empty_answer(tmp_path):
    there = batch(tmp_path, 1, {FIRST: [1]})
    with pytest.raises(NotReadable, match=r"silver/gone holds no Parquet.*ask for it anew"):
        read(tmp_path, [there, Folder("silver/gone", [2])])


def test_a_file_that_is_gone_or_torn_is_named(tmp_path):
    plain = batch(tmp_path, 1, {FIRST: range(1, 400)})
    [first, second] = reading.files(str(tmp_path), [plain])
    whole = (tmp_path / first.path).read_bytes()
    for content in (whole[: len(whole) // 2], b"", whole[:200] + bytes(300) + whole[500:]):
        (tmp_path / first.path).write_bytes(content)
        with pytest.raises(NotReadable, match=first.path):
            list(first.rows(str(tmp_path)))
    os.remove(tmp_path / second.path)
    with pytest.raises(NotReadable, match=f"{second.path} is not there"):
        list(second.rows(str(tmp_path)))


def test_a_single_bit_that_changed_is_found_also_in_merged_files(tmp_path):
    plain = batch(tmp_path, 1, {FIRST: range(1, 400)})
    for folder in (plain, merged(tmp_path, [plain])):
        path = tmp_path / reading.files(str(tmp_path), [folder])[0].path
        notes = pq.ParquetFile(path).metadata.row_group(0).column(2 if folder is not plain else 1)
        content = bytearray(path.read_bytes())
        content[notes.data_page_offset + notes.total_compressed_size // 2] ^= 1
        path.write_bytes(content)
        with pytest.raises(NotReadable, match=path.name):
            read(tmp_path, [folder])


def test_a_file_that_is_not_finished_is_not_there(tmp_path):
    def interrupted() -> None:
        with store.writer(str(tmp_path), "a/b.parquet") as file:
            file.write(b"half")
            assert not (tmp_path / "a/b.parquet").exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list((tmp_path / "a").iterdir()) == []


def test_a_lake_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "silver").write_text("a file where a folder belongs")
    with pytest.raises(LakeUnavailable, match=str(tmp_path)), store.writer(str(tmp_path), "silver/a.parquet"):
        pass
