"""Bytes that an installation takes in each store: nearly all of them are of transaction events."""

from __future__ import annotations

from ingestion.contracts import TOPICS
from ingestion.landing import store
from outlay.db import session
from outlay.settings import settings

SCHEMAS = ("live", "silver", "intermediate", "gold")

_TABLES = """
    SELECT schemaname, sum(pg_total_relation_size(format('%%I.%%I', schemaname, tablename)))::bigint
    FROM pg_tables WHERE schemaname = ANY(%s) GROUP BY schemaname
"""
_BRONZE = "SELECT sum(bytes)::bigint FROM bronze.files"
_PATHS = "SELECT DISTINCT path FROM silver.batches WHERE topic = ANY(%s)"


def taken() -> dict[str, int]:
    """Bytes by store: of PostgreSQL's schemas with indexes and what updates left free, of the lake what its manifests
    name, of Kafka the transaction topic's folders of the embedded broker (none, where another one is used).
    """
    with session("owner") as connection:
        tables = dict(connection.execute(_TABLES, (list(SCHEMAS),)).fetchall())
        (bronze,) = connection.execute(_BRONZE).fetchone()
        paths = [path for (path,) in connection.execute(_PATHS, (list(TOPICS),)).fetchall()]
    return {
        "kafka": _of_broker(),
        "bronze": bronze or 0,
        "silver_parquet": sum(_of_folder(path) for path in paths),
        **{f"postgres_{schema}": tables.get(schema, 0) for schema in SCHEMAS},
    }


def _of_folder(path: str) -> int:
    fs, full = store.locate(settings().lake, path)
    return fs.du(full) if fs.exists(full) else 0


def _of_broker() -> int:
    folders = (settings().home / "kafka").glob("transaction-*")
    return sum(file.stat().st_size for folder in folders for file in folder.glob("*.log"))
