"""The currencies that silver's rules know."""

from __future__ import annotations

import psycopg


class NoReferenceData(RuntimeError):
    """The reference tables are missing or empty: dbt has not built them."""


def known_currencies(connection: psycopg.Connection) -> set[str]:
    """The codes of ISO 4217 in ``reference.currencies``.

    Raises:
        NoReferenceData: see there.
    """
    try:
        known = {code for (code,) in connection.execute("SELECT currency FROM reference.currencies")}
    except psycopg.errors.UndefinedTable:
        known = set()
    if not known:
        raise NoReferenceData("reference.currencies is empty: `outlay build` builds it, or dbt alone with `dbt seed`")
    return known
