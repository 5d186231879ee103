"""Two builds of the same log compared: a checksum of each table, and where they differ the rows by their keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import psycopg
from psycopg import sql

from ingestion.replay import catalogue
from ingestion.replay.twin import LIVE, TWIN

NAMED = 20
"""How many keys of a table are named at most."""

_PLACES = "offsets"  # compared by itself, place by place
# A cell that has emptied stays in live, and never was in a build that did not see it full. It counts nothing.
_ROWS = {"monthly_totals": "lines <> 0 OR amount <> 0"}
_WORDS = {"dead_letters": {"reason"}}  # of a message that is the same, another version may say it in other words
_BUCKETS = 4096

Difference = Literal["live only", "replay only", "different"]
_Buckets = Mapping[int, tuple[int, int]]


@dataclass(frozen=True)
class Sum:
    """Of a table's rows, in any order: how many, and the sum of their 64-bit hashes, modulo 2^64."""

    rows: int
    checksum: str


@dataclass(frozen=True)
class Key:
    key: Mapping[str, str | None]
    difference: Difference


@dataclass(frozen=True)
class Table:
    """A table in both builds. `keys` names some of the rows that differ, none where the two are equal."""

    table: str
    live: Sum
    replay: Sum
    keys: Sequence[Key]

    @property
    def equal(self) -> bool:
        return self.live == self.replay

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"equal": self.equal}


def compare(live: psycopg.Connection, replay: psycopg.Connection) -> list[Table]:
    """Compare every table of `live` with its twin.

    Columns that do not follow from the log are left out: a clock's time, and what people decided on letters. In JSON a
    field that is null and one that is not there are the same: a contract may get a field after an event was stored.

    Args:
        live: in a transaction whose snapshot shows the offsets that the twin stands at.
        replay: sees the twin.
    """
    names = [name for name in catalogue.tables(live, LIVE) if name != _PLACES]
    return [_compare(name, live, replay) for name in names]


def _compare(name: str, live: psycopg.Connection, replay: psycopg.Connection) -> Table:
    what = _Hashed.of(live, name)
    ours, theirs = what.buckets(live, LIVE), what.buckets(replay, TWIN)
    differ = [bucket for bucket in sorted({*ours, *theirs}) if ours.get(bucket) != theirs.get(bucket)]
    keys: list[Key] = []
    if differ:
        some = differ[:NAMED]  # each holds a row that differs, so that these are enough
        keys = list(_keys(what, what.rows(live, LIVE, some), what.rows(replay, TWIN, some)))[:NAMED]
    return Table(name, _sum(ours), _sum(theirs), keys)


@dataclass(frozen=True)
class _Hashed:
    """How a table is hashed: what of a row, and by which key its rows fall into buckets."""

    table: str
    key: Sequence[str]
    columns: Sequence[str]
    documents: Sequence[str]

    @classmethod
    def of(cls, connection: psycopg.Connection, table: str) -> _Hashed:
        name = f"{LIVE}.{table}"
        left_out = _WORDS.get(table, set())
        columns = [column for column in catalogue.columns(connection, name) if column not in left_out]
        return cls(table, catalogue.key(connection, name), columns, catalogue.documents(connection, name))

    def buckets(self, connection: psycopg.Connection, schema: str) -> _Buckets:
        """Bucket to the number of its rows and the sum of their hashes, in one scan."""
        rows = connection.execute(
            sql.SQL("SELECT {bucket}, count(*), sum({hash}) FROM {table} WHERE {which} GROUP BY 1").format(
                **self._parts(schema)
            )
        )
        return {bucket: (count, int(total)) for bucket, count, total in rows}

    def rows(self, connection: psycopg.Connection, schema: str, buckets: Sequence[int]) -> dict[tuple, int]:
        """Key to hash of the rows of some buckets."""
        rows = connection.execute(
            sql.SQL("SELECT {hash}, {key} FROM {table} WHERE ({which}) AND {bucket} = ANY(%s)").format(
                **self._parts(schema)
            ),
            (list(buckets),),
        )
        return {tuple(key): found for found, *key in rows}

    def _parts(self, schema: str) -> dict[str, sql.Composable]:
        return {
            "bucket": sql.SQL("(hash_record_extended(ROW({}), 0) & {})").format(
                _listed(self.key), sql.Literal(_BUCKETS - 1)
            ),
            "hash": sql.SQL("hash_record_extended(ROW({}), 0)").format(
                sql.SQL(", ").join(map(self._value, self.columns))
            ),
            "key": sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in self.key),
            "table": sql.Identifier(schema, self.table),
            "which": sql.SQL(_ROWS.get(self.table, "true")),
        }

    def _value(self, column: str) -> sql.Composable:
        value = sql.Identifier(column)
        return sql.SQL("jsonb_strip_nulls({})").format(value) if column in self.documents else value


def _listed(names: Sequence[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _keys(what: _Hashed, live: Mapping[tuple, int], replay: Mapping[tuple, int]) -> Iterator[Key]:
    for values in sorted({*live, *replay}):
        if live.get(values) == replay.get(values):
            continue
        difference = "replay only" if values not in live else "live only" if values not in replay else "different"
        yield Key(dict(zip(what.key, values, strict=True)), difference)


def _sum(buckets: _Buckets) -> Sum:
    total = sum(part for _, part in buckets.values()) % (1 << 64)
    return Sum(sum(count for count, _ in buckets.values()), f"{total:016x}")
