"""What is expected of the facts that a build has made."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        Expected("ExpectColumnValuesToBeInSet", {"column": "rate_not_of_a_later_day", "value_set": [True]}),
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

_COLUMNS = ("kind", "currency", "category_id", "rate_not_of_a_later_day", "amount", "converted", "merchant")
_BUILT = """
    SELECT f.kind, f.currency, f.category_id, coalesce(f.fx_rate_on <= f.occurred_on, true), f.amount::double precision,
           f.amount_converted::double precision, f.merchant
    FROM intermediate.int_transactions_current AS t
    JOIN gold.fct_transactions AS f
        ON f.workspace_id = t.workspace_id AND f.transaction_id = t.transaction_id AND f.occurred_on = t.occurred_on
    WHERE t.batch_id > %s AND t.batch_id <= %s
"""


def facts_of(connection: psycopg.Connection, *, since: int, upto: int) -> pd.DataFrame:
    """The columns that the suites look at, of facts whose silver batch is above `since` and not above `upto`.

    Amounts are floats here: they are compared with bounds, never summed or shown.
    """
    import pandas as pd

    return pd.DataFrame(connection.execute(_BUILT, (since, upto)).fetchall(), columns=list(_COLUMNS))
