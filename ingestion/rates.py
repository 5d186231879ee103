"""Exchange rates in silver: loaded in batches, as everything else, and read as they count now.

Of the rates of one currency and day, that of the newest batch counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg.rows import class_row

from ingestion.batches import in_turn, number
from ingestion.landing import store
from ingestion.sources import ecb
from ingestion.sources.ecb import Rate

TOPIC = "fx_rates"
"""What ``silver.batches`` calls a batch of rates, and the folder of the lake that keeps their files."""

OLDEST = 7
"""Days after its own that a rate is in use, when none has come since."""

_MANY = 1_000  # rows after which the planner must hear of them


@dataclass(frozen=True)
class Loaded:
    """How many rates a file has, of how many currencies, and how many of them silver lacked or held with another value.

    `batch_id` is None when no batch was made.
    """

    rates: int
    currencies: int
    first_day: date
    last_day: date
    new: int
    changed: int
    batch_id: int | None


class Held(NamedTuple):
    """A currency of silver: the days it is held from and to, and the rate of the last."""

    currency: str
    first_day: date
    last_day: date
    per_eur: Decimal


class _News(NamedTuple):
    """The rates of a file that silver does not hold, or holds with another value."""

    new: list[Rate]
    changed: list[Rate]


def load(
    connection: psycopg.Connection,
    lake: str,
    content: bytes,
    name: str,
    *,
    run_id: str | None = None,
    dry_run: bool = False,
) -> Loaded:
    """Bring what is new or changed in a file to silver, as one batch in one transaction; without any, no batch.

    The file is kept in the lake as it came. After a crash the same call does what is left, and nothing is doubled.

    Args:
        connection: in autocommit mode, with the rights of ``outlay_pipeline``.
        lake: the lake's root, a folder or an fsspec URL.
        content: a file of the European Central Bank, see `ingestion.sources.ecb`.
        name: what messages call the file.
        run_id: the run that asked for it, for ``silver.batches``.
        dry_run: compare, and write nothing.

    Raises:
        UnreadableRates: the content is no such file.
        LakeUnavailable: the lake does not answer, or refuses; silver is as it was.
    """
    rates = ecb.parse(content, name)
    news = _news(connection, rates)
    if dry_run or not any(news):
        return _loaded(rates, news, None)
    store.put(lake, _path(content), content)
    with connection.transaction():
        in_turn(connection)
        news = _news(connection, rates)  # again: another load may have been first
        batch_id = _publish(connection, content, rates, news, run_id) if any(news) else None
    return _loaded(rates, news, batch_id)


def load_new_files(
    connection: psycopg.Connection, lake: str, folder: Path, *, run_id: str | None = None
) -> list[Loaded]:
    """Load the files of a folder, ``*.csv`` and ``*.zip``, that no batch was made of yet, in the order of their names.

    A file is known by its bytes. One that brings nothing gets a batch without rows, so that it is read once.

    Returns:
        What was loaded; nothing of the files that were known.

    Raises:
        OSError: a file cannot be read; those before it are loaded. The same holds for what `load` raises.
    """
    files = sorted(path for path in folder.glob("*") if path.suffix in (".csv", ".zip"))
    done = (_load_if_new(connection, lake, path, run_id) for path in files)
    return [loaded for loaded in done if loaded is not None]


def held(connection: psycopg.Connection) -> list[Held]:
    """Every currency that has a rate, in the order of their codes."""
    return (
        connection.cursor(row_factory=class_row(Held))
        .execute(
            "SELECT DISTINCT ON (currency) currency, min(rate_on) OVER (PARTITION BY currency) AS first_day,"
            " rate_on AS last_day, per_eur FROM silver.fx_rates ORDER BY currency, rate_on DESC, batch_id DESC"
        )
        .fetchall()
    )


def in_use(connection: psycopg.Connection, currency: str, on: date) -> Rate | None:
    """The rate that an amount of the day `on` is converted by: of that day, or the last of the `OLDEST` days before."""
    if currency == "EUR":
        return Rate(on, currency, Decimal(1))
    return (
        connection.cursor(row_factory=class_row(Rate))
        .execute(
            "SELECT rate_on, currency, per_eur FROM silver.fx_rates"
            " WHERE currency = %(currency)s AND rate_on BETWEEN %(on)s::date - %(oldest)s::int AND %(on)s::date"
            " ORDER BY rate_on DESC, batch_id DESC LIMIT 1",
            {"currency": currency, "on": on, "oldest": OLDEST},
        )
        .fetchone()
    )


def _load_if_new(connection: psycopg.Connection, lake: str, path: Path, run_id: str | None) -> Loaded | None:
    content = path.read_bytes()
    if _known(connection, content):
        return None
    rates = ecb.parse(content, path.name)
    store.put(lake, _path(content), content)
    with connection.transaction():
        in_turn(connection)
        if _known(connection, content):
            return None
        news = _news(connection, rates)
        batch_id = _publish(connection, content, rates, news, run_id)
    return _loaded(rates, news, batch_id)


def _known(connection: psycopg.Connection, content: bytes) -> bool:
    """Whether a batch was made of these very bytes."""
    asked = "SELECT 1 FROM silver.batches WHERE topic = %s AND path = %s LIMIT 1"
    return connection.execute(asked, (TOPIC, _path(content))).fetchone() is not None


def _news(connection: psycopg.Connection, rates: Sequence[Rate]) -> _News:
    days = [rate.rate_on for rate in rates]
    rows = connection.execute(
        "SELECT DISTINCT ON (currency, rate_on) currency, rate_on, per_eur FROM silver.fx_rates"
        " WHERE currency = ANY(%s) AND rate_on BETWEEN %s AND %s ORDER BY currency, rate_on, batch_id DESC",
        (sorted({rate.currency for rate in rates}), min(days), max(days)),
    )
    per_eur = {(currency, rate_on): value for currency, rate_on, value in rows}
    news = _News([], [])
    for rate in rates:
        before = per_eur.get((rate.currency, rate.rate_on))
        if before is None:
            news.new.append(rate)
        elif before != rate.per_eur:
            news.changed.append(rate)
    return news


def _publish(
    connection: psycopg.Connection, content: bytes, rates: Sequence[Rate], news: _News, run_id: str | None
) -> int:
    """Name the batch and copy its rows in, within the caller's transaction; returns its number."""
    rows = len(news.new) + len(news.changed)
    batch_id = number(
        connection, topic=TOPIC, path=_path(content), rows_read=len(rates), rows_published=rows, run_id=run_id
    )
    statement = "COPY silver.fx_rates (batch_id, rate_on, currency, per_eur) FROM STDIN"
    with connection.cursor().copy(statement) as copy:
        for rate in (*news.new, *news.changed):
            copy.write_row((batch_id, rate.rate_on, rate.currency, rate.per_eur))
    if rows > _MANY:
        connection.execute("ANALYZE silver.fx_rates")
    return batch_id


def _path(content: bytes) -> str:
    """Where the lake keeps a file, below its root."""
    return f"{TOPIC}/{hashlib.sha256(content).hexdigest()}.{'zip' if ecb.zipped(content) else 'csv'}"


def _loaded(rates: Sequence[Rate], news: _News, batch_id: int | None) -> Loaded:
    days = [rate.rate_on for rate in rates]
    currencies = {rate.currency for rate in rates}
    return Loaded(len(rates), len(currencies), min(days), max(days), len(news.new), len(news.changed), batch_id)
