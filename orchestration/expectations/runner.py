"""Running a suite on a pandas frame or a query, and its figures in the shape of Dagster's metadata."""

from __future__ import annotations

import gc
import importlib
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dagster import MetadataValue, TableColumn, TableRecord, TableSchema

from outlay.db import session
from outlay.settings import Role

if TYPE_CHECKING:
    import pandas as pd
    from psycopg import sql

EXAMPLES = 5


@dataclass(frozen=True)
class Expected:
    """One expectation: the name of its class in ``great_expectations.expectations``, and its arguments.

    A suite is a list of these, so that reading it does not import the library.
    """

    type: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a suite found. Each of `figures` has expectation, success, evaluated, unexpected and examples."""

    suite: str
    figures: list[dict[str, Any]]
    result: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What Great Expectations said, in its own words, for its pages."""

    @property
    def passed(self) -> bool:
        return all(figure["success"] for figure in self.figures)

    def failures(self) -> list[str]:
        """One line for each expectation that did not hold."""
        return [
            f"{self.suite}: {figure['expectation']}: {figure['unexpected']} of {figure['evaluated']}, such as"
            f" {figure['examples']}"
            for figure in self.figures
            if not figure["success"]
        ]


def metadata(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures of some suites as a table, with their sums."""
    figures = [(outcome.suite, figure) for outcome in outcomes for figure in outcome.figures]
    columns = {"suite": "string", "expectation": "string", "success": "bool", "evaluated": "int", "unexpected": "int"}
    return {
        "expectations": len(figures),
        "evaluated": sum(figure["evaluated"] for _, figure in figures),
        "unexpected": sum(figure["unexpected"] for _, figure in figures),
        "figures": MetadataValue.table(
            records=[TableRecord({"suite": suite, **figure}) for suite, figure in figures],
            schema=TableSchema(
                [TableColumn(name, kind) for name, kind in {**columns, "examples": "string"}.items()],
            ),
        ),
    }


def run(suite: str, frame: pd.DataFrame, expected: Sequence[Expected]) -> Outcome:
    """Hold every expectation of a suite against `frame`, in a context of its own that leaves nothing behind.

    Raises:
        RuntimeError: an expectation could not be evaluated (such as of a column that is not there).
    """
    outcome = _held(suite, _whole(suite, frame), expected)
    gc.collect()  # the library's objects hold each other, and through each other the frame
    return outcome


def run_query(
    suite: str, query: sql.Composed, expected: Sequence[Expected], role: Role, *, put_aside: bool = False
) -> Outcome:
    """The same against the rows of a query. PostgreSQL does the work: only counts and examples leave it.

    Args:
        role: who asks.
        put_aside: the query's rows are put into a temporary table first: for few rows that cost much. Otherwise the
            library asks the query anew for each thing that it wants to know.

    Raises:
        RuntimeError: as `run`.
    """
    from psycopg import sql
    from sqlalchemy.pool import StaticPool

    with session(role) as connection:
        if put_aside:
            connection.execute(sql.SQL("CREATE TEMPORARY TABLE looked_at AS {}").format(query))
            connection.commit()
            query = sql.SQL("SELECT * FROM looked_at").format()
        source = _context().data_sources.add_postgres(
            "database",
            connection_string="postgresql+psycopg://given@connections/none",  # no address and no password
            kwargs={"creator": lambda: connection, "poolclass": StaticPool},
        )
        asset = source.add_query_asset(suite, query.as_string())
        return _held(suite, asset.add_batch_definition_whole_table("whole").get_batch(), expected)


def _whole(suite: str, frame: pd.DataFrame) -> Any:
    asset = _context().data_sources.add_pandas("frames").add_dataframe_asset(suite)
    return asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})


def _context() -> Any:
    gx = library()
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _held(suite: str, batch: Any, expected: Sequence[Expected]) -> Outcome:
    gx = library()
    expectations = [getattr(gx.expectations, each.type)(**each.arguments) for each in expected]
    validated = batch.validate(
        gx.ExpectationSuite(suite, expectations=expectations),
        result_format={"result_format": "BASIC", "partial_unexpected_count": EXAMPLES},
    )
    return Outcome(suite, [_figures(suite, result) for result in validated.results], validated.to_json_dict())


def preload() -> None:
    """Begin to import the library in the background, while the caller waits for something else."""
    threading.Thread(target=library, name="import-great-expectations", daemon=True).start()


def library() -> ModuleType:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read when the library is imported
    return importlib.import_module("great_expectations")


def _figures(suite: str, result: Any) -> dict[str, Any]:
    configuration, found = result.expectation_config, result.result
    expectation = f"{configuration.type}({_about(configuration.kwargs)})"
    if not found:
        raise RuntimeError(f"{suite}: {expectation} could not be evaluated: {str(result.exception_info)[-500:]}")
    examples = found.get("partial_unexpected_list", [found.get("observed_value")])
    return {
        "expectation": expectation,
        "success": bool(result.success),
        "evaluated": int(found.get("element_count") or found.get("observed_value") or 0),  # observed: a count of rows
        "unexpected": int(found.get("unexpected_count") or not result.success),  # null of no row at all
        "examples": "" if result.success else "; ".join(str(example) for example in examples[:EXAMPLES]),
    }


def _about(arguments: Mapping[str, Any]) -> str:
    """The columns an expectation looks at, and on which rows."""
    columns = [
        arguments.get("column"),
        *arguments.get("column_list", ()),
        *map(arguments.get, ("column_A", "column_B")),
    ]
    condition = arguments.get("row_condition")
    where = [f"where {condition.get('pass_through_filter', condition)}"] if isinstance(condition, Mapping) else []
    return " ".join([", ".join(column for column in columns if column), *where])
