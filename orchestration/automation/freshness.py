"""How old what people read may be."""

from datetime import timedelta

from dagster import AssetSpec, Definitions, FreshnessPolicy, apply_freshness_policy

READ_BY_PEOPLE = FreshnessPolicy.time_window(fail_window=timedelta(hours=3), warn_window=timedelta(hours=2))


def freshness(defs: Definitions) -> Definitions:
    """`defs` with a freshness policy on the facts, which the hourly build is to keep."""
    return defs.map_asset_specs(
        func=lambda spec: apply_freshness_policy(spec, READ_BY_PEOPLE) if _is_fact(spec) else spec
    )


def _is_fact(spec: AssetSpec) -> bool:
    return spec.key.path[0] == "gold" and spec.key.path[-1].startswith("fct_")
