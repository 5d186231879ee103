"""Days that are made again from bronze: what differs is replaced whole, what does not is left, and nothing is lost."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import sql
from pyspark.sql import SparkSession

from ingestion import events
from orchestration.backfill import Made, SeveralLogs, make_again
from orchestration.batches import NotAudited, parquet, reading, staged
from orchestration.batches.publish import TABLES, columns
from orchestration.merging import GRACE, merge, removals
from tests.integration.bronze import Bronze, own_bronze
from tests.integration.silver_parquet import rows_of
from tests.landing import append, purchase
from tests.sparks import session_on

AGAIN = importlib.import_module("orchestration.backfill.again")
REPLACING = importlib.import_module("orchestration.backfill.replace")

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

TOPIC, PARTS = "transaction", ("events", "lines", "quarantine")
DAYS = [date(2026, 11, day) for day in (18, 19, 20)]


@pytest.fixture(scope="module")
def spark(stack) -> Iterator[SparkSession]:
    with session_on(stack) as session:
        yield session


@pytest.fixture
def silver(stack, spark, tmp_path) -> Iterator[Bronze]:
    """Three days, a batch each: good events, repeated and late ones, and one each in a currency that nobody knows."""
    with own_bronze(stack, str(tmp_path / "lake")) as here:
        here.know_currencies()
        here.skip(TOPIC)
        for day in DAYS:
            first = purchase(events.new_id(), tags=["a"])
            late = first | {"event_id": events.new_id(), "version": 2, "operation": "amended", "merchant": "Käse"}
            bad = purchase(events.new_id(), currency="XXQ")
            published(here, spark, day, late, late, first, bad)
        yield here


def published(silver: Bronze, spark: SparkSession, day: date, *appended: dict[str, Any]) -> list[int]:
    """Append the events, and publish them as events of that day; the numbers of their batches."""
    append(silver.stack, *appended)
    silver.land(topics=[TOPIC])
    new = "NOT EXISTS (SELECT FROM silver.batch_files AS b WHERE b.file_id = f.file_id)"
    silver.connection.execute(f"UPDATE bronze.files AS f SET ingest_date = %s WHERE {new}", (day,))  # noqa: S608
    return silver.to_silver(spark, TOPIC)


def again(silver: Bronze, spark: SparkSession, first: date, last: date | None = None, **given: Any) -> Made:
    return make_again(lambda: spark, silver.connection, silver.lake, TOPIC, first, last or first, **given)


def batches(silver: Bronze) -> list[int]:
    return [row[0] for row in silver.connection.execute("SELECT batch_id FROM silver.batches ORDER BY 1")]


def contents(silver: Bronze) -> dict[str, list[tuple]]:
    """The rows of silver's tables, without the numbers of their batches."""
    found = {}
    for table in TABLES[TOPIC].values():
        names = sql.SQL(", ").join(map(sql.Identifier, columns(silver.connection, table)))
        query = sql.SQL('SELECT {} FROM silver.{} ORDER BY topic_id, partition, "offset"')
        found[table] = silver.connection.execute(query.format(names, sql.Identifier(table))).fetchall()
    return found


def in_the_lake(silver: Bronze) -> dict[str, Counter]:
    """What a reader of the Parquet finds, however it lies."""
    folders = reading.folders(silver.connection, TOPIC)
    return {part: Counter(rows_of(silver.lake, folders, part)) for part in PARTS}


def folders_left(silver: Bronze) -> set[str]:
    """Folders of Parquet that no batch names, and that nobody has noted for removal."""
    here = Path(silver.lake)
    lie = {str(path.relative_to(here)) for path in here.glob(f"silver/{TOPIC}/*")}
    named = silver.connection.execute("SELECT path FROM silver.batches UNION SELECT path FROM silver.removals")
    return lie - {path for (path,) in named}


def learnt(silver: Bronze, currency: str) -> None:
    silver.connection.execute("INSERT INTO reference.currencies VALUES (%s)", (currency,))


def forgotten(silver: Bronze, currency: str) -> None:
    silver.connection.execute("DELETE FROM reference.currencies WHERE currency = %s", (currency,))


def events_in(silver: Bronze, currency: str) -> dict[str, int]:
    """How many events are published and set aside in this currency."""
    query = """
        SELECT (SELECT count(*) FROM silver.transaction_events WHERE currency = %(one)s),
               (SELECT count(*) FROM silver.quarantine WHERE row ->> 'currency' = %(one)s)
    """
    return dict(
        zip(("published", "aside"), silver.connection.execute(query, {"one": currency}).fetchone(), strict=True)
    )


