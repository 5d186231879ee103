"""How dbt's names become Dagster's: two-level keys by layer, the layer as group, dbt's own descriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dagster import AssetKey, AssetSpec
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

OWNERS = ("team:outlay",)
_RATES, _BATCHES = AssetKey(["reference", "fx_rates"]), AssetKey(["silver", "batches"])


class GoldTranslator(DagsterDbtTranslator):
    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_asset_checks=True))

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> AssetSpec:
        """dbt's own; and rates are downstream of the list of batches, as every other table that follows it is by
        what it reads: no model goes further in that list than those that it reads have come.
        """
        spec = super().get_asset_spec(manifest, unique_id, project)
        return spec.merge_attributes(deps=[_BATCHES]) if spec.key == _RATES else spec

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> AssetKey:
        """``gold/fct_transactions`` for a model or seed in that schema; ``silver/<table>`` for a source."""
        if dbt_resource_props["resource_type"] == "source":
            return super().get_asset_key(dbt_resource_props)
        return AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return dbt_resource_props["schema"]

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return dbt_resource_props["description"].strip()

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str]:
        return list(OWNERS)
