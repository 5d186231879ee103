"""dbt's seeds and models as assets, and its tests as their checks."""

from collections.abc import Iterator
from typing import Any

from dagster import AssetExecutionContext
from dagster_dbt import dbt_assets

from orchestration import pools
from orchestration.defs.gold.project import manifest
from orchestration.defs.gold.runner import build, keep_as_last_build
from orchestration.defs.gold.translator import GoldTranslator
from outlay.run_tags import FULL_REFRESH

REFERENCE = "resource_type:seed"
"""Reference data: made from files of the repository, before silver, and again only when a file has changed."""

TRANSLATOR = GoldTranslator()


@dbt_assets(
    name="reference",
    manifest=manifest(),
    select=REFERENCE,
    exclude="resource_type:unit_test",
    dagster_dbt_translator=TRANSLATOR,
    pool=pools.WAREHOUSE,
)
def reference(context: AssetExecutionContext) -> Iterator[Any]:
    """The seeds. One whose file has not changed is left as it is."""
    yield from build(context, manifest=manifest(), translator=TRANSLATOR, select=[REFERENCE])


@dbt_assets(
    name="warehouse",
    manifest=manifest(),
    exclude=f"{REFERENCE} resource_type:unit_test",
    dagster_dbt_translator=TRANSLATOR,
    pool=pools.WAREHOUSE,
)
def warehouse(context: AssetExecutionContext) -> Iterator[Any]:
    """Staging, exchange rates, intermediate and gold. Each model applies the batches that it has not seen."""
    full_refresh = context.run.tags.get(FULL_REFRESH) == "true"
    yield from build(
        context,
        manifest=manifest(),
        translator=TRANSLATOR,
        select=_selected(context),
        full_refresh=full_refresh,
    )
    if not context.is_subset:
        try:
            keep_as_last_build()
        except OSError as error:  # the warehouse is built all the same
            context.log.warning(f"developers of models go on comparing with the build before: {error}")


def _selected(context: AssetExecutionContext) -> list[str]:
    """dbt's names of the assets that this run is to make, with the tests on them."""
    by_key = {TRANSLATOR.get_asset_key(node): node for node in manifest()["nodes"].values() if "schema" in node}
    nodes = [by_key[key] for key in context.selected_asset_keys]
    return sorted(f"fqn:{'.'.join(node['fqn'])}" for node in nodes if node["resource_type"] == "model")
