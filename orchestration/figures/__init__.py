"""Figures that Dagster plots: what a materialisation cost, under the same names in every layer; the last builds."""

from __future__ import annotations

from typing import Any

ROW_COUNT = "dagster/row_count"
"""Where Dagster's pages look for the size of a table."""


def metadata(
    *, rows_read: int, rows_written: int, seconds: float, row_count: int | None = None, **more: Any
) -> dict[str, Any]:
    """Metadata of a materialisation: Dagster draws a line of each number over time.

    Args:
        seconds: what it took.
        row_count: rows of the whole table after it, where there is a table (see `orchestration.figures.rows`).
        more: of this asset alone.
    """
    table = {} if row_count is None else {ROW_COUNT: row_count}
    return {"rows_read": rows_read, "rows_written": rows_written, "seconds": round(seconds, 3), **table, **more}
