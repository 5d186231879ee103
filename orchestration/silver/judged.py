"""The rules of `ingestion.rules`, under the same names, as column expressions."""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from ingestion import rules
from orchestration.silver.read import PLACE

_PROBLEMS = "array<struct<rule: string, detail: string>>"


def judged(topic: str, events: DataFrame, currencies: Collection[str], releases: DataFrame | None = None) -> DataFrame:
    """`events` with `problems`: the rules that each one breaks, as an array of (rule, detail), empty for a good one.

    Args:
        topic: whose events.
        events: rows of `typed`.
        currencies: the ISO 4217 codes that are known.
        releases: few rows of `topic_id`, `partition`, `offset` and `rules`: those that the event there may break.
    """
    broken = _transaction_rules(currencies) if topic == "transaction" else _other_rules()
    problems = [
        F.when(~F.coalesce(holds, F.lit(True)), F.struct(F.lit(name).alias("rule"), detail.alias("detail")))
        for name, (holds, detail) in broken.items()
    ]
    told = events.withColumn("problems", F.filter(F.array(*problems), lambda p: p.isNotNull()).cast(_PROBLEMS))
    if releases is None:
        return told
    may_break = F.coalesce("rules", F.array().cast("array<string>"))
    left = F.filter("problems", lambda problem: ~F.array_contains(may_break, problem["rule"]))
    return told.join(F.broadcast(releases), [*PLACE], "left").withColumn("problems", left).drop("rules")


def valid(events: DataFrame) -> DataFrame:
    """The events that break no rule, without what only the judging needed."""
    return events.where(F.size("problems") == 0).drop("problems", "event", "workspace_given", "tag_list")


def quarantined(topic: str, events: DataFrame) -> DataFrame:
    """One row a broken rule: the event's place and ids, the rule, what was expected and came, and the event whole."""
    return events.where(F.size("problems") > 0).select(
        F.lit(topic).alias("topic"),
        *(*PLACE, "ingest_date", "workspace_id", "entity_id", "event_id", "version"),
        F.inline("problems").alias("rule", "detail"),
        F.col("event").alias("row"),
    )


Rule = tuple[Column, Column]
"""What holds for a good event (null counts as good), and the one line that says what is wrong with a bad one."""


def _other_rules() -> dict[str, Rule]:
    """What is asked of people, workspaces, accounts, budgets ...: little; gold leaves out what it cannot use."""
    return {
        "workspace_given": (
            F.col("workspace_given") | (F.col("entity") == "user"),
            _says("expected a workspace, got none"),
        ),
        "version_positive": _version_positive(),
        "operation_known": (F.col("operation") != "unknown", _says("expected a known operation")),
        "entity_known": (F.col("entity") != "unknown", _says("expected a known kind of entity")),
    }


def _transaction_rules(currencies: Collection[str]) -> dict[str, Rule]:
    kind, amount, lines, tags = (F.col(name) for name in ("kind", "amount", "lines", "tag_list"))
    confidence, mcc = F.col("category_confidence"), F.col("mcc")
    total = F.aggregate(lines, F.lit(0).cast("decimal(38,4)"), lambda acc, x: (acc + x["amount"]).cast("decimal(38,4)"))
    line_ids = F.transform(lines, lambda line: line["line_id"])
    return {
        "currency_known": (
            F.col("currency").isin(sorted(currencies)),
            _says("expected an ISO 4217 currency code such as EUR, got '", F.col("currency"), "'"),
        ),
        "workspace_given": (F.col("workspace_given"), _says("expected a workspace, got none")),
        "version_positive": _version_positive(),
        "operation_known": (
            F.col("operation") != "unknown",
            _says("expected recorded, amended, voided or restored"),
        ),
        "kind_known": (kind != "unknown", _says("expected expense, refund, income or transfer")),
        "status_known": (F.col("status") != "unknown", _says("expected pending or posted")),
        "sign_matches_kind": (
            ~((kind == "expense") & (amount < 0) | kind.isin("refund", "income") & (amount > 0)),
            F.when(
                kind == "expense",
                _says("an expense takes money out of the account: expected an amount of 0 or more, got ", amount),
            ).otherwise(_says(kind, " brings money in: expected an amount of 0 or less, got ", amount)),
        ),
        "lines_sum": (
            (F.size(lines) == 0) | (total == amount),
            _says("the lines sum to ", total, ", the amount is ", amount),
        ),
        "lines_few": (
            F.size(lines) <= rules.MAX_LINES,
            _says(f"expected at most {rules.MAX_LINES} lines, got ", F.size(lines)),
        ),
        "line_ids_unique": (
            F.size(F.array_distinct(line_ids)) == F.size(lines),
            _says("expected a line_id of its own for each line"),
        ),
        "date_plausible": _plausible("occurred_on"),
        "posted_date_plausible": _plausible("posted_on"),
        **{
            f"{field}_short": (
                F.length(field) <= limit,
                _says(f"expected at most {limit} characters, got ", F.length(field)),
            )
            for field, limit in rules.MAX_LENGTH.items()
        },
        "tags_valid": _tags_valid(tags),
        "mcc_valid": (mcc.rlike(r"\A[0-9]{4}\z"), _says("expected 4 digits, got '", mcc, "'")),
        "confidence_valid": (
            confidence.between(0, 1),
            _says("expected a number from 0 to 1, got ", confidence),
        ),
    }


def _version_positive() -> Rule:
    return F.col("version") >= 1, _says("expected a version from 1, got ", F.col("version"))


def _plausible(field: str) -> Rule:
    day, recorded = F.col(field), F.to_date("recorded_at")
    early, late = day < F.lit(rules.EARLIEST), F.date_diff(day, recorded) > rules.LATEST.days
    return ~(early | late), F.when(early, _says(f"expected a date from {rules.EARLIEST}, got ", day)).otherwise(
        _says(f"expected a date at most {rules.LATEST.days} days after it was recorded (", recorded, "), got ", day)
    )


def _tags_valid(tags: Column) -> Rule:
    few = F.size(tags) <= rules.MAX_TAGS
    wrong = F.filter(tags, lambda tag: ~F.length(tag).between(1, rules.MAX_TAG_LENGTH))
    once = F.size(F.array_distinct(tags)) == F.size(tags)
    return few & (F.size(wrong) == 0) & once, (
        F.when(~few, _says(f"expected at most {rules.MAX_TAGS} tags, got ", F.size(tags)))
        .when(
            F.size(wrong) > 0,
            _says(
                f"expected tags of 1 to {rules.MAX_TAG_LENGTH} characters, got one of ",
                F.length(F.get(wrong, F.lit(0))),
            ),
        )
        .otherwise(_says("expected each tag once"))
    )


def _says(*parts: str | Column) -> Column:
    """The parts as one text; a null among them shows as ``null``."""
    return F.concat(
        *(F.lit(part) if isinstance(part, str) else F.coalesce(part.cast("string"), F.lit("null")) for part in parts)
    )
