"""The manifest and the lake, held against each other and made again from the files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner
from confluent_kafka import Producer

from ingestion import events
from ingestion.contracts import TOPICS
from ingestion.landing import BronzeFile, RebuildRefused, store
from ingestion.landing.audit import Audit, Finding
from outlay.cli import cli
from tests.integration.bronze import TOPIC, Bronze, own_bronze
from tests.landing import append_encoded, encoded
from tests.support import until

pytestmark = [pytest.mark.integration, pytest.mark.small, pytest.mark.timeout(120)]


WORKSPACE = UUID(int=90)  # always the same partition: a transaction's holes stay in it


@pytest.fixture
def bronze(stack, tmp_path) -> Iterator[Bronze]:
    """Bronze with all that the topic holds; of one partition, at the end, four files with five rows each."""
    with own_bronze(stack, str(tmp_path / "lake")) as here:
        here.land()
        append(here, *(os.urandom(20) for _ in range(20)))
        here.land(max_rows=5)
        yield here


def append(bronze: Bronze, *values: bytes | None) -> None:
    """Append to one partition. Most are unreadable: what is in them does not matter to the manifest."""
    append_encoded(bronze.stack, WORKSPACE, *values, topic=TOPIC)


def of_our_partition(bronze: Bronze) -> list[BronzeFile]:
    """The four files with five rows each, in order."""
    files = bronze.files[-4:]
    assert [file.rows for file in files] == [5] * 4
    return files


def only(found: Audit, *problems: str) -> list[Finding]:
    assert sorted(finding.problem for finding in found.findings) == sorted(problems)
    return found.findings


def test_what_landed_is_what_the_manifest_says(bronze):
    found = bronze.audit()
    assert only(found) == []
    assert found.good
    assert (found.files, found.rows) == (len(bronze.files), len(bronze.offsets_read()))


def test_a_missing_a_damaged_and_a_stray_file_are_each_named(bronze):
    missing, damaged, _, last = of_our_partition(bronze)
    stray = Path(last.path).with_name(f"{last.partition}+{last.last_offset + 1}-{last.last_offset + 3}.avro")
    (bronze.folder / missing.path).unlink()
    content = bytearray((bronze.folder / damaged.path).read_bytes())
    content[-20] ^= 1
    (bronze.folder / damaged.path).write_bytes(content)
    (bronze.folder / stray).write_bytes(b"torn")
    found = bronze.audit()
    assert not found.good
    by_problem = {finding.problem: finding for finding in only(found, "missing", "damaged", "orphan")}
    assert (by_problem["missing"].path, by_problem["damaged"].path) == (missing.path, damaged.path)
    assert (by_problem["orphan"].path, by_problem["orphan"].bytes) == (str(stray), 4)
    for problem, finding in by_problem.items():
        assert finding.path in finding.message
        assert finding.wrong == (problem != "orphan")
        assert "rebuild-manifest" in finding.message


def test_a_stray_file_alone_is_reported_and_is_not_wrong(bronze):
    (bronze.folder / "bronze" / "notes.txt").write_text("hello")
    found = bronze.audit()
    assert found.good
    assert only(found, "orphan")[0].path == "bronze/notes.txt"


def test_rows_that_the_manifest_miscounts_are_found_and_corrected(bronze):
    file = of_our_partition(bronze)[1]
    before = bronze.rows()
    bronze.connection.execute("UPDATE bronze.files SET rows = 7 WHERE file_id = %s", (file.file_id,))
    (finding,) = only(bronze.audit(), "contents")
    assert "the manifest says rows 7, the file holds 5" in finding.message
    assert bronze.rebuild().corrected == [file.path]
    assert bronze.rows() == before


def test_a_file_that_the_manifest_lost_is_a_gap_with_its_offsets_and_an_orphan(bronze):
    lost = of_our_partition(bronze)[1]
    bronze.connection.execute("DELETE FROM bronze.files WHERE file_id = %s", (lost.file_id,))
    found = {finding.problem: finding for finding in only(bronze.audit(), "gap", "orphan")}
    assert f"5 offsets, {lost.first_offset} to {lost.last_offset}" in found["gap"].message
    assert f"Kafka holds an event at offset {lost.first_offset}" in found["gap"].message
    assert found["orphan"].path == lost.path


def test_offsets_behind_and_ahead_of_the_files_are_found(bronze):
    last = of_our_partition(bronze)[-1]
    where = (last.topic_id, last.partition)
    move = "UPDATE bronze.offsets SET next_offset = %s WHERE topic_id = %s AND partition = %s"
    bronze.connection.execute(move, (last.last_offset - 1, *where))
    (behind,) = only(bronze.audit(), "offset")
    assert f"its files end before offset {last.last_offset + 1}, but bronze.offsets says {last.last_offset - 1}" in (
        behind.message
    )
    append(bronze, b"not landed")
    bronze.connection.execute(move, (last.last_offset + 2, *where))
    (ahead,) = only(bronze.audit(), "gap")
    assert f"offset {last.last_offset + 1}: landed by bronze.offsets, but in no file" in ahead.message
    assert bronze.rebuild().changed
    bronze.land()
    assert only(bronze.audit()) == []
    assert (last.partition, last.last_offset + 1) in bronze.offsets_read()


def test_the_markers_of_transactions_are_no_gaps(bronze):
    partition = of_our_partition(bronze)[0].partition
    producer = Producer({"bootstrap.servers": bronze.stack.bootstrap, "transactional.id": str(events.new_id())})
    producer.init_transactions(30)
    for value in (b"one", b"two"):
        producer.begin_transaction()
        producer.produce(TOPIC, value, key=b"k", partition=partition)
        producer.commit_transaction(30)
        before = len(bronze.files)
        until(lambda: bronze.land() and len(bronze.files) > before, what="the broker has written the marker")  # noqa: B023
    producer.begin_transaction()
    producer.produce(TOPIC, b"never committed", key=b"k", partition=partition)
    assert producer.flush(30) == 0
    producer.abort_transaction(30)
    last = bronze.files[-1]
    until(lambda: bronze.land() and bronze.stands(partition) == last.last_offset + 4, what="the markers have landed")
    one, two = bronze.files[-2:]
    assert two.first_offset == one.last_offset + 2
    assert only(bronze.audit()) == []


def test_two_files_of_the_same_offsets_are_found(bronze):
    first, second, *_ = of_our_partition(bronze)
    copy = second.path.replace(f"+{second.first_offset}-", f"+{second.first_offset - 1}-")
    shutil.copy(bronze.folder / second.path, bronze.folder / copy)
    bronze.connection.execute(
        "UPDATE bronze.files SET path = %s, first_offset = %s WHERE file_id = %s",
        (copy, second.first_offset - 1, second.file_id),
    )
    found = {finding.problem: finding for finding in only(bronze.audit(), "overlap", "contents", "orphan")}
    assert first.path in found["overlap"].message
    assert copy in found["overlap"].message


def test_a_manifest_that_was_lost_is_made_again_row_for_row_and_landing_goes_on(bronze):
    before = bronze.rows()
    read = bronze.offsets_read()
    bronze.forget()
    done = bronze.rebuild(dry_run=True)
    assert done.changed
    assert bronze.rows() == ([], [])
    done = bronze.rebuild()
    assert sorted(done.added) == [row[8] for row in before[0]]
    named, stands = bronze.rows()
    assert [row[:-1] for row in named] == [row[:-1] for row in before[0]]
    assert stands == before[1]
    assert bronze.offsets_read() == read
    ordered = [(file.topic_id, file.partition, file.first_offset) for file in bronze.files]
    assert ordered == sorted(ordered)
    append(bronze, b"after")
    bronze.land()
    assert len(bronze.offsets_read()) == len(read) + 1
    assert only(bronze.audit()) == []


def test_files_that_the_manifest_still_names_keep_their_ids(bronze):
    before = bronze.rows()
    lost = of_our_partition(bronze)[2]
    bronze.connection.execute("DELETE FROM bronze.files WHERE file_id = %s", (lost.file_id,))
    bronze.connection.execute("DELETE FROM bronze.offsets")
    assert bronze.rebuild().added == [lost.path]
    named, stands = bronze.rows()
    assert stands == before[1]
    assert [row for row in named if row[8] != lost.path] == [row for row in before[0] if row[8] != lost.path]
    assert [row[:-1] for row in named] == [row[:-1] for row in before[0]]


def test_a_manifest_that_agrees_is_left_as_it_is(bronze):
    times = "SELECT file_id, created_at FROM bronze.files UNION ALL SELECT partition, updated_at FROM bronze.offsets"
    before = sorted(bronze.connection.execute(times).fetchall())
    done = bronze.rebuild()
    assert not done.changed
    assert done.rows == len(bronze.offsets_read())
    assert sorted(bronze.connection.execute(times).fetchall()) == before


def test_two_files_of_the_same_offsets_are_refused_by_name_where_nothing_says_which_one_counts(bronze):
    before = bronze.offsets_read()
    shorter = of_our_partition(bronze)[3]
    stands = "UPDATE bronze.offsets SET next_offset = %s WHERE partition = %s"
    bronze.connection.execute("DELETE FROM bronze.files WHERE file_id = %s", (shorter.file_id,))
    bronze.connection.execute(stands, (shorter.first_offset, shorter.partition))
    append(bronze, b"one more")
    bronze.land()
    longer = bronze.files[-1]
    assert longer.rows == 6
    done = bronze.rebuild()  # the manifest names the longer one: nothing to ask
    assert not done.changed
    assert longer.path in done.left_out[shorter.path]
    bronze.forget()
    with pytest.raises(RebuildRefused) as refused:
        bronze.rebuild()
    assert shorter.path in str(refused.value)
    assert longer.path in str(refused.value)
    assert bronze.rows() == ([], [])
    (bronze.folder / shorter.path).unlink()
    bronze.rebuild()
    assert bronze.offsets_read() == sorted([*before, (longer.partition, longer.last_offset)])


def test_a_torn_file_at_the_end_is_left_out_and_landed_again(bronze):
    before, read = bronze.rows(), bronze.offsets_read()
    torn = of_our_partition(bronze)[-1]
    os.truncate(bronze.folder / torn.path, torn.bytes - 30)
    done = bronze.rebuild()
    assert done.dropped == [torn.path]
    assert done.left_out[torn.path].startswith("it is not whole")
    bronze.land()
    assert bronze.offsets_read() == read
    assert [row[:-1] for row in bronze.rows()[0]] == [row[:-1] for row in before[0]]
    assert only(bronze.audit()) == []


def test_a_file_that_a_landing_would_not_write_again_is_never_given_up_silently(bronze):
    before = bronze.rows()
    middle, last = of_our_partition(bronze)[1], of_our_partition(bronze)[3]
    (bronze.folder / middle.path).rename(bronze.folder / "kept")
    with pytest.raises(RebuildRefused, match="files with later offsets are there") as refused:
        bronze.rebuild()
    assert middle.path in str(refused.value)
    (bronze.folder / "kept").rename(bronze.folder / middle.path)
    bronze.connection.execute(
        "INSERT INTO silver.batches VALUES (1, %s, 'silver/1', 5, 5, 0, NULL, clock_timestamp())", (TOPIC,)
    )
    bronze.connection.execute("INSERT INTO silver.batch_files VALUES (%s, 1)", (last.file_id,))
    (bronze.folder / last.path).unlink()
    with pytest.raises(RebuildRefused, match="silver was made of it"):
        bronze.rebuild()
    assert bronze.rows() == before


def test_half_of_what_a_killed_landing_stored_is_left_for_the_next_one(bronze, monkeypatch):
    reminder = events.reminder(
        reminder_id=events.new_id(), workspace_id=WORKSPACE, due_at=datetime(2026, 5, 1, tzinfo=UTC), source="app"
    )
    (good,) = encoded(bronze.stack, reminder, topic=TOPIC)
    append(bronze, b"bad", good, b"bad", good)
    put, stored = store.put, []

    def killed(*given):
        if stored:
            raise KeyboardInterrupt
        put(*given)
        stored.append(given[1])

    with monkeypatch.context() as patched:
        patched.setattr(store, "put", killed)
        with pytest.raises(KeyboardInterrupt):
            bronze.land()
    before = bronze.rows()
    bronze.forget()
    done = bronze.rebuild()
    assert list(done.left_out) == stored
    assert bronze.rows()[1] == before[1]
    bronze.land()
    assert only(bronze.audit()) == []
    assert {file.kind for file in bronze.files[-2:]} == {"events", "unreadable"}
    assert sum(file.rows for file in bronze.files[-2:]) == 4


def test_the_command_line_says_what_is_wrong_by_its_exit_code(bronze, monkeypatch):
    from outlay import db
    from outlay.settings import settings

    monkeypatch.setenv("OUTLAY_LAKE_URL", str(bronze.lake))
    settings.cache_clear()
    monkeypatch.setattr(db, "session", lambda *_, **__: psycopg.connect(bronze.dsn, autocommit=True))
    try:
        good = CliRunner().invoke(cli, ["bronze", "audit", "--json", "--topic", TOPIC])
        assert (good.exit_code, json.loads(good.stdout)["good"]) == (0, True)
        lost = of_our_partition(bronze)[1]
        bronze.connection.execute("DELETE FROM bronze.files WHERE file_id = %s", (lost.file_id,))
        wrong = CliRunner().invoke(cli, ["bronze", "audit"])
        assert wrong.exit_code == 1
        assert f"gap: {TOPIC} partition {lost.partition}: 5 offsets" in wrong.stdout
        assert lost.path in wrong.stdout
        other = next(topic for topic in TOPICS if topic != TOPIC)
        assert CliRunner().invoke(cli, ["bronze", "audit", "--topic", other]).exit_code == 0
        rebuilt = CliRunner().invoke(cli, ["bronze", "rebuild-manifest", "--json"])
        assert json.loads(rebuilt.stdout)["added"] == [lost.path]
        assert CliRunner().invoke(cli, ["bronze", "audit"]).exit_code == 0
        again = CliRunner().invoke(cli, ["bronze", "rebuild-manifest"])
        assert "agrees with the lake already" in again.stdout
    finally:
        monkeypatch.undo()
        settings.cache_clear()
