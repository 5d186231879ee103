"""Silver's Parquet is merged by day: fewer files, and a reader sees the same, whatever dies or comes between."""

from __future__ import annotations

import importlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

import dagster as dg
import psycopg
import pytest

from ingestion.contracts import TOPICS
from ingestion.landing import LakeUnavailable, store
from orchestration.batches import reading
from orchestration.defs.maintenance.merged import merged_days
from orchestration.merging import GRACE, Done, merge
from outlay.db import session
from outlay.settings import settings
from tests.integration.merging_job import AFTER, BEFORE, REMOVING
from tests.integration.s3 import BUCKET, LAKE, S3, s3_server
from tests.integration.silver_parquet import Silver, own_silver, rows_of
from tests.integration.warehouse import amended, build, opened, purchase
from tests.support import PROJECT, until

pytestmark = [pytest.mark.integration, pytest.mark.small, pytest.mark.timeout(300)]

MERGING = importlib.import_module("orchestration.merging")
SWAP = MERGING.swap
FIRST, SECOND, TODAY = (date(2026, 11, day) for day in (20, 21, 22))
NIGHT = datetime(2026, 11, 22, 3, 30, tzinfo=UTC)
BATCHES = 13
"""Of the two days that are over, with all topics."""


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)


def filled(silver: Silver) -> Silver:
    """Two days that are over, and one that is not: batches of several ingest dates, set aside and released events."""
    for hour in (8, 9, 10):
        silver.publish("transaction", at(FIRST, hour), {FIRST: 4})
        silver.publish("user", at(FIRST, hour), {FIRST: 2}, quarantined=1)
    silver.publish("transaction", at(SECOND, 0), {FIRST: 3, SECOND: 2}, quarantined=2)
    silver.publish("transaction", at(SECOND, 7), {}, quarantined=1)
    silver.publish("transaction", at(SECOND, 23, 59), {SECOND: 5})
    for hour in (1, 2):
        silver.publish("report", at(SECOND, hour), {SECOND: 1})
        silver.publish("reminder", at(SECOND, hour), {SECOND: 1})
    for minute in range(3):
        silver.publish("transaction", at(TODAY, 0, minute), {SECOND: 1, TODAY: 1})
    silver.publish("user", at(TODAY, 0), {TODAY: 1})
    return silver


@pytest.fixture
def silver(stack, tmp_path) -> Iterator[Silver]:
    with own_silver(stack, str(tmp_path / "lake")) as here:
        yield filled(here)


@pytest.fixture
def s3() -> Iterator[S3]:
    with s3_server() as here:
        yield here


@pytest.fixture
def silver_on_s3(stack, s3) -> Iterator[Silver]:
    with own_silver(stack, LAKE) as here:
        yield filled(here)


def merged(silver: Silver, now: datetime = NIGHT) -> Done:
    return merge(silver.connection, silver.lake, clock=lambda: now)


def is_merged_and_tidy(silver: Silver, before: dict) -> None:
    """The days that are over lie below one path each, and the lake holds what the manifest names, and nothing else."""
    assert silver.contents() == before
    published = silver.connection.execute("SELECT topic, published_at, path FROM silver.batches ORDER BY 1, 2, 3")
    for (_, day), of_day in groupby(published.fetchall(), key=lambda row: (row[0], row[1].astimezone(UTC).date())):
        paths = {path for *_, path in of_day}
        assert len(paths) == 1 or day == TODAY
    assert silver.in_the_lake() == set(silver.paths().values())
    assert silver.noted() == set()


def stays_the_same_in_fewer_files(silver: Silver) -> None:
    before, manifest, tables = silver.contents(), silver.manifest(), silver.tables()
    paths, files = silver.paths(), silver.files()
    assert {key: len(rows) for key, rows in before.items()} == {
        ("transaction", "events"): 28,
        ("transaction", "lines"): 28,
        ("transaction", "quarantine"): 3,
        ("user", "events"): 7,
        ("user", "quarantine"): 3,
        ("report", "events"): 2,
        ("report", "quarantine"): 0,
        ("reminder", "events"): 2,
        ("reminder", "quarantine"): 0,
    }
    done = merged(silver)
    assert done.refused == done.removed == []
    assert [(day.topic, day.day, day.batches, day.files_after) for day in done.merged] == [
        ("user", FIRST, 3, 2),
        ("transaction", FIRST, 3, 2),
        ("transaction", SECOND, 3, 6),
        ("report", SECOND, 2, 1),
        ("reminder", SECOND, 2, 1),
    ]
    assert sum(day.rows for day in done.merged) == sum(map(len, before.values())) - 2 * 6 - 1
    assert silver.contents() == before
    assert (silver.manifest(), silver.tables()) == (manifest, tables)
    assert silver.files() == files - sum(day.files_before - day.files_after for day in done.merged) < files
    after = silver.paths()
    over = [batch_id for batch_id in after if after[batch_id] != paths[batch_id]]
    assert over == list(paths)[:BATCHES]
    assert {after[batch_id] for batch_id in over} == {day.path for day in done.merged}
    assert silver.noted() == {paths[batch_id] for batch_id in over}


