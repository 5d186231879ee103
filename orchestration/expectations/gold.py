"""What is expected of the facts that a build has made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingestion.rates import OLDEST
from orchestration.expectations.runner import Expected

if TYPE_CHECKING:
    import pandas as pd
    import psycopg

FACTS = "facts"
"""Suite: without these the figures that people read are wrong."""

FACTS_WORTH_A_LOOK = "facts_worth_a_look"
"""Suite: where these do not hold, something upstream deserves a look."""

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
}

_BUILT = """
    SELECT f.kind, f.currency, f.category_id, f.merchant,
           coalesce(f.fx_rate_on BETWEEN f.occurred_on - %(oldest)s::int AND f.occurred_on, true)
               AS rate_is_not_too_old,
           f.amount::double precision AS amount, f.amount_converted::double precision AS converted,
           coalesce(f.amount_converted - f.amount * f.fx_rate, 0)::double precision AS conversion_error
    FROM (
        SELECT DISTINCT workspace_id, transaction_id, occurred_on
        FROM intermediate.int_transaction_dates
        WHERE batch_id > %(since)s AND batch_id <= %(upto)s
    ) AS touched
    JOIN gold.fct_transactions AS f USING (workspace_id, transaction_id, occurred_on)
"""


def facts_of(connection: psycopg.Connection, *, since: int, upto: int) -> pd.DataFrame:
    """The columns that the suites look at, of facts that batches above `since` and not above `upto` touched.

    Amounts are floats here: they are compared with bounds, never summed or shown. `conversion_error` is how far the
    converted amount is from the rate times the amount: below one for every currency, for rounding is to whole units at
    the coarsest.
    """
    import pandas as pd

    cursor = connection.execute(_BUILT, {"since": since, "upto": upto, "oldest": OLDEST})
    return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])