def test_days_whose_rows_are_the_same_are_left_as_they_are(silver, spark):
    before, ids, lake = contents(silver), batches(silver), in_the_lake(silver)
    made = again(silver, spark, DAYS[0], DAYS[-1])
    assert all(outcome.passed for outcome in made.outcomes)
    assert (made.replaced.old, made.replaced.new, made.replaced.changed) == (ids, [], {})
    assert made.replaced.rows_read == 12
    assert (contents(silver), batches(silver), in_the_lake(silver)) == (before, ids, lake)
    assert silver.connection.execute("SELECT * FROM silver.staged").fetchall() == []
    assert folders_left(silver) == set()


def test_a_rule_of_today_is_applied_to_the_days_asked_for_and_to_no_other(silver, spark):
    _, old, _ = batches(silver)
    since = "SELECT min(quarantined_at), max(quarantined_at) FROM silver.quarantine"
    held_since = silver.connection.execute(since).fetchone()
    learnt(silver, "XXQ")
    made = again(silver, spark, DAYS[1])
    [new] = made.replaced.new
    assert made.replaced.old == [old]
    assert {table: (of.gone, of.new) for table, of in made.replaced.changed.items()} == {
        "transaction_events": (0, 1),
        "transaction_lines": (0, 1),
        "quarantine": (1, 0),
    }
    (place,) = made.replaced.changed["quarantine"].places
    query = (
        "SELECT 'transaction/' || partition || '@' || \"offset\" FROM silver.transaction_events WHERE currency = 'XXQ'"
    )
    assert silver.connection.execute(query).fetchall() == [(place,)]
    assert events_in(silver, "XXQ") == {"published": 1, "aside": 2}
    assert batches(silver) == [1, 3, new]
    replaces = "SELECT replaces, rows_published, rows_quarantined FROM silver.batches WHERE batch_id = %s"
    assert silver.connection.execute(replaces, (new,)).fetchone() == ([old], 4, 0)
    assert sum(in_the_lake(silver)["events"].values()) == 10
    assert len(silver.connection.execute("SELECT path FROM silver.removals").fetchall()) == 1

    forgotten(silver, "XXQ")
    forgotten(silver, "EUR")
    again(silver, spark, DAYS[1], DAYS[2])
    assert events_in(silver, "XXQ") == {"published": 0, "aside": 3}
    assert events_in(silver, "EUR") == {"published": 3, "aside": 6}
    (first_held, last_held) = silver.connection.execute(since).fetchone()
    assert first_held == held_since[0]
    assert last_held > held_since[1]
    kept = "SELECT count(*) FROM silver.quarantine WHERE quarantined_at <= %s"
    assert silver.connection.execute(kept, (held_since[1],)).fetchone() == (2,), "two were never out of quarantine"
    assert len(removals.remove(silver.connection, silver.lake, datetime.now(UTC) + GRACE)) == 3
    assert len(list(Path(silver.lake).glob(f"silver/{TOPIC}/*"))) == len(batches(silver)) == 2


def test_an_event_that_came_again_on_another_day_makes_no_difference(silver, spark):
    """Made again together, the second is known for a duplicate at once; gold found that out by itself before."""
    sent = purchase(events.new_id())
    for day in DAYS[:2]:
        published(silver, spark, day, sent)
    decisions = "SELECT decision FROM silver.transaction_events WHERE event_id = %s ORDER BY batch_id"
    before = silver.connection.execute(decisions, (sent["event_id"],)).fetchall()
    assert before == [("accepted",), ("accepted",)]
    made = again(silver, spark, DAYS[0], DAYS[-1])
    assert len(made.replaced.old) == 5
    assert made.replaced.changed == {}
    learnt(silver, "XXQ")
    assert again(silver, spark, DAYS[0], DAYS[-1]).replaced.new
    after = silver.connection.execute(decisions, (sent["event_id"],)).fetchall()
    assert sorted(after) == [("accepted",), ("duplicate",)]


def test_days_of_a_topic_that_was_created_anew_are_refused(silver, spark):
    before, ids = contents(silver), batches(silver)
    other = (
        "UPDATE bronze.files SET topic_id = 'the log before' WHERE file_id = (SELECT min(file_id) FROM bronze.files)"
    )
    silver.connection.execute(other)
    with pytest.raises(SeveralLogs, match="found 2: it was created anew"):
        again(silver, spark, DAYS[0])
    assert (contents(silver), batches(silver)) == (before, ids)


def test_a_preview_says_what_would_differ_and_replaces_nothing(silver, spark):
    learnt(silver, "XXQ")
    before, ids = contents(silver), batches(silver)
    made = again(silver, spark, DAYS[0], DAYS[-1], preview=True)
    assert {table: (of.gone, of.new) for table, of in made.replaced.changed.items()} == {
        "transaction_events": (0, 3),
        "transaction_lines": (0, 3),
        "quarantine": (3, 0),
    }
    assert (made.replaced.new, contents(silver), batches(silver)) == ([], before, ids)
    assert folders_left(silver) == set()