def test_days_that_are_over_lie_in_fewer_files_and_a_reader_sees_the_same(silver):
    stays_the_same_in_fewer_files(silver)


def test_the_same_on_s3(silver_on_s3, s3):
    before = silver_on_s3.contents()
    stays_the_same_in_fewer_files(silver_on_s3)
    assert len(merged(silver_on_s3, NIGHT + GRACE).removed) == BATCHES
    is_merged_and_tidy(silver_on_s3, before)
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket=BUCKET)


def test_a_second_run_does_nothing(silver):
    merged(silver)
    paths, lake = silver.paths(), store.listing(silver.lake, "silver")
    assert merged(silver, NIGHT + timedelta(minutes=1)) == Done()
    assert (silver.paths(), store.listing(silver.lake, "silver")) == (paths, lake)


def test_the_next_night_merges_the_day_that_was_not_over_and_what_came_to_another_late(silver):
    merged(silver)
    silver.publish("report", at(SECOND, 23, 59), {SECOND: 1})  # its publication ended after midnight
    silver.publish("transaction", at(TODAY, 4), {TODAY: 2})
    before = silver.contents()
    done = merged(silver, NIGHT + timedelta(days=1))
    assert [(day.topic, day.day, day.batches) for day in done.merged] == [
        ("transaction", TODAY, 4),
        ("report", SECOND, 3),
    ]
    assert len(done.removed) == BATCHES
    assert silver.contents() == before
    merged(silver, NIGHT + timedelta(days=2))
    is_merged_and_tidy(silver, before)


def test_a_clock_that_was_set_back_changes_no_order(silver):
    transactions = [batch_id for batch_id, topic, *_ in silver.manifest() if topic == "transaction"]
    back = "UPDATE silver.batches SET published_at = %s WHERE batch_id = %s"
    silver.connection.execute(back, (at(FIRST, 23), transactions[4]))  # between two of the second day
    before = silver.contents()
    done = merged(silver)
    assert [day.batches for day in done.merged if day.topic == "transaction"] == [3]
    assert silver.contents() == before


def test_who_asked_before_the_merge_reads_on_until_the_grace_is_over(silver):
    before = silver.contents()
    asked = {topic: reading.folders(silver.connection, topic) for topic in TOPICS}

    def still_read() -> dict:
        return {(topic, part): rows_of(silver.lake, asked[topic], part) for topic, part in before}

    reads = reading.rows(silver.lake, asked["transaction"], "events")
    begun = [repr(row) for row in next(reads).to_pylist()]
    merged(silver)
    begun += [repr(row) for rows in reads for row in rows.to_pylist()]
    assert begun == before["transaction", "events"]
    merged(silver, NIGHT + GRACE - timedelta(seconds=1))
    assert still_read() == before
    assert len(merged(silver, NIGHT + GRACE).removed) == BATCHES
    with pytest.raises(reading.NotReadable, match="ask for it anew"):
        still_read()
    is_merged_and_tidy(silver, before)


def killed(point: str, now: datetime) -> None:
    command = [sys.executable, "-m", "tests.integration.merging_job", point, now.isoformat()]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("point", [*BEFORE, *AFTER])
def test_a_merge_killed_at_this_point_leaves_what_readers_see_and_the_next_one_completes(silver, point):
    before, manifest, paths = silver.contents(), silver.manifest(), silver.paths()
    killed(point, NIGHT)
    assert silver.contents() == before
    assert silver.manifest() == manifest
    moved = {batch_id for batch_id, path in silver.paths().items() if path != paths[batch_id]}
    assert len(moved) == (3 if point in AFTER else 0)
    unnamed = silver.in_the_lake() - set(silver.paths().values())
    assert unnamed <= silver.noted(), "what nobody reads is known"
    assert merged(silver, NIGHT + timedelta(minutes=5)).refused == []
    assert silver.contents() == before
    merged(silver, NIGHT + timedelta(minutes=5) + GRACE)
    is_merged_and_tidy(silver, before)


