"""Checks on gold beside dbt's own: reconciliation with live, and Great Expectations on what was built."""

from collections.abc import Iterator

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    MetadataValue,
    TableRecord,
    asset_check,
    multi_asset_check,
)

from orchestration import pools
from orchestration.expectations import Outcome, metadata
from orchestration.expectations.data_docs import keep
from orchestration.expectations.gold import DRIFT, EXPECTATIONS, FACTS, audit
from outlay.ledger.reconciliation import LiveBehind, Reconciliation, reconcile
from outlay.settings import settings

_FACTS = ["gold", "fct_transactions"]


@asset_check(asset=_FACTS, blocking=True, pool=pools.WAREHOUSE)
def reconciliation() -> AssetCheckResult:
    """Live = gold + quarantined, as of the same place in the log.

    By id and line, and by count and sum for each workspace, currency, month and category. A difference names the
    transactions and the first layer that differs. The monthly totals that live keeps are recounted. Looked at is what
    batches have touched since it last held; once a day, and when gold was made anew, everything.
    """
    try:
        found = reconcile()
    except LiveBehind as error:  # nothing is known to be wrong with gold
        return AssetCheckResult(passed=False, severity=AssetCheckSeverity.WARN, description=str(error))
    return AssetCheckResult(passed=found.holds, description=_said(found), metadata=_figures(found))


def _said(found: Reconciliation) -> str:
    if found.holds:
        aside = f", {found.quarantined} more are quarantined" if found.quarantined else ""
        touched = f" that batches above {found.since} touched" if found.since else ""
        return f"live and gold hold the same {found.gold:,} transactions{touched}{aside}"
    named = "; ".join(
        f"{d.layer} differs in transaction {d.transaction_id} of workspace {d.workspace_id}: {d.detail}"
        for d in found.differences
    )
    said = (
        f"{found.differing} transactions and {len(found.cells)} sums differ (live {found.live:,}, gold {found.gold:,},"
        f" quarantined {found.quarantined:,}): {named}"
    )
    if found.totals:
        first = found.totals[0]
        said += (
            f"; {len(found.totals)} monthly totals of live are not what its transactions come to, such as"
            f" {first.category_id} in {first.month:%Y-%m} of workspace {first.workspace_id}: kept are"
            f" {first.kept_amount} {first.currency} in {first.kept_lines} lines, counted {first.amount} in"
            f" {first.lines}; `outlay replay` rebuilds live"
        )
    return said


def _figures(found: Reconciliation) -> dict[str, object]:
    figures: dict[str, object] = {
        name: getattr(found, name) for name in ("batch_id", "since", "live", "gold", "quarantined", "differing")
    }
    if found.differences:
        rows = [TableRecord({k: str(v) for k, v in vars(difference).items()}) for difference in found.differences]
        figures["differences"] = MetadataValue.table(rows)
    for name, cells in (("sums", found.cells), ("monthly_totals", found.totals)):
        if cells:
            rows = [TableRecord({k: str(v) for k, v in vars(cell).items()}) for cell in cells[:100]]
            figures[name] = MetadataValue.table(rows)
    return figures


_ROWS = {DRIFT: "workspaces"}
_LOOKS_AT = {DRIFT: "The last whole week of each workspace that the build touched, beside the half year before it."}


@multi_asset_check(
    specs=[
        AssetCheckSpec(
            suite,
            asset=_FACTS,
            blocking=suite == FACTS,
            description=_LOOKS_AT.get(suite, "Great Expectations on the facts of the last build."),
        )
        for suite in EXPECTATIONS
    ],
    pool=pools.WAREHOUSE,
)
def expectations(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
    """Great Expectations on the facts that the last build of them has made: what was before was looked at then."""
    for suite, outcome in audit():
        if outcome is None:
            yield AssetCheckResult(
                check_name=suite, asset_key=_FACTS, passed=True, description="nothing was built anew"
            )
            continue
        keep(settings().home, [outcome], run_id=context.run.run_id, log=context.log)
        yield _held(suite, outcome)


def _held(suite: str, outcome: Outcome) -> AssetCheckResult:
    return AssetCheckResult(
        check_name=suite,
        asset_key=_FACTS,
        passed=outcome.passed,
        severity=AssetCheckSeverity.ERROR if suite == FACTS else AssetCheckSeverity.WARN,
        description="; ".join(outcome.failures())
        or f"{max(figure['evaluated'] for figure in outcome.figures):,} {_ROWS.get(suite, 'lines')} are as expected",
        metadata=metadata([outcome]),
    )