def test_a_batch_of_two_days_is_made_again_whole(silver, spark):
    append(silver.stack, purchase(events.new_id(), currency="XXQ"))
    silver.land(topics=[TOPIC])
    over_midnight = published(silver, spark, DAYS[2] + timedelta(days=1), purchase(events.new_id()))
    files = "SELECT file_id FROM silver.batch_files WHERE batch_id = ANY(%s) ORDER BY 1"
    several = silver.connection.execute(files, (over_midnight,)).fetchall()
    assert len(several) > 1
    move = "UPDATE bronze.files SET ingest_date = %s WHERE file_id = %s"
    silver.connection.execute(move, (DAYS[0], several[0][0]))
    learnt(silver, "XXQ")
    made = again(silver, spark, DAYS[0])
    assert made.replaced.old == [1, *over_midnight]
    assert events_in(silver, "XXQ") == {"published": 2, "aside": 2}
    after = contents(silver)
    assert again(silver, spark, DAYS[2] + timedelta(days=1)).replaced.changed == {}
    assert contents(silver) == after


def test_a_batch_that_fails_its_audit_replaces_nothing(silver, spark, monkeypatch):
    learnt(silver, "XXQ")
    before, ids = contents(silver), batches(silver)
    restage = AGAIN.restage

    def damaged(*args, **kwargs):
        made = restage(*args, **kwargs)
        (file,) = parquet.dataset(silver.lake, f"{made[0].path}/lines").files
        table = pq.read_table(file, partitioning=None)
        place = table.schema.get_field_index("amount")
        wrong = pa.array([0] * len(table), table.schema.types[place])
        pq.write_table(table.set_column(place, table.schema.field(place), wrong), file)
        return made

    with monkeypatch.context() as here:
        here.setattr(AGAIN, "restage", damaged)
        made = again(silver, spark, DAYS[0])
    assert made.replaced is None
    failures = [failure for outcome in made.outcomes for failure in outcome.failures()]
    assert any("lines_total" in failure for failure in failures)
    assert (contents(silver), batches(silver)) == (before, ids)
    with pytest.raises(NotAudited, match="failed its checks"):
        REPLACING.replace(silver.connection, silver.lake, staged(silver.connection, TOPIC, replacing=True))
    nothing = again(silver, spark, DAYS[0] - timedelta(days=1))
    assert (nothing.replaced.old, nothing.replaced.new) == ([], []), "what another backfill left is its own"
    assert (contents(silver), batches(silver)) == (before, ids)
    assert published(silver, spark, DAYS[0], purchase(events.new_id())), "builds go on as before"
    assert again(silver, spark, DAYS[0]).replaced.new
    assert folders_left(silver) == set()


@pytest.mark.parametrize("moment", ["aside", "taken out", "put in"])
def test_a_backfill_killed_inside_its_transaction_leaves_silver_as_it_was_and_is_made_up_for(
    silver, spark, monkeypatch, moment
):
    learnt(silver, "XXQ")
    before, ids, lake = contents(silver), batches(silver), in_the_lake(silver)
    step = {"aside": "_changes", "taken out": "_take_out", "put in": "_put_in"}[moment]
    real = getattr(REPLACING, step)

    def killed(inner: psycopg.Connection, *rest: Any) -> Any:
        done = real(inner, *rest)
        silver.connection.execute("SELECT pg_terminate_backend(%s)", (inner.info.backend_pid,))
        return done

    with psycopg.connect(silver.dsn, autocommit=True) as dying, monkeypatch.context() as here:
        here.setattr(REPLACING, step, killed)
        with pytest.raises(psycopg.OperationalError):
            make_again(lambda: spark, dying, silver.lake, TOPIC, DAYS[0], DAYS[-1])
    assert (contents(silver), batches(silver), in_the_lake(silver)) == (before, ids, lake)
    made = again(silver, spark, DAYS[0], DAYS[-1])
    assert len(made.replaced.new) == 1
    assert events_in(silver, "XXQ") == {"published": 3, "aside": 0}
    assert sum(in_the_lake(silver)["events"].values()) == 12
    assert folders_left(silver) == set()