@pytest.mark.parametrize("point", REMOVING)
def test_a_removal_killed_at_this_point_is_completed_by_the_next_run(silver, point):
    before = silver.contents()
    merged(silver)
    killed(point, NIGHT + GRACE)
    assert silver.contents() == before
    assert len(silver.noted()) == BATCHES
    assert len(merged(silver, NIGHT + GRACE).removed) == BATCHES
    is_merged_and_tidy(silver, before)


def test_a_session_that_is_terminated_in_the_middle_moves_nothing(silver):
    before, paths = silver.contents(), silver.paths()

    def terminated(connection, *given):
        silver.connection.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        SWAP(connection, *given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MERGING, "swap", terminated)
        with session("pipeline", autocommit=True) as dying, pytest.raises(psycopg.OperationalError):
            merge(dying, silver.lake, clock=lambda: NIGHT)
    assert (silver.contents(), silver.paths()) == (before, paths)
    merged(silver)
    merged(silver, NIGHT + GRACE)
    is_merged_and_tidy(silver, before)


def test_of_two_merges_at_once_the_second_waits_and_finds_nothing_left(silver, monkeypatch):
    before = silver.contents()
    verify, waits = MERGING.verify, threading.Event()

    def slow(*given):
        assert waits.wait(60)
        return verify(*given)

    def run(outcome: list[Done]) -> None:
        with session("pipeline", autocommit=True) as own:
            outcome.append(merge(own, silver.lake, clock=lambda: NIGHT))

    monkeypatch.setattr(MERGING, "verify", slow)
    outcomes: list[Done] = []
    both = [threading.Thread(target=run, args=(outcomes,)) for _ in range(2)]
    for each in both:
        each.start()
    asked = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
    until(lambda: silver.connection.execute(asked).fetchone() is not None, what="the second waits for its turn")
    waits.set()
    for each in both:
        each.join(120)
    assert sorted(len(done.merged) for done in outcomes) == [0, 5]
    assert [done.refused for done in outcomes] == [[], []]
    merged(silver, NIGHT + GRACE)
    is_merged_and_tidy(silver, before)


BETWEEN = {
    "moved": ["UPDATE silver.batches SET path = path || '-elsewhere' WHERE batch_id = %s"],
    "taken out": [
        f"DELETE FROM silver.{table} WHERE batch_id = %s"  # noqa: S608
        for table in ("transaction_events", "transaction_lines", "batches")
    ],
}


@pytest.mark.parametrize("case", BETWEEN)
def test_a_batch_that_is_moved_or_taken_out_meanwhile_stops_its_day_alone(silver, monkeypatch, case):
    first, second, third = (batch_id for batch_id, topic, *_ in silver.manifest()[:6] if topic == "transaction")

    def late(connection, day, *given):
        if first in day.batch_ids:
            for statement in BETWEEN[case]:
                connection.execute(statement, (first,))
        SWAP(connection, day, *given)

    monkeypatch.setattr(MERGING, "swap", late)
    before = silver.paths()
    done = merged(silver)
    assert [why.partition(":")[0] for why in done.refused] == [
        f"transaction of {FIRST} was not merged, and is as it was"
    ]
    assert [(day.topic, day.day) for day in done.merged] == [
        ("user", FIRST),
        ("transaction", SECOND),
        ("report", SECOND),
        ("reminder", SECOND),
    ]
    after = silver.paths()
    assert after.get(first) == {"moved": f"{before[first]}-elsewhere", "taken out": None}[case]
    assert [after[second], after[third]] == [before[second], before[third]]


