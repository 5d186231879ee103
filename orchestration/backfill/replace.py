"""The moment of a backfill: one transaction in which new batches take the place of old ones, if a row differs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from ingestion.batches import in_turn
from orchestration.backfill.days import closed
from orchestration.batches import parquet, register
from orchestration.batches.publish import TABLES, columns, copy, enter, refuse_unaudited, tell_planner
from orchestration.batches.register import NotAudited, Staged, staged
from orchestration.merging import GRACE, removals

EXAMPLES = 10
"""How many places of rows that differ are named for each table."""


@dataclass(frozen=True)
class Changed:
    """Rows of a table that are not made again, rows that were not there before, and where some of them stand in the
    log: `EXAMPLES` places such as ``transaction/3@42``. A row with another value is one of each.
    """

    gone: int
    new: int
    places: list[str]


@dataclass
class Replaced:
    """What became of a topic's batches: the old ones, the new ones (none, where nothing differs) with all their rows,
    and the differences by table of `silver`.
    """

    topic: str
    rows_read: int = 0
    rows_written: int = 0
    old: list[int] = field(default_factory=list)
    new: list[int] = field(default_factory=list)
    changed: dict[str, Changed] = field(default_factory=dict)


def replace(
    connection: psycopg.Connection,
    lake: str,
    batches: Sequence[Staged],
    *,
    preview: bool = False,
    run_id: str | None = None,
) -> Replaced:
    """Put the batches that one call of `restage` made in the place of those it made them from, if a row differs.

    They are staged no more afterwards: they are published, or removed because they say nothing new or were for a
    preview. The old batches' Parquet may be read for `GRACE` more.

    Args:
        connection: in autocommit mode, with the rights of ``outlay_pipeline``.
        lake: the lake's root, a folder or an fsspec URL.
        preview: compare alone.

    Raises:
        NotAudited: a batch has not passed its audit, or another run has changed what they were made from, or them:
            nothing was replaced.
    """
    topic, old = batches[0].topic, batches[0].replaces
    done = Replaced(topic, sum(batch.rows_read for batch in batches), old=old)
    with connection.transaction():
        for table in TABLES[topic].values():
            _put_aside(connection, lake, batches, table)
        in_turn(connection)
        paths = _held(connection, batches)
        done.changed = _changes(connection, topic, old)
        published = bool(done.changed) and not preview
        if published:
            for path in paths:
                removals.note(connection, topic, path, datetime.now(UTC) + GRACE)
            _take_out(connection, topic, old)
            for place, batch in enumerate(batches):
                batch_id, rows = _put_in(connection, batch, place, run_id)
                done.new.append(batch_id)
                done.rows_written += rows
        register.forget(connection, topic, replacing=True)
    if not published:
        for batch in batches:
            parquet.remove(lake, batch.path)
    return done


def _held(connection: psycopg.Connection, batches: Sequence[Staged]) -> list[str]:
    """Hold the old batches, so that no merge moves them, and return their paths.

    Raises:
        NotAudited: these are not what is staged and audited now, or not all that the old batches were made of.
    """
    old, topic = batches[0].replaces, batches[0].topic
    there = dict(
        connection.execute(
            "SELECT batch_id, path FROM silver.batches WHERE batch_id = ANY(%s) ORDER BY batch_id FOR UPDATE", (old,)
        ).fetchall()
    )
    waiting = staged(connection, topic, replacing=True)
    refuse_unaudited(waiting)
    processed = connection.execute("SELECT file_id FROM silver.batch_files WHERE batch_id = ANY(%s)", (old,))
    files = {file_id for (file_id,) in processed}
    if (
        {batch.path for batch in waiting} != {batch.path for batch in batches}
        or files != {file_id for batch in batches for file_id in batch.file_ids}
        or list(there) != old
        or closed(connection, old) != old
    ):
        raise NotAudited(
            f"the batches of silver/{topic} that were to be replaced are not those of before: a release or another"
            " backfill came between, and nothing was replaced. Run the backfill again"
        )
    return sorted(set(there.values()))


def _put_aside(connection: psycopg.Connection, lake: str, batches: Sequence[Staged], table: str) -> None:
    """The new rows of a table, with their batch's place among the staged ones as batch_id."""
    (part,) = (part for part, name in TABLES[batches[0].topic].items() if name == table)
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} (LIKE silver.{} INCLUDING DEFAULTS) ON COMMIT DROP").format(
            _aside(table), sql.Identifier(table)
        )
    )
    for place, batch in enumerate(batches):
        copy(connection, lake, f"{batch.path}/{part}", _aside(table), columns(connection, table), place)
    connection.execute(sql.SQL("ANALYZE {}").format(_aside(table)))