def test_released_events_go_with_their_files_and_count_once(silver, spark):
    far = purchase(events.new_id(), occurred_on=date(2226, 1, 1))
    published(silver, spark, DAYS[1], far)
    also = purchase(events.new_id(), occurred_on=date(2226, 1, 2))
    published(silver, spark, DAYS[2], also)
    silver.connection.execute(
        "INSERT INTO silver.releases SELECT topic_id, partition, \"offset\", array_agg(rule), 'a lease', 'Ada'"
        " FROM silver.quarantine WHERE event_id = ANY(%s) GROUP BY 1, 2, 3",
        ([far["event_id"], also["event_id"]],),
    )
    (released,) = silver.to_silver(spark, TOPIC)
    before = contents(silver)
    quarantine = again(silver, spark, DAYS[1]).replaced.changed["quarantine"]
    assert (quarantine.gone, quarantine.new) == (2, 0), "the other file's comes with it"
    assert released not in batches(silver)
    kept = {row for table in ("transaction_events", "transaction_lines") for row in map(repr, before[table])}
    assert kept == {
        row for table in ("transaction_events", "transaction_lines") for row in map(repr, contents(silver)[table])
    }
    assert events_in(silver, "XXQ") == {"published": 0, "aside": 3}
    found = Counter(row for row in rows_of(silver.lake, reading.folders(silver.connection, TOPIC), "events"))
    assert (sum(found.values()), max(found.values())) == (11, 1)
    assert silver.to_silver(spark, TOPIC) == []


def test_a_release_in_vain_is_made_again_with_its_file(silver, spark):
    """The event breaks another rule when it is read again: its batch holds that, and no event."""
    far = purchase(events.new_id(), occurred_on=date(2226, 1, 1))
    (landed_in,) = published(silver, spark, DAYS[1], far)
    silver.connection.execute(
        "INSERT INTO silver.releases SELECT topic_id, partition, \"offset\", ARRAY[rule], 'a lease', 'Ada'"
        " FROM silver.quarantine WHERE event_id = %s",
        (far["event_id"],),
    )
    forgotten(silver, "EUR")
    (in_vain,) = silver.to_silver(spark, TOPIC)
    rules = "SELECT batch_id, rule FROM silver.quarantine WHERE event_id = %s ORDER BY batch_id"
    held = silver.connection.execute(rules, (far["event_id"],)).fetchall()
    assert [batch_id for batch_id, _ in held] == [landed_in, in_vain]
    learnt(silver, "EUR")
    made = again(silver, spark, DAYS[1])
    assert {landed_in, in_vain} <= set(made.replaced.old)
    assert silver.connection.execute(rules, (far["event_id"],)).fetchall() == []
    published_events = "SELECT count(*) FROM silver.transaction_events WHERE event_id = %s"
    assert silver.connection.execute(published_events, (far["event_id"],)).fetchone() == (1,)


def test_a_release_that_comes_between_is_not_lost(silver, spark, monkeypatch):
    far = purchase(events.new_id(), occurred_on=date(2226, 1, 1))
    published(silver, spark, DAYS[1], far)
    learnt(silver, "XXQ")
    restage = AGAIN.restage

    def then_released(*args, **kwargs):
        made = restage(*args, **kwargs)
        silver.connection.execute(
            "INSERT INTO silver.releases SELECT topic_id, partition, \"offset\", ARRAY[rule], 'a lease', 'Ada'"
            " FROM silver.quarantine WHERE event_id = %s",
            (far["event_id"],),
        )
        silver.to_silver(spark, TOPIC)
        return made

    with monkeypatch.context() as here:
        here.setattr(AGAIN, "restage", then_released)
        with pytest.raises(NotAudited, match="Run the backfill again"):
            again(silver, spark, DAYS[1])
    assert events_in(silver, "XXQ") == {"published": 0, "aside": 3}
    assert again(silver, spark, DAYS[1]).replaced.new
    assert events_in(silver, "XXQ") == {"published": 1, "aside": 2}
    query = "SELECT count(*) FROM silver.transaction_events WHERE event_id = %s"
    assert silver.connection.execute(query, (far["event_id"],)).fetchone() == (1,)


def test_days_that_are_merged_in_the_lake_are_made_again_and_readers_see_each_event_once(silver, spark):
    night = datetime.now(UTC) + timedelta(days=1)
    (merged,) = merge(silver.connection, silver.lake, clock=lambda: night, topics=[TOPIC]).merged
    learnt(silver, "XXQ")
    again(silver, spark, DAYS[1])
    lake = in_the_lake(silver)
    assert {part: sum(rows.values()) for part, rows in lake.items()} == {"events": 10, "lines": 10, "quarantine": 2}
    merge(silver.connection, silver.lake, clock=lambda: night + GRACE, topics=[TOPIC])
    assert in_the_lake(silver) == lake
    assert merged.path not in {folder.path for folder in reading.folders(silver.connection, TOPIC)}
