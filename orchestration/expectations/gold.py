"""What is expected of the facts that a build has made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from psycopg import sql

from ingestion.rates import OLDEST
from orchestration.expectations.runner import Expected, Outcome, run_query
from outlay.db import session

FACTS = "facts"
"""Suite: without these the figures that people read are wrong."""

FACTS_WORTH_A_LOOK = "facts_worth_a_look"
"""Suite: where these do not hold, something upstream deserves a look."""

DRIFT = "drift"
"""Suite: workspaces whose last whole week is far from what their weeks were."""

EXPECTATIONS = {
    FACTS: [
        Expected(
            "ExpectColumnValuesToBeInSet",
            {"column": "kind", "value_set": ["expense", "refund", "income", "transfer"]},
        ),
        Expected("ExpectColumnValuesToMatchRegex", {"column": "currency", "regex": "^[A-Z]{3}$"}),
        Expected("ExpectColumnValuesToNotBeNull", {"column": "category_id"}),
        Expected("ExpectColumnValuesToBeInSet", {"column": "rate_is_not_too_old", "value_set": [True]}),
        Expected("ExpectColumnValuesToBeBetween", {"column": "conversion_error", "min_value": -1, "max_value": 1}),
    ],
    FACTS_WORTH_A_LOOK: [
        Expected(
            "ExpectColumnValuesToBeBetween",
            {"column": "amount", "min_value": -1_000_000, "max_value": 1_000_000, "mostly": 0.999},
        ),
        Expected("ExpectColumnValuesToNotBeNull", {"column": "converted", "mostly": 0.9}),
        Expected("ExpectColumnValuesToNotBeNull", {"column": "merchant", "mostly": 0.5}),
    ],
    DRIFT: [
        Expected("ExpectColumnValuesToBeNull", {"column": "transactions_drift"}),
        Expected("ExpectColumnValuesToBeNull", {"column": "spending_drift"}),
    ],
}

_LAST_BUILD = """
    SELECT since, upto FROM gold.model_runs WHERE model = 'fct_transactions' ORDER BY finished_at DESC LIMIT 1
"""
_LOOKED_AT = """
    SELECT f.kind, f.currency, f.category_id, f.merchant, f.amount, f.amount_converted AS converted,
           coalesce(f.fx_rate_on BETWEEN f.occurred_on - {oldest} AND f.occurred_on, true) AS rate_is_not_too_old,
           coalesce(f.amount_converted - f.amount * f.fx_rate, 0) AS conversion_error
    FROM gold.fct_transactions AS f
"""
_TOUCHED = """
    JOIN (
        SELECT workspace_id, transaction_id, occurred_on FROM intermediate.int_transactions_current AS t
        WHERE (workspace_id, transaction_id) IN (
            SELECT workspace_id, transaction_id FROM intermediate.int_transactions_touched
            WHERE batch_id > {since} AND batch_id <= {upto}
        )
    ) AS touched USING (workspace_id, transaction_id, occurred_on)
"""
_WEEKS, _ENOUGH, _FAR = 26, 13, 6
_LAST_WEEKS = Path(__file__).with_name("last_weeks.sql").read_text(encoding="utf-8")


def audit() -> Iterator[tuple[str, Outcome | None]]:
    """Hold each suite against what the last build of the facts has made: what was before was looked at then.

    Without new facts there is no outcome: to import Great Expectations costs seconds.
    """
    with session("dbt", autocommit=True) as connection:
        since, upto = connection.execute(_LAST_BUILD).fetchone()
        new = sql.SQL("SELECT EXISTS ({})").format(facts_of(since=since, upto=upto))
        (is_any_new,) = connection.execute(new).fetchone()
    for suite, expected in EXPECTATIONS.items():
        rows = rows_of(suite, since=since, upto=upto)
        aside = since > 0 or suite == DRIFT
        yield suite, run_query(suite, rows, expected, "dbt", put_aside=aside) if is_any_new else None


def rows_of(suite: str, *, since: int, upto: int) -> sql.Composed:
    """A query for what the suite looks at, of what batches above `since` and not above `upto` touched."""
    return _last_weeks(since=since, upto=upto) if suite == DRIFT else facts_of(since=since, upto=upto)


def _last_weeks(*, since: int, upto: int) -> sql.Composed:
    """Of each workspace with at least 13 weeks of spending in the half year before: its last whole week.

    `transactions_drift` and `spending_drift` are null, or one line for a week that is further from the median of the 26
    weeks before it than six times their spread. The running week, which is that of the newest expense, is not whole.
    """
    weeks = sql.SQL(_LAST_WEEKS).format(since=since, upto=upto, weeks=_WEEKS, enough=_ENOUGH, far=_FAR)
    return sql.SQL("SELECT * FROM ({}) AS last_weeks").format(weeks)  # Great Expectations wants a SELECT


def facts_of(*, since: int, upto: int) -> sql.Composed:
    """A query for what the suites look at, of the facts that batches above `since` and not above `upto` touched.

    `conversion_error` is how far the converted amount is from the rate times the amount: below one for every currency,
    for rounding is to whole units at the coarsest.
    """
    looked_at = sql.SQL(_LOOKED_AT).format(oldest=OLDEST)
    if since == 0:  # all of them
        return sql.Composed([looked_at])
    return looked_at + sql.SQL(_TOUCHED).format(since=since, upto=upto)