def damaged(silver: Silver, topic: str, *, torn: bool) -> tuple[str, bytes]:
    """Damage the first file of the topic's second batch, or take it away; its path, and what it held."""
    file = reading.files(silver.lake, reading.folders(silver.connection, topic)[1:2])[0].path
    fs, full = store.locate(silver.lake, file)
    whole = fs.cat_file(full)
    fs.rm_file(full)
    if torn:
        fs.pipe_file(full, whole[: len(whole) // 2])
    return file, whole


@pytest.mark.parametrize(
    ("topic", "torn", "why"),
    [
        ("transaction", True, "cannot be read as Parquet"),
        ("transaction", False, r"has 4 rows in silver.transaction_events, and 0 in its events below silver/"),
        ("report", False, "holds no Parquet"),
    ],
)
def test_what_was_damaged_before_is_named_and_not_made_to_look_whole(silver, topic, torn, why):
    paths = silver.paths()
    file, _ = damaged(silver, topic, torn=torn)
    done = merged(silver)
    [said] = done.refused
    assert re.search(why, said)
    assert file.split("/")[2] in said
    assert len(done.merged) == 4
    day = FIRST if topic == "transaction" else SECOND
    of_day = "SELECT batch_id FROM silver.batches WHERE topic = %s AND (published_at AT TIME ZONE 'UTC')::date = %s"
    kept = [batch_id for (batch_id,) in silver.connection.execute(of_day, (topic, day))]
    assert [silver.paths()[batch_id] for batch_id in kept] == [paths[batch_id] for batch_id in kept]


def test_a_lake_that_is_full_or_closed_is_one_clear_line(silver, monkeypatch):
    before, paths = silver.contents(), silver.paths()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LakeUnavailable, match=r"\(No space left on device\).*has room"):
        merged(silver)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    assert (silver.contents(), silver.paths()) == (before, paths)
    merged(silver)
    merged(silver, NIGHT + GRACE)
    is_merged_and_tidy(silver, before)


def test_an_upload_that_is_interrupted_is_nowhere_to_be_seen(s3):
    chunk = os.urandom(1 << 20)

    def interrupted() -> None:
        with store.writer(LAKE, "half.parquet") as out:
            for _ in range(60):  # more than one part
                out.write(chunk)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert s3.stored() == []
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket=BUCKET)
    with store.writer(LAKE, "whole.parquet") as out:
        for _ in range(60):
            out.write(chunk)
    assert store.read(LAKE, "whole.parquet") == chunk * 60


def test_the_asset_says_what_it_did_and_fails_with_what_it_could_not_do(silver, monkeypatch):
    at_night = "orchestration.merging.merge"
    monkeypatch.setattr(at_night, lambda connection, lake: merge(connection, lake, clock=lambda: NIGHT))
    file, whole = damaged(silver, "report", torn=False)
    run = dg.materialize([merged_days], raise_on_error=False)
    (failed,) = [event.step_failure_data for event in run.all_events if event.is_step_failure]
    assert file.split("/")[2] in failed.user_failure_data.description
    assert failed.user_failure_data.metadata["days"].value == 4
    fs, full = store.locate(silver.lake, file)
    fs.pipe_file(full, whole)
    (event,) = dg.materialize([merged_days]).asset_materializations_for_node("silver__merged_days")
    told = {name: figure.value for name, figure in event.metadata.items()}
    figures = ("days", "batches", "files_before", "files_after", "rows", "folders_removed")
    assert [told[name] for name in figures] == [1, 2, 2, 1, 2, 0]
    assert told["bytes_after"] < told["bytes_before"]
    (record,) = event.metadata["merged"].records
    assert (record.data["topic"], record.data["day"], record.data["rows"]) == ("report", str(SECOND), 2)


def test_gold_has_nothing_to_do_after_a_merge(stack, tmp_path):
    with opened(stack, tmp_path / "lake") as warehouse:
        first = purchase()
        for batch in ([first, purchase()], [amended(first, amount=first["amount"] + 1)], [purchase()]):
            warehouse.publish(*batch)
        build()
        with session("pipeline", autocommit=True) as connection:
            silver = Silver(connection, settings().lake)
            silver.dump(at(FIRST, 1))
            facts = warehouse.rows("SELECT ctid, xmin::text, f::text FROM gold.fct_transactions AS f ORDER BY 1")
            progress = warehouse.rows("SELECT model, batch_id, made FROM gold.progress ORDER BY 1")
            assert [day.batches for day in merged(silver).merged] == [3]
        (last,) = warehouse.rows("SELECT max(finished_at) FROM gold.model_runs")
        build()
        assert warehouse.rows("SELECT sum(rows_written) FROM gold.model_runs WHERE finished_at > %s", *last) == [(0,)]
        assert warehouse.rows("SELECT model, batch_id, made FROM gold.progress ORDER BY 1") == progress
        assert facts == warehouse.rows("SELECT ctid, xmin::text, f::text FROM gold.fct_transactions AS f ORDER BY 1")
        assert len(facts) == 3
