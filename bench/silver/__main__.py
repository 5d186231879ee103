"""What silver's transforms cost from Parquet to Parquet, beside DuckDB with the same rules in SQL.

The transaction events that bronze holds (of `outlay demo`, say) are multiplied, each copy with ids of its own and some
with a broken rule, until there are as many as asked for, in batches of the size that silver takes. Spark makes silver
of them as a build does, batch by batch; DuckDB all at once. What the two wrote must be the same, row by row.

Needs Spark, and events in bronze: `outlay demo`, then `outlay bench silver --events 10000000`. What it writes lies
below the home's `tmp/` and is removed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
from pyspark.sql import SparkSession

from bench.silver import duck
from ingestion.landing import manifest
from orchestration import silver
from orchestration.batches import parquet
from orchestration.batches.currencies import known_currencies
from orchestration.batches.stage import LARGEST, write_parts
from orchestration.spark import SparkResource, spark_config
from outlay.db import session
from outlay.settings import settings

TOPIC = "transaction"
_IDS = ("workspace_id", "event_id", "transaction_id", "account_id")
_BAD = 200  # one in so many is an expense that brings money in


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--memory", default="4GB", help="that DuckDB may take")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    root = settings().home.resolve() / "tmp" / "bench-silver"
    shutil.rmtree(root, ignore_errors=True)
    spark = SparkResource(spark_config=spark_config(settings()))
    try:
        found = _measure(spark.spark_session, root, chosen.events, chosen.memory)
    finally:
        spark.close()
        shutil.rmtree(root, ignore_errors=True)
    print(json.dumps(found, indent=2) if chosen.json else _table(found))
    if found["differences"]:
        raise SystemExit("INVALID: the two did not write the same")


def _measure(spark: SparkSession, root: Path, events: int, memory: str) -> dict[str, Any]:
    with session("pipeline") as connection:
        files = [f for f in manifest.all_files(connection, [TOPIC]) if f.kind == "events"]
        known = known_currencies(connection)
    if not files:
        raise SystemExit("bronze holds no transactions: `outlay demo`, then this again")
    with duck.opened(memory) as peer:
        _say(f"making {events:,} events of the {sum(file.rows for file in files):,} in bronze")
        paths = [parquet.spark_url(settings().lake, file.path) for file in files]
        silver.read(spark, TOPIC, paths).write.parquet(f"file://{root}/shapes")
        batches = _multiplied(peer, root, events)
        _say("DuckDB")
        duck_seconds = _timed(lambda: duck.silver(peer, batches, known, root / "duck"))
        _say("Spark")
        _made(spark, batches[0], known, root / "warm", 0)
        each = [_timed(lambda b=b, n=n: _made(spark, b, known, root / "spark", n)) for n, b in enumerate(batches)]
        _say("comparing")
        written = {part: _compared(peer, root, part) for part in ("events", "quarantine", "lines")}
    return {
        "events": events,
        "batches": len(batches),
        "spark_seconds": round(sum(each), 1),
        "spark_batches": [round(seconds, 1) for seconds in each],
        "duckdb_seconds": round(duck_seconds, 1),
        "ratio": round(sum(each) / duck_seconds, 2),
        "spark_us_an_event": round(sum(each) / events * 1e6, 1),
        "rows": {part: rows for part, (rows, _) in written.items()},
        "differences": {part: count for part, (_, count) in written.items() if count},
    }


def _multiplied(peer: duckdb.DuckDBPyConnection, root: Path, events: int) -> list[Path]:
    """Parquet files of at most a batch each, with so many events in all."""
    (rows,) = peer.execute(f"SELECT count(*) FROM '{root}/shapes/*.parquet'").fetchone()  # noqa: S608
    ids = ", ".join(f"md5({name} || copy)::UUID::VARCHAR AS {name}" for name in _IDS)
    (root / "bronze").mkdir()
    files, made, per_file = [], 0, max(LARGEST // rows, 1)
    while made < events:
        first, copies = made // rows, min(per_file, -(-(events - made) // rows))
        files.append(root / "bronze" / f"{len(files):04}.parquet")
        peer.execute(
            f"""
            COPY (
                SELECT * EXCLUDE (copy) REPLACE (
                    {ids}, "offset" + copy * 100000000 AS "offset",
                    CASE WHEN kind = 'expense' AND len(lines) = 0 AND hash(transaction_id || copy) % {_BAD} = 0
                        THEN -amount ELSE amount END AS amount
                )
                FROM '{root}/shapes/*.parquet', (SELECT unnest(range({first}, {first + copies})) AS copy)
                LIMIT {events - made}
            ) TO '{files[-1]}' (FORMAT parquet)
            """  # noqa: S608
        )
        made += min(copies * rows, events - made)
    return files


def _made(spark: SparkSession, batch: Path, known: set[str], into: Path, number: int) -> None:
    rows = spark.read.parquet(f"file://{batch}")
    expected = parquet.rows(str(batch.parent), batch.name)
    write_parts(spark, rows, TOPIC, known, str(into), f"batch={number}", expected=expected)


def _compared(peer: duckdb.DuckDBPyConnection, root: Path, part: str) -> tuple[int, int]:
    """Rows that Spark wrote, and rows that only one of the two did. Of a bad row, the wording is each one's own."""
    ours = f"read_parquet('{root}/spark/*/{part}/*/*.parquet', hive_partitioning = true)"
    theirs = f"read_parquet('{root}/duck/{part}/*/*.parquet', hive_partitioning = true)"
    described = peer.execute(f"DESCRIBE SELECT * FROM {theirs}").fetchall()  # noqa: S608
    columns = ", ".join(f'"{name}"' for name, *_ in described if name not in ("detail", "row"))
    sides = f"SELECT {columns} FROM {ours}", f"SELECT {columns} FROM {theirs}"  # noqa: S608
    counted = (f"SELECT count(*) FROM ({one} EXCEPT ALL {other})" for one, other in (sides, sides[::-1]))  # noqa: S608
    (rows,) = peer.execute(f"SELECT count(*) FROM {ours}").fetchone()  # noqa: S608
    return rows, sum(peer.execute(query).fetchone()[0] for query in counted)


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _table(found: dict[str, Any]) -> str:
    return "\n".join(f"{name:<20} {value}" for name, value in found.items())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
