"""What Dagster makes by itself beside builds: for the whole graph, in three named conditions.

A build makes everything, and nothing has to follow it. What somebody has made alone is followed by all that reads it,
in one run: the conditions of what is downstream hold within the same tick, as it "will be requested". Each looks at
what happened since its asset was last made or asked for, so nothing is made twice; and none asks for anything before
the first build, or while a build waits or runs, which may do it anyway.
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from dagster import (
    AssetKey,
    AssetSelection,
    AssetSpec,
    AutomationCondition,
    AutomationConditionSensorDefinition,
    DefaultSensorStatus,
    Definitions,
)

from ingestion.contracts import TOPICS
from orchestration.automation.jobs import BUILDS
from outlay.run_tags import LAUNCHED_BY
from outlay.settings import settings

_FACTS = AssetKey(["gold", "fct_transactions"])
_TABLES = frozenset({"reference", "staging", "intermediate", "gold"})

_MADE = AutomationCondition.newly_updated() & ~AutomationCondition.executed_with_tags(tag_values=BUILDS)
_MADE_ALONE = (_MADE & ~AutomationCondition.executed_with_root_target()).with_label("made_without_this")
_A_DEP_MADE_ALONE = AutomationCondition.any_deps_match(
    _MADE_ALONE | AutomationCondition.will_be_requested()
).with_label("any_deps_made_without_this")
_LANDED_ALONE = reduce(or_, (AutomationCondition.asset_matches(["bronze", topic], _MADE_ALONE) for topic in TOPICS))

_BUILDING = AutomationCondition.asset_matches(_FACTS, AutomationCondition.in_progress()).with_label("building")
"""A build, or whatever else makes the facts, waits or runs and has not come to them."""

_NEVER_BUILT = AutomationCondition.asset_matches(_FACTS, AutomationCondition.missing()).with_label("never_built")

_READY = (
    ~AutomationCondition.any_deps_missing()
    & ~AutomationCondition.any_deps_match(AutomationCondition.run_in_progress()).with_label("any_deps_in_progress")
    & ~AutomationCondition.in_progress()
    & ~_BUILDING
    & ~_NEVER_BUILT
)


def _since_handled(trigger: AutomationCondition) -> AutomationCondition:
    """Whether `trigger` became true since the asset was last made or asked for.

    Where both happened between two looks, their order is not known: it is then made once too often, and not once too
    seldom, as with Dagster's own `since_last_handled`.
    """
    handled = (
        AutomationCondition.newly_requested()
        | AutomationCondition.newly_updated()
        | AutomationCondition.initial_evaluation()
    )
    return trigger.since((handled & ~trigger).with_label("handled"))


FOLLOWS_A_LANDING = (_since_handled(_LANDED_ALONE | _A_DEP_MADE_ALONE) & _READY).with_label("follows_a_landing")
"""Of the batches of silver: any topic landed alone. All four are made: what is published next is all that is staged."""

FOLLOWS_AN_AUDIT = (
    _since_handled(_A_DEP_MADE_ALONE) & _READY & AutomationCondition.all_deps_blocking_checks_passed()
).with_label("follows_an_audit")
"""Of silver's tables: a batch was made alone, and holds, or is made in the same run, which stops where it does not."""

FOLLOWS_OR_CHANGED = (
    _since_handled(_A_DEP_MADE_ALONE | AutomationCondition.code_version_changed()) & _READY
).with_label("follows_or_changed")
"""Of dbt's seeds and models: something that it reads was made alone, or its own file is another than before."""


def conditions(defs: Definitions) -> Definitions:
    """`defs` with a condition on whatever is made of other assets, and on the seeds."""
    return defs.map_asset_specs(
        func=lambda spec: spec.replace_attributes(automation_condition=_condition(spec)) if _condition(spec) else spec
    )


def _condition(spec: AssetSpec) -> AutomationCondition | None:
    if spec.group_name in _TABLES:
        return FOLLOWS_OR_CHANGED
    if spec.group_name == "silver" and spec.deps:
        return FOLLOWS_A_LANDING if spec.key.path[-1].endswith("_batch") else FOLLOWS_AN_AUDIT
    return None


follow = AutomationConditionSensorDefinition(
    "follow",
    target=AssetSelection.all(),
    minimum_interval_seconds=60,
    run_tags={LAUNCHED_BY: "condition"},
    description=(
        "Asks for what reads something that was made alone (a landing, rates, a table that somebody chose in Dagster),"
        " and for models and seeds whose files have changed, unless a build waits or runs."
    ),
    default_status=DefaultSensorStatus.RUNNING if settings().auto_build else DefaultSensorStatus.STOPPED,
    emit_backfills=False,
)
