"""What live and bronze really hold, in the model's shape, and how it differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg.rows import dict_row

from ingestion.landing import manifest, read_file
from tests.chaos.model import Expected, Row, Table

_SHOWN = 3  # differences of a table that are shown
_KEYS = {
    "events": ("topic", "partition", "offset"),
    "dead_letters": ("topic", "partition", "offset"),
    "transactions": ("workspace_id", "transaction_id"),
    "transaction_lines": ("workspace_id", "transaction_id", "line_no"),
    "entities": ("workspace_id", "entity", "entity_id"),
    "monthly_totals": ("workspace_id", "month", "account_id", "category_id", "currency", "kind"),
}


@dataclass
class Differences:
    """How what is held differs from what must be: `lost`, `doubled`, `invented` and `changed` rows, and examples."""

    lost: int = 0
    doubled: int = 0
    invented: int = 0
    changed: int = 0
    rows: int = 0
    examples: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.invented or self.changed or self.examples)

    def __add__(self, other: Differences) -> Differences:
        return Differences(
            self.lost + other.lost,
            self.doubled + other.doubled,
            self.invented + other.invented,
            self.changed + other.changed,
            self.rows + other.rows,
            self.examples + other.examples,
        )


def live_differs(connection: psycopg.Connection, expected: Expected) -> Differences:
    """Compare every table of live, row by row and field by field."""
    found = Differences()
    for name in _KEYS:
        found += _differ(f"live.{name}", _rows(connection, name), expected.live[name])
    places = connection.execute(
        'SELECT topic, topic_id, partition, "offset" FROM (SELECT topic, topic_id, partition, "offset" FROM live.events'
        ' UNION ALL SELECT topic, topic_id, partition, "offset" FROM live.dead_letters) AS held'
        ' GROUP BY topic, topic_id, partition, "offset" HAVING count(*) > 1'
    ).fetchall()
    found.doubled += len(places)
    found.examples += [f"live holds {place} twice" for place in places[:_SHOWN]]
    return found


def bronze_differs(connection: psycopg.Connection, lake: str, expected: Expected) -> Differences:
    """Compare every row that readers of bronze see."""
    files = manifest.all_files(connection)
    rows: dict[str, list[tuple[tuple, Row]]] = {"events": [], "unreadable": []}
    for file in files:
        rows[file.kind] += [
            ((row["_topic"], row["_partition"], row["_offset"]), _landed(row)) for row in read_file(lake, file)
        ]
    found = Differences()
    for kind, read in rows.items():
        found += _differ(f"bronze {kind}", read, expected.bronze[kind])
    return found


def _landed(row: Mapping) -> Row:
    return {
        "timestamp": row["_timestamp"],
        "key": row["_key"],
        "headers": tuple((header["key"], header["value"]) for header in row["_headers"]),
        "schema_id": row["_schema_id"],
        "value": row["value"],
    }


def _rows(connection: psycopg.Connection, table: str) -> Iterator[tuple[tuple, Row]]:
    empty = "WHERE lines <> 0 OR amount <> 0" if table == "monthly_totals" else ""
    with connection.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(f"SELECT * FROM live.{table} {empty}"):  # noqa: S608
            key = tuple(row[name] for name in _KEYS[table])
            yield key, row


def _differ(where: str, held: Iterable[tuple[tuple, Row]], expected: Table) -> Differences:
    found, seen, first = Differences(rows=len(expected)), Counter(), Counter()

    def example(kind: str, text: str) -> None:
        first[kind] += 1
        if first[kind] <= _SHOWN:
            found.examples.append(f"{where} {kind}: {text}")

    for key, row in held:
        seen[key] += 1
        if seen[key] > 1:
            found.doubled += 1
            example("doubled", str(key))
        elif key not in expected:
            found.invented += 1
            example("invented", f"{key} {row}")
        else:
            wanted = expected[key]
            wrong = {name: (row.get(name), value) for name, value in wanted.items() if row.get(name) != value}
            if wrong:
                found.changed += 1
                example("changed", f"{key}, as held and as expected: {wrong}")
    for key in expected.keys() - seen.keys():
        found.lost += 1
        example("lost", str(key))
    return found
