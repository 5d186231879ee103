"""The Parquet of a staged batch, read without Spark."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.dataset as ds

from ingestion.landing import store


def spark_url(lake: str, path: str) -> str:
    """The address of a path in the lake as Spark wants it: ``file://`` or ``s3a://``."""
    if "://" not in lake:
        return f"file://{lake}/{path}"
    scheme, _, rest = lake.partition("://")
    return f"{'s3a' if scheme == 's3' else scheme}://{rest}/{path}"


def dataset(lake: str, path: str) -> ds.Dataset | None:
    """What Spark wrote below `path`; None where it had no row to write."""
    fs, full = store.locate(lake, path)
    files = sorted(file for file in fs.find(full) if file.endswith(".parquet"))
    if not files:
        return None
    partitions = ds.partitioning(pa.schema([("ingest_date", pa.date32())]), flavor="hive")
    return ds.dataset(files, filesystem=fs, format="parquet", partitioning=partitions, partition_base_dir=full)


def rows(lake: str, path: str) -> int:
    found = dataset(lake, path)
    return 0 if found is None else found.count_rows()


def remove(lake: str, path: str) -> None:
    fs, full = store.locate(lake, path)
    if fs.exists(full):
        fs.rm(full, recursive=True)
