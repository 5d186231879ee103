"""From bronze to silver on the real servers: Spark reads what landed, bad batches are blocked, nothing is doubled."""

import importlib
import io
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import dagster as dg
import fastavro
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from ingestion import contracts, events
from ingestion.landing import CorruptedFile, read_file, store
from ingestion.landing.containers import Container, events_schema
from orchestration import silver
from orchestration.batches import NotAudited, parquet, publish, record_audit, stage, staged
from orchestration.defs import silver as silver_defs
from orchestration.expectations.silver import audit_staged
from orchestration.spark import SparkResource, spark_config
from outlay.db import session
from outlay.settings import settings
from outlay.stack.environment import variables
from outlay.stack.home import check_results
from tests.landing import append, land_all, landed_files, purchase
from tests.sparks import session_on, vector_frame
from tests.support import PROJECT
from tests.vectors.load import acceptance

PUBLISHING = importlib.import_module("orchestration.batches.publish")

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def here(stack):
    """The stack, with the reference data that silver needs."""
    try:
        with session("pipeline") as connection:
            connection.execute("SELECT FROM reference.currencies LIMIT 1")
    except psycopg.errors.UndefinedTable:
        build = [Path(sys.executable).with_name("dbt"), "seed"]
        given = {**os.environ, **variables(stack)}
        done = subprocess.run(
            build, cwd=PROJECT / "dbt_project", env=given, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout
    return stack


@pytest.fixture(scope="module")
def spark(here):
    with session_on(here) as spark:
        yield spark


@pytest.fixture
def connection(here):
    with session("pipeline", autocommit=True) as connection:
        yield connection


@pytest.fixture
def caught_up(here, spark, connection):
    """Everything landed and published; what a test appends is all there is to do."""
    land_all(here)
    for topic in contracts.TOPICS:
        staged_and_passed(here, spark, connection, topic)
        publish(connection, here.lake, topic)
    return here


def staged_and_passed(here, spark, connection, topic="transaction"):
    batches = stage(lambda: spark, connection, here.lake, topic)
    for batch in batches:
        outcomes = audit_staged(connection, here.lake, batch)
        assert [failure for outcome in outcomes for failure in outcome.failures()] == []
    return batches


def published(connection, table, workspace_id):
    statement = sql.SQL("SELECT * FROM silver.{} WHERE workspace_id = %s").format(sql.Identifier(table))
    return connection.execute(statement, (workspace_id,)).fetchall()


def run_silver():
    """The three steps of silver as one run of Dagster."""
    job = dg.define_asset_job("silver_alone", selection=dg.AssetSelection.groups("silver"))
    ours = dg.ResourceDefinition.hardcoded_resource(SparkResource(spark_config=spark_config(settings())))
    defs = dg.Definitions.merge(silver_defs.defs, dg.Definitions(resources={"spark": ours}, jobs=[job]))
    return defs.resolve_job_def("silver_alone").execute_in_process(raise_on_error=False)


def tamper(here, batch, part, change):
    """Rewrite the Parquet of a staged batch with `change` applied to its table."""
    (file,) = parquet.dataset(here.lake, f"{batch.path}/{part}").files
    table = pq.read_table(file, partitioning=None)
    pq.write_table(change(table), file)


def replaced(table: pa.Table, column: str, value) -> pa.Table:
    place = table.schema.get_field_index(column)
    return table.set_column(place, table.schema.field(place), pa.array([value] * len(table), table.schema.types[place]))


def test_the_acceptance_vectors_hold_on_the_stacks_spark(spark):
    vectors = acceptance()
    found = defaultdict(list)
    for row in silver.decided(vector_frame(spark, vectors)).orderBy("workspace_id", "offset").collect():
        found[row.workspace_id].append(row.decision)
    assert dict(found) == {vector.name: list(vector.decisions) for vector in vectors}


def test_spark_reads_from_a_bronze_file_what_fastavro_reads(caught_up, spark):
    workspace_id = events.new_id()
    line = events.line(Decimal("1.2300"), line_id=events.new_id(), category_id="food", note=None)
    append(caught_up, purchase(workspace_id, tags=["a", ""], lines=[line], category_confidence=0.25))
    land_all(caught_up, ["transaction"])
    file = landed_files("transaction")[-1]
    (by_fastavro,) = read_file(caught_up.lake, file)
    (by_spark,) = silver.read(spark, "transaction", [parquet.spark_url(caught_up.lake, file.path)]).collect()
    expected = json.loads(json.dumps(by_fastavro["value"], default=str))
    found = by_spark.asDict(recursive=True)
    place = {name: found.pop(name) for name in ("topic_id", "partition", "offset", "logged_at", "ingest_date")}
    for name in ("occurred_at", "recorded_at"):  # Spark's instants are naive in Python, in the machine's zone
        assert found.pop(name).timestamp() == by_fastavro["value"][name].timestamp()
        expected.pop(name)
    assert json.loads(json.dumps(found, default=str)) == expected
    assert (place["topic_id"], place["partition"], place["offset"]) == (
        file.topic_id,
        file.partition,
        by_fastavro["_offset"],
    )
    assert place["ingest_date"] == file.ingest_date


def test_events_of_older_and_newer_writers_are_read_together(here, spark):
    older = json.loads(json.dumps(contracts.schema("transaction")))
    older["fields"] = [field for field in older["fields"] if field["name"] != "import_id"]
    newer = json.loads(json.dumps(contracts.schema("transaction")))
    newer["fields"].append({"name": "mood", "type": ["null", "string"], "default": None})
    next(f for f in newer["fields"] if f["name"] == "kind")["type"]["symbols"].append("gift")
    paths = []
    for number, (schema, changes) in enumerate([(older, {}), (newer, {"kind": "gift", "mood": "merry"})]):
        value = io.BytesIO()
        fastavro.schemaless_writer(value, schema, purchase(UUID(int=5)) | changes)
        container = Container(events_schema(schema), schema_id=number, day=date(2026, 1, 2))
        container.append(
            {"_topic": "transaction", "_partition": 0, "_offset": number, "_timestamp": 0, "_headers": []},
            value.getvalue(),
        )
        paths.append(f"evolution-test/{events.new_id()}/ingest_date=2026-01-02/0+{number}-{number}.avro")
        store.put(here.lake, paths[-1], container.finish().content)
    rows = silver.read(spark, "transaction", [parquet.spark_url(here.lake, path) for path in paths]).collect()
    assert {(row.offset, row.kind, row.import_id) for row in rows} == {(0, "expense", None), (1, "unknown", None)}


def test_a_batch_is_published_once_with_its_lines_and_its_bad_events_quarantined(caught_up, spark, connection):
    workspace_id = events.new_id()
    good = purchase(workspace_id, currency="USD", occurred_on=date(2016, 7, 2), amount=Decimal("11.1350"), note="")
    bad = purchase(workspace_id, currency="ZZZ")
    append(caught_up, good, good, bad)
    land_all(caught_up)
    (batch,) = stage(lambda: spark, connection, caught_up.lake, "transaction")
    assert (batch.rows_read, batch.events, batch.rows_quarantined) == (3, 2, 1)
    record_audit(connection, batch, passed=True)
    publish(connection, caught_up.lake, "transaction")
    assert publish(connection, caught_up.lake, "transaction").batch_ids == []
    decisions = connection.execute(
        "SELECT transaction_id, decision, note FROM silver.transaction_events WHERE workspace_id = %s ORDER BY 2",
        (workspace_id,),
    ).fetchall()
    assert decisions == [(good["transaction_id"], "accepted", ""), (good["transaction_id"], "duplicate", "")]
    lines = connection.execute(
        "SELECT DISTINCT line_id, amount, currency FROM silver.transaction_lines WHERE workspace_id = %s",
        (workspace_id,),
    ).fetchall()
    assert lines == [(good["transaction_id"], good["amount"], "USD")]
    quarantined = connection.execute(
        "SELECT entity_id, rule, row ->> 'currency' FROM silver.quarantine WHERE workspace_id = %s", (workspace_id,)
    ).fetchall()
    assert quarantined == [(bad["transaction_id"], "currency_known", "ZZZ")]


def test_a_damaged_bronze_file_stops_its_batch_and_nothing_else_is_lost(caught_up, spark, connection):
    workspace_id = events.new_id()
    append(caught_up, purchase(workspace_id))
    land_all(caught_up)
    fs, path = store.locate(caught_up.lake, landed_files("transaction")[-1].path)
    whole = fs.cat_file(path)
    fs.pipe_file(path, whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(CorruptedFile, match=r"expected .* bytes with SHA-256 .* Put the file back"):
        stage(lambda: spark, connection, caught_up.lake, "transaction")
    assert staged(connection, "transaction") == []
    fs.pipe_file(path, whole)
    staged_and_passed(caught_up, spark, connection)
    publish(connection, caught_up.lake, "transaction")
    assert len(published(connection, "transaction_events", workspace_id)) == 1


BAD = {
    "an amount that is not its lines' sum": ("events", "amount", Decimal("9.9900"), "lines_total_wrong"),
    "a decision that is not the rule's": ("events", "decision", "stale", "decision_wrong"),
    "an id that is none": ("events", "account_id", "mine", "account_id"),
    "a line that is missing": ("lines", None, None, "lines_total"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_batch_is_blocked_and_nothing_of_it_is_published(caught_up, connection, monkeypatch, case):
    part, column, value, named = BAD[case]
    workspace_id = events.new_id()
    append(caught_up, *(purchase(workspace_id) for _ in range(2)))
    land_all(caught_up)

    def staging_goes_wrong(*args, **kwargs):
        batches = stage(*args, **kwargs)
        for batch in batches:
            if batch.topic == "transaction":
                change = (lambda t: replaced(t, column, value)) if column else (lambda t: t.slice(1))
                tamper(caught_up, batch, part, change)
        return batches

    monkeypatch.setattr("orchestration.batches.stage", staging_goes_wrong)
    run = run_silver()
    assert not run.success
    checked = {e.asset_key.path[-1]: e for e in run.get_asset_check_evaluations()}
    assert not checked["transaction_batch"].passed
    assert named in checked["transaction_batch"].description
    assert checked["user_batch"].passed
    kept = [json.loads(path.read_text()) for path in check_results(caught_up.home).glob("transaction_events/*/*.json")]
    assert [each["result"]["success"] for each in kept if each["run_id"] == run.run_id] == [False]  # for Data Docs
    assert published(connection, "transaction_events", workspace_id) == []
    assert published(connection, "transaction_lines", workspace_id) == []
    with pytest.raises(NotAudited, match="failed its checks: nothing of it was published"):
        publish(connection, caught_up.lake, "transaction")
    monkeypatch.undo()
    assert run_silver().success
    assert len(published(connection, "transaction_events", workspace_id)) == 2


@pytest.mark.parametrize("moment", ["before the transaction", "inside it", "after it"])
def test_a_publication_that_was_killed_is_done_again_and_nothing_is_doubled(
    caught_up, spark, connection, monkeypatch, moment
):
    workspace_id = events.new_id()
    append(caught_up, *(purchase(workspace_id) for _ in range(3)))
    land_all(caught_up)
    staged_and_passed(caught_up, spark, connection)
    with session("pipeline", autocommit=True) as dying:
        if moment == "before the transaction":
            dying.close()
            with pytest.raises(psycopg.OperationalError):
                publish(dying, caught_up.lake, "transaction")
        elif moment == "inside it":
            copied = PUBLISHING.copy

            def killed(inner, lake, path, *into):
                if path.endswith("/lines"):
                    connection.execute("SELECT pg_terminate_backend(%s)", (inner.info.backend_pid,))
                return copied(inner, lake, path, *into)

            monkeypatch.setattr(PUBLISHING, "copy", killed)
            with pytest.raises(psycopg.OperationalError):
                publish(dying, caught_up.lake, "transaction")
            monkeypatch.undo()
        else:
            publish(dying, caught_up.lake, "transaction")
    expected = 3 if moment == "after it" else 0
    assert len(published(connection, "transaction_events", workspace_id)) == expected
    staged_and_passed(caught_up, spark, connection)
    publish(connection, caught_up.lake, "transaction")
    for table in ("transaction_events", "transaction_lines"):
        assert len(published(connection, table, workspace_id)) == 3
    doubled = connection.execute("SELECT file_id FROM silver.batch_files").fetchall()
    assert max(Counter(doubled).values()) == 1


def test_two_stagings_at_once_may_fail_a_publication_and_double_nothing(caught_up, spark, connection, monkeypatch):
    """The pool of silver keeps runs apart; this is what holds where it does not."""
    workspace_id = events.new_id()
    append(caught_up, *(purchase(workspace_id) for _ in range(3)))
    land_all(caught_up)
    with monkeypatch.context() as at_once:
        at_once.setattr("orchestration.batches.register.forget", lambda *_, **__: [])
        first, second = (staged_and_passed(caught_up, spark, connection) for _ in range(2))
    assert [batch.file_ids for batch in first] == [batch.file_ids for batch in second]
    with pytest.raises(psycopg.errors.UniqueViolation):
        publish(connection, caught_up.lake, "transaction")
    assert len(published(connection, "transaction_events", workspace_id)) == 3
    assert staged_and_passed(caught_up, spark, connection) == []
    assert publish(connection, caught_up.lake, "transaction").batch_ids == []


def test_without_anything_new_spark_is_not_touched(caught_up, connection):
    def never():
        raise AssertionError("a Spark session was started for nothing")

    for topic in contracts.TOPICS:
        assert stage(never, connection, caught_up.lake, topic) == []
        assert publish(connection, caught_up.lake, topic).batch_ids == []


def test_a_database_that_restarts_in_the_middle_of_a_step_costs_a_retry_and_nothing_else(
    caught_up, connection, monkeypatch
):
    workspace_id = events.new_id()
    append(caught_up, *(purchase(workspace_id) for _ in range(2)))
    land_all(caught_up)
    failures = iter([psycopg.OperationalError("the server closed the connection unexpectedly")])

    def interrupted(*args, **kwargs):
        for failure in failures:
            raise failure
        return publish(*args, **kwargs)

    monkeypatch.setattr("orchestration.retries.PAUSE", 0)
    monkeypatch.setattr("orchestration.batches.publish", interrupted)
    run = run_silver()
    assert run.success
    assert [event.step_key for event in run.all_events if event.is_step_up_for_retry] == ["silver"]
    assert len(published(connection, "transaction_events", workspace_id)) == 2