def _aside(table: str) -> sql.Identifier:
    return sql.Identifier("pg_temp", f"new_{table}")


def _changes(connection: psycopg.Connection, topic: str, old: Sequence[int]) -> dict[str, Changed]:
    """The tables of which a row differs.

    Which batch a row is in is no difference, and so nothing is that follows from it: the decision within the batch
    (gold decides across them), and when an event was set aside.
    """
    found = {}
    for table in TABLES[topic].values():
        query = sql.SQL(
            """
            WITH before AS (SELECT {columns} FROM silver.{table} WHERE batch_id = ANY(%(old)s)),
            gone AS (SELECT * FROM before EXCEPT ALL SELECT {columns} FROM {aside}),
            new AS (SELECT {columns} FROM {aside} EXCEPT ALL SELECT * FROM before),
            places AS (
                SELECT partition, "offset" FROM gone UNION SELECT partition, "offset" FROM new
                ORDER BY partition, "offset" LIMIT %(few)s
            )
            SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM new),
                   ARRAY (SELECT %(topic)s || '/' || partition || '@' || "offset" FROM places)
            """
        ).format(
            columns=_names(name for name in columns(connection, table) if name != "decision"),
            table=sql.Identifier(table),
            aside=_aside(table),
        )
        row = connection.execute(query, {"old": list(old), "few": EXAMPLES, "topic": topic}).fetchone()
        changed = Changed(*row)
        if changed.gone or changed.new:
            found[table] = changed
    return found


def _take_out(connection: psycopg.Connection, topic: str, old: Sequence[int]) -> None:
    """The old batches and their rows. When an event was first set aside stays known."""
    kept = "UPDATE {} AS n SET quarantined_at = q.quarantined_at FROM silver.quarantine AS q"
    place = ' WHERE (q.topic_id, q.partition, q."offset", q.rule) = (n.topic_id, n.partition, n."offset", n.rule)'
    connection.execute(sql.SQL(kept + place).format(_aside("quarantine")))
    for table in (*TABLES[topic].values(), "batch_files", "batches"):
        statement = sql.SQL("DELETE FROM silver.{} WHERE batch_id = ANY(%s)").format(sql.Identifier(table))
        connection.execute(statement, (list(old),))


def _put_in(connection: psycopg.Connection, batch: Staged, place: int, run_id: str | None) -> tuple[int, int]:
    """Name a new batch, with its rows that were put aside; its number, and how many rows."""
    batch_id, rows = enter(connection, batch, run_id), 0
    connection.execute("UPDATE silver.batches SET replaces = %s WHERE batch_id = %s", (batch.replaces, batch_id))
    for table in TABLES[batch.topic].values():
        names = _names([*columns(connection, table), *["quarantined_at"] * (table == "quarantine")])
        statement = sql.SQL("INSERT INTO silver.{} (batch_id, {}) SELECT %s, {} FROM {} WHERE batch_id = %s")
        statement = statement.format(sql.Identifier(table), names, names, _aside(table))
        written = connection.execute(statement, (batch_id, place)).rowcount
        tell_planner(connection, table, written)
        rows += written
    return batch_id, rows


def _names(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
