"""What people read of gold, as the last assets of the lineage."""

from __future__ import annotations

from dagster import AssetSpec

from orchestration.defs.gold.project import manifest
from orchestration.defs.gold.translator import OWNERS, GoldTranslator


def exposures() -> list[AssetSpec]:
    """One asset ``exposures/<name>`` for each exposure of the dbt project, downstream of what it depends on."""
    translator = GoldTranslator()
    nodes = manifest()["nodes"]
    return [
        AssetSpec(
            key=["exposures", exposure["name"]],
            deps=[translator.get_asset_key(nodes[node]) for node in exposure["depends_on"]["nodes"]],
            description=exposure["description"].strip(),
            group_name="exposures",
            kinds={"streamlit"},
            owners=list(OWNERS),
        )
        for exposure in manifest()["exposures"].values()
    ]
