"""Conversion of each line to its workspace's currency, with the European Central Bank's reference rates."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

OLDEST = 7
"""Days that a rate stays in use: over a weekend or a holiday the last one before holds."""

_AMOUNT, _RATE, _WIDE = "decimal(18,4)", "decimal(19,12)", "decimal(24,12)"
_LARGEST_MINOR_UNITS = 4


def converted(lines: DataFrame, workspaces: DataFrame, rates: DataFrame) -> DataFrame:
    """`lines` with `workspace_currency`, `fx_rate`, `fx_rate_on` and `amount_converted`.

    The rate is that of the line's `occurred_on`, or the last one of at most seven days before; between two currencies
    other than the euro it goes through the euro, with twelve decimals. The amount is that rate times the line's amount,
    half-even to the minor units of the workspace's currency. In the workspace's own currency the rate is 1 and
    nothing is rounded. Without a rate, or a known workspace currency, the columns are null.

    Args:
        lines: rows of `lines`.
        workspaces: workspace_id, workspace_currency, minor_units (of that currency).
        rates: rate_on (date), currency, per_eur (units of the currency for one euro).
    """
    by_day = _by_day(rates)
    paired = (
        lines.join(F.broadcast(workspaces), "workspace_id", "left")
        .join(_side(by_day, "currency", "from"), ["currency", "occurred_on"], "left")
        .join(_side(by_day, "workspace_currency", "to"), ["workspace_currency", "occurred_on"], "left")
    )
    own = F.col("currency") == F.col("workspace_currency")
    rate = F.try_divide(_per_eur("workspace_currency", "to"), _per_eur("currency", "from")).try_cast(_RATE)
    rate = F.when(own, F.lit(1).cast(_RATE)).when(F.col("minor_units").isNotNull(), rate)
    rate_on = F.when(own, F.col("occurred_on")).otherwise(F.least("from_on", "to_on"))
    amount = F.when(own, F.col("amount")).otherwise(
        _half_even(F.col("amount") * F.col("fx_rate"), F.col("minor_units"))
    )
    rated = paired.withColumn("fx_rate", rate).withColumn("amount_converted", amount)
    known = F.col("amount_converted").isNotNull()
    return rated.withColumn("fx_rate_on", F.when(known, rate_on)).select(
        *lines.columns,
        "workspace_currency",
        F.when(known, F.col("fx_rate")).alias("fx_rate"),
        "fx_rate_on",
        "amount_converted",
    )


def _by_day(rates: DataFrame) -> DataFrame:
    """For each currency and each day on which a rate is in use: that rate, and the day it is of."""
    days = F.sequence(F.col("rate_on"), F.date_add("rate_on", OLDEST))
    return (
        rates.where(F.col("currency") != "EUR")  # one euro for one euro, on every day
        .select("currency", F.col("per_eur").cast(_WIDE).alias("per_eur"), "rate_on", F.explode(days).alias("day"))
        .groupBy("currency", "day")
        .agg(F.max_by("per_eur", "rate_on").alias("per_eur"), F.max("rate_on").alias("rate_on"))
    )


def _side(by_day: DataFrame, currency: str, side: str) -> DataFrame:
    return F.broadcast(
        by_day.select(
            F.col("currency").alias(currency),
            F.col("day").alias("occurred_on"),
            F.col("per_eur").alias(f"{side}_per_eur"),
            F.col("rate_on").alias(f"{side}_on"),
        )
    )


def _per_eur(currency: str, side: str) -> Column:
    return F.when(F.col(currency) == "EUR", F.lit(1).cast(_WIDE)).otherwise(F.col(f"{side}_per_eur"))


def _half_even(amount: Column, minor_units: Column) -> Column:
    """Spark rounds to a constant number of decimals only: one branch for each number that a currency has."""
    branches = reduce(
        lambda chosen, units: chosen.when(minor_units == units, F.bround(amount, units).try_cast(_AMOUNT)),
        range(1, _LARGEST_MINOR_UNITS + 1),
        F.when(minor_units == 0, F.bround(amount, 0).try_cast(_AMOUNT)),
    )
    return branches
